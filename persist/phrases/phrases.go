// Package phrases keeps the sound of phrases on disk, in Badger: a cache, and no
// more. Whatever cannot be read is not there; a folder that cannot be opened is
// thrown away and begun anew; nothing here ever fails a call. What may be kept
// is decided by who puts it (engine/provider/phrases): texts of agents, never of
// people.
//
// # At rest
//
// A phrase is sealed with AES-256-GCM under a key of the cache's own, a file
// that lies beside it, and bound to its name, so that one that was damaged or
// moved is known for it and dropped. Names are hashes: neither a text nor a
// voice stands anywhere. A phrase that was not put again for TTL is gone; a
// cache that outgrows Most is emptied whole, for it fills itself again.
//
// # Decisions
//
// 2026-11 Badger and not Pebble, which keeps the journal: it has a time to live,
// drops a tenant by prefix, and a second engine cannot hurt the first. Cost:
// 8 MB of memory table and some goroutines.
package phrases

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"flametree/engine/fault"
	"flametree/engine/provider/phrases"
	"flametree/engine/tenant"
)

// Options of a Store. The zero value will do.
type Options struct {
	TTL  time.Duration // default 30 days
	Most int64         // bytes of phrases; default 256 MB
	Log  *slog.Logger  // default none
}

const (
	keySize   = 32
	memTable  = 8 << 20
	maxPhrase = 1 << 20 // bytes of one: Badger takes no more in this memory table
)

// Store implements phrases.Store. Close it.
type Store struct {
	db   *badger.DB
	seal cipher.AEAD
	opt  Options
	size atomic.Int64
}

var _ phrases.Store = (*Store)(nil)

// Open opens or makes a cache in a folder. Only one process may. A cache that
// cannot be opened is begun anew; fault.Unavailable says that even that failed.
func Open(dir string, opt Options) (*Store, error) {
	opt.TTL = cmp.Or(opt.TTL, 30*24*time.Hour)
	opt.Most = cmp.Or(opt.Most, 256<<20)
	opt.Log = cmp.Or(opt.Log, slog.New(slog.DiscardHandler))
	s, err := open(dir, opt)
	if err == nil {
		return s, nil
	}
	opt.Log.Warn("the cache of phrases cannot be read and is begun anew", "err", err)
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
	}
	return open(dir, opt)
}

func open(dir string, opt Options) (s *Store, err error) {
	defer func() {
		if p := recover(); p != nil { // Badger asserts what it reads
			s, err = nil, fmt.Errorf("cache of phrases: %w: %v", fault.Unavailable, p)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
	}
	key, err := keyOf(filepath.Join(dir, "key"))
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Invalid, err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Invalid, err)
	}
	b := badger.DefaultOptions(filepath.Join(dir, "db")).WithLogger(nil).WithMetricsEnabled(false).
		WithMemTableSize(memTable).WithNumMemtables(2).WithValueThreshold(memTable / 8).WithValueLogFileSize(16 << 20).
		WithBlockCacheSize(0).WithCompression(options.None).WithDetectConflicts(false).WithNumCompactors(2)
	db, err := badger.Open(b)
	if err != nil {
		return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
	}
	s = &Store{db: db, seal: seal, opt: opt}
	if err := s.count(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// keyOf reads the cache's key, or makes one.
func keyOf(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key = make([]byte, keySize)
		_, _ = rand.Read(key) // never fails, crypto/rand says
		if err := os.WriteFile(path, key, 0o600); err != nil {
			return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
		}
		return key, nil
	case err != nil:
		return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
	case len(key) != keySize:
		return nil, fmt.Errorf("cache of phrases: its key has %d bytes, want %d: %w", len(key), keySize, fault.Invalid)
	}
	return key, nil
}

// count adds up what is there.
func (s *Store) count() error {
	err := s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			s.size.Add(it.Item().EstimatedSize())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
	}
	return nil
}

// Close ends the cache.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
	}
	return nil
}

func row(k phrases.Key) []byte { return append(append([]byte(nil), k.Tenant[:]...), k.Sum[:]...) }

// Get implements phrases.Store.
func (s *Store) Get(k phrases.Key) (p phrases.Phrase, ok bool) {
	name := row(k)
	err := s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(name)
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error {
			plain, err := s.open(name, v)
			if err == nil {
				p, err = decode(plain)
			}
			return err
		})
	})
	switch {
	case err == nil:
		return p, true
	case errors.Is(err, badger.ErrKeyNotFound):
	default:
		s.opt.Log.Warn("a phrase of the cache cannot be read and is dropped", "err", err)
		_ = s.db.Update(func(txn *badger.Txn) error { return txn.Delete(name) })
	}
	return phrases.Phrase{}, false
}

func (s *Store) open(name, sealed []byte) ([]byte, error) {
	n := s.seal.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("%d bytes: %w", len(sealed), fault.Invalid)
	}
	plain, err := s.seal.Open(nil, sealed[:n], sealed[n:], name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.Invalid, err)
	}
	return plain, nil
}

// Put implements phrases.Store. What is larger than 1 MB is not kept.
func (s *Store) Put(k phrases.Key, p phrases.Phrase) {
	plain := encode(p)
	if len(plain) > maxPhrase-128 {
		return
	}
	if s.size.Add(int64(len(plain))) > s.opt.Most {
		s.size.Store(int64(len(plain)))
		if err := s.db.DropAll(); err != nil {
			s.opt.Log.Warn("the cache of phrases is full and cannot be emptied", "err", err)
			return
		}
	}
	name := row(k)
	nonce := make([]byte, s.seal.NonceSize())
	_, _ = rand.Read(nonce) // never fails, crypto/rand says
	sealed := s.seal.Seal(nonce, nonce, plain, name)
	err := s.db.Update(func(txn *badger.Txn) error {
		return txn.SetEntry(badger.NewEntry(name, sealed).WithTTL(s.opt.TTL))
	})
	if err != nil {
		s.opt.Log.Warn("a phrase is not kept", "err", err)
	}
}

// Drop forgets all phrases of a tenant, as when it is erased.
func (s *Store) Drop(t tenant.ID) error {
	if err := s.db.DropPrefix(t[:]); err != nil {
		return fmt.Errorf("cache of phrases: drop a tenant: %w: %w", fault.Unavailable, err)
	}
	return nil
}
