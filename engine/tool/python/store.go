package python

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"flametree/engine/tenant"
)

// The limits of ctx.kv.
const (
	MaxKey   = 256      // characters
	MaxValue = 64 << 10 // bytes of a value, as JSON
)

// Store keeps the small values of ctx.kv: JSON, by tenant, name of the group
// and key. It is used concurrently and keeps its own copies. An error wraps a
// fault.Kind; a key that is not there is fault.NotFound.
type Store interface {
	Get(ctx context.Context, t tenant.ID, group, key string) (json.RawMessage, error)
	Set(ctx context.Context, t tenant.ID, group, key string, value json.RawMessage) error
	Delete(ctx context.Context, t tenant.ID, group, key string) error // also of what is not there
}

// MemoryStore is a Store that forgets when the process ends. The zero value is
// empty.
type MemoryStore struct {
	mu     sync.Mutex
	values map[place]json.RawMessage
}

type place struct {
	tenant     tenant.ID
	group, key string
}

// Get implements Store.
func (s *MemoryStore) Get(_ context.Context, t tenant.ID, group, key string) (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[place{t, group, key}]
	if !ok {
		return nil, errNotThere
	}
	return slices.Clone(v), nil
}

// Set implements Store.
func (s *MemoryStore) Set(_ context.Context, t tenant.ID, group, key string, value json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[place]json.RawMessage{}
	}
	s.values[place{t, group, key}] = slices.Clone(value)
	return nil
}

// Delete implements Store.
func (s *MemoryStore) Delete(_ context.Context, t tenant.ID, group, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, place{t, group, key})
	return nil
}
