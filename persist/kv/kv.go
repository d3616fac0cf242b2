// Package kv keeps the small values that customers' code stores for itself
// (ctx.kv): JSON by tenant, group and key, durable on return. It is no journal:
// nothing that a conversation is decided by may stand here alone.
package kv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"flametree/engine/fault"
	"flametree/engine/tenant"
)

// Store is an open store. It is safe for concurrent use. Close it.
type Store struct{ db *pebble.DB }

// Open opens or makes the store in a folder. Only one process may.
func Open(dir string) (*Store, error) { return open(dir, vfs.Default) }

func open(dir string, fs vfs.FS) (*Store, error) {
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, Logger: silent{}})
	if err != nil {
		return nil, fmt.Errorf("open the store of tools %s: %w: %w", dir, fault.Unavailable, err)
	}
	return &Store{db: db}, nil
}

// silent keeps Pebble's own lines out of the log: every error comes back anyway.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// row is the key of a value: lengths part what callers choose.
func row(t tenant.ID, group, key string) []byte {
	b := append([]byte{'v'}, t[:]...)
	b = fmt.Appendf(b, "%d/", len(group))
	b = append(b, group...)
	return append(b, key...)
}

// Get reads a value; fault.NotFound if there is none. The caller owns it.
func (s *Store) Get(_ context.Context, t tenant.ID, group, key string) (json.RawMessage, error) {
	v, closer, err := s.db.Get(row(t, group, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, fmt.Errorf("no value of that key: %w", fault.NotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read a value: %w: %w", fault.Unavailable, err)
	}
	out := slices.Clone(v)
	return out, closer.Close()
}

// Set writes a value; it is on disk when Set returns.
func (s *Store) Set(_ context.Context, t tenant.ID, group, key string, value json.RawMessage) error {
	if err := s.db.Set(row(t, group, key), value, pebble.Sync); err != nil {
		return fmt.Errorf("write a value: %w: %w", fault.Unavailable, err)
	}
	return nil
}

// Delete removes a value, also one that is not there.
func (s *Store) Delete(_ context.Context, t tenant.ID, group, key string) error {
	if err := s.db.Delete(row(t, group, key), pebble.Sync); err != nil {
		return fmt.Errorf("remove a value: %w: %w", fault.Unavailable, err)
	}
	return nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }
