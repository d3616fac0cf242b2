// Package blob keeps recordings and attachments as files that are named by what
// they hold: blob/sha256/ab/abcdef…. What it is given is sealed already; it
// knows no keys and never looks inside.
package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"flametree/engine/fault"
)

// Store is a folder of blobs. It is safe for concurrent use.
type Store struct{ dir string }

// Open makes the folder if it is missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "sha256"), 0o700); err != nil {
		return nil, fmt.Errorf("blob store: %w: %w", fault.Unavailable, err)
	}
	return &Store{dir: dir}, nil
}

// Put stores what write produces and names it by its SHA-256, in hex. It is
// durable on return: file and folder are synced. What is there already is kept.
func (s *Store) Put(write func(io.Writer) error) (name string, err error) {
	tmp, err := os.CreateTemp(s.dir, "new-")
	if err != nil {
		return "", fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	sum := sha256.New()
	if err := write(io.MultiWriter(tmp, sum)); err != nil {
		return "", errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return "", fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	name = hex.EncodeToString(sum.Sum(nil))
	dir := filepath.Join(s.dir, "sha256", name[:2])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, name)); err != nil {
		return "", fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	return name, syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get opens a blob for reading; the caller closes it. fault.NotFound when
// there is none, fault.Invalid when name is no name.
func (s *Store) Get(name string) (*os.File, error) {
	if b, err := hex.DecodeString(name); err != nil || len(b) != sha256.Size {
		return nil, fmt.Errorf("blob name %q: %w", name, fault.Invalid)
	}
	f, err := os.Open(filepath.Join(s.dir, "sha256", name[:2], name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", name, fault.NotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w: %w", name, fault.Unavailable, err)
	}
	return f, nil
}

// Adopt takes a finished file of the same volume into the store without copying
// it, and names it by its SHA-256, which the caller knows from writing it. It is
// durable on return. The file still has its old name, too, which the caller
// removes once it no longer needs it to adopt the file again.
func (s *Store) Adopt(path string, sum [sha256.Size]byte) (name string, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		kind := fault.Unavailable
		if errors.Is(err, os.ErrNotExist) {
			kind = fault.NotFound
		}
		return "", fmt.Errorf("blob: %w: %w", kind, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	name = hex.EncodeToString(sum[:])
	dir := filepath.Join(s.dir, "sha256", name[:2])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	if err := os.Link(path, filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("blob: %w: %w", fault.Unavailable, err)
	}
	return name, syncDir(dir)
}

// Delete removes a blob, durably. One that is not there is no error: whoever
// was stopped half-way deletes again. Who else needs the blob is the caller's to
// know. fault.Invalid when name is no name.
func (s *Store) Delete(name string) error {
	if b, err := hex.DecodeString(name); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("blob name %q: %w", name, fault.Invalid)
	}
	dir := filepath.Join(s.dir, "sha256", name[:2])
	err := os.Remove(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("blob %s: %w: %w", name, fault.Unavailable, err)
	}
	return syncDir(dir)
}
