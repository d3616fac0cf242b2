// Package phrases keeps the sound of phrases in Badger, in memory: a cache, and
// no more. Nothing here ever fails a call. What may be kept is decided by who
// puts it (engine/provider/phrases): texts of agents, never of people. A phrase
// that was not put again for TTL is gone; a cache that outgrows Most is emptied
// whole, for it fills itself again, as it does after a restart: phrases of agents
// are rendered when they are loaded.
//
// # Decisions
//
// 2026-11 Badger and not Pebble, which keeps the journal: it has a time to live,
// and a second engine cannot hurt the first. Cost: 8 MB of memory table and some
// goroutines.
//
// 2026-11 Nothing is dropped when an agent stops or its file changes: the texts
// are of files and not of people, agents of one tenant share them, and what
// nobody says any more ages out. An agent that starts again finds its phrases.
//
// 2026-11 In memory and not on disk: Badger writes through mapped files, and on a
// full disk such a write ends the process with SIGBUS, which nobody can catch.
// The journal must be what decides how a full disk ends.
//
// 2026-11 Beside Badger, up to 8 MB of phrases are kept as they are said, shared by
// all calls that say them: to copy a greeting out of Badger was 2.5 % of a call's
// set-up. They are a copy, and no cache of their own: what they lose Badger has.
package phrases

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"flametree/engine/fault"
	"flametree/engine/provider/phrases"
)

// Options of a Store. The zero value will do.
type Options struct {
	TTL  time.Duration // default 30 days
	Most int64         // bytes of phrases; default 64 MB
	Log  *slog.Logger  // default none
}

const (
	memTable  = 8 << 20
	maxPhrase = 1 << 20 // bytes of one: Badger takes no more in this memory table
)

// Store implements phrases.Store. Close it.
type Store struct {
	db     *badger.DB
	opt    Options
	size   atomic.Int64
	recent recent
}

var _ phrases.Store = (*Store)(nil)

// Open makes a cache. Close it.
func Open(opt Options) (*Store, error) {
	opt.TTL = cmp.Or(opt.TTL, 30*24*time.Hour)
	opt.Most = cmp.Or(opt.Most, 64<<20)
	opt.Log = cmp.Or(opt.Log, slog.New(slog.DiscardHandler))
	db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil).WithMetricsEnabled(false).
		WithMemTableSize(memTable).WithNumMemtables(2).WithValueThreshold(memTable / 8).
		WithBlockCacheSize(0).WithCompression(options.None).WithDetectConflicts(false).WithNumCompactors(2))
	if err != nil {
		return nil, fmt.Errorf("cache of phrases: %w: %w", fault.Unavailable, err)
	}
	return &Store{db: db, opt: opt}, nil
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
	if p, ok := s.recent.get(k, time.Now()); ok {
		return p, true
	}
	name, until := row(k), time.Time{}
	err := s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(name)
		if err != nil {
			return err
		}
		until = time.Unix(int64(item.ExpiresAt()), 0)
		return item.Value(func(v []byte) error {
			p, err = decode(v)
			return err
		})
	})
	switch {
	case err == nil:
		s.recent.put(k, p, until)
		return p, true
	case errors.Is(err, badger.ErrKeyNotFound):
	default:
		s.opt.Log.Warn("a phrase of the cache cannot be read and is dropped", "err", err)
		_ = s.db.Update(func(txn *badger.Txn) error { return txn.Delete(name) })
	}
	return phrases.Phrase{}, false
}

// Put implements phrases.Store. What is larger than 1 MB is not kept.
func (s *Store) Put(k phrases.Key, p phrases.Phrase) {
	plain := encode(p)
	if len(plain) > maxPhrase-128 {
		return
	}
	if s.size.Add(int64(len(plain))) > s.opt.Most {
		s.size.Store(int64(len(plain)))
		s.recent.clear()
		if err := s.db.DropAll(); err != nil {
			s.opt.Log.Warn("the cache of phrases is full and cannot be emptied", "err", err)
			return
		}
	}
	name := row(k)
	defer s.recent.forget(k)
	err := s.db.Update(func(txn *badger.Txn) error {
		return txn.SetEntry(badger.NewEntry(name, plain).WithTTL(s.opt.TTL))
	})
	if err != nil {
		s.opt.Log.Warn("a phrase is not kept", "err", err)
	}
}
