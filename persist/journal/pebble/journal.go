package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"flametree/engine/fault"
	"flametree/persist/journal"
	"flametree/persist/vault"
)

// Options of a journal. Only Vault is required.
type Options struct {
	Vault *vault.Vault
	// FS is where everything is kept; nil is the operating system's.
	FS vfs.FS
	// DiskFree asks for the volume's free and total bytes; nil asks FS.
	DiskFree func() (free, total uint64, err error)
	// LowWater is the free space, in bytes, below which new streams are refused;
	// 0 is 1 GB or a twentieth of the volume, whichever is more.
	LowWater uint64
	// Ballast is the size, in bytes, of a file that is deleted at low water; 0 is none.
	Ballast int64
	// Log gets what an operator should know; nil is slog.Default.
	Log *slog.Logger
	// Fatal is called once, from any goroutine, when the journal has failed and
	// takes no more writes. The process should say why and end. It may return.
	Fatal func(error)
	// Keys is how many people's keys are kept in memory; 0 is 10,000.
	Keys int
	// Heads is how many streams' heads are kept in memory, at least 1,024; 0 is 100,000.
	Heads int
}

// Journal implements journal.Journal in one directory. Beyond the contract it
// can be verified, copied and closed.
type Journal struct {
	opt   Options
	dir   string
	log   *slog.Logger
	store [16]byte

	db    *pdb.DB
	lock  *pdb.Lock
	cache *pdb.Cache
	keys  *keyring
	disk  *disk
	marks *markFile

	idle     requests
	requests chan *request // to the committer; closed by Close
	groups   chan *group   // from the committer to the finisher
	marking  chan meta     // from the finisher to the marker
	slots    chan struct{} // one for each group on its way
	work     sync.WaitGroup
	writers  *gate // who may write: shut first, so that what waits is finished
	readers  *gate // who touches the store

	durable atomic.Pointer[meta] // the last group that is synced
	marked  atomic.Uint64        // the last group whose mark is synced
	bell    bell                 // rings when durable grows
	tail    tail                 // never ahead of durable

	closing chan struct{}
	failure *failure
}

var _ journal.Journal = (*Journal)(nil)

// failure is the first reason why nothing more is written.
type failure struct {
	dir    string
	log    *slog.Logger
	fatal  func(error)
	once   sync.Once
	reason atomic.Pointer[error]
	known  chan struct{} // closed with the reason

	open    atomic.Bool // before that, Open returns the engine's errors
	closing atomic.Bool // from then on, Close does
	torn    atomic.Bool // the engine is held in the middle of something and cannot be closed
}

// tell closes the journal for writes, for good.
func (f *failure) tell(err error) {
	f.once.Do(func() {
		err = fmt.Errorf("journal %s: closed for writes: %w: %w", f.dir, err, fault.Unavailable)
		f.reason.Store(&err)
		defer close(f.known)
		if !f.open.Load() {
			return
		}
		f.log.Error("the journal takes no more writes", "err", err.Error())
		if f.fatal != nil {
			f.fatal(err)
		}
	})
}

// err is why nothing more is written, nil when all is well.
func (f *failure) err() error {
	if p := f.reason.Load(); p != nil {
		return *p
	}
	return nil
}

// Err is why the journal has failed, nil while it takes writes. /readyz asks it.
func (j *Journal) Err() error { return j.failure.err() }

// LowOnSpace reports whether new streams are refused for want of disk space.
func (j *Journal) LowOnSpace() bool { return j.disk.low.Load() }

// Position is that of the newest event that can be read, 0 when there is none.
func (j *Journal) Position() journal.Position { return j.durable.Load().position }

// Groups is how many groups of commits were synced since the journal was made.
// Beside Position it says how well commits share their syncs.
func (j *Journal) Groups() uint64 { return j.durable.Load().group }

// Close finishes what was accepted, refuses everything else and waits for the
// journal's goroutines, unless a failed disk holds them. It may be called twice.
func (j *Journal) Close() error {
	if !j.writers.shut() {
		return nil
	}
	close(j.closing)
	j.failure.closing.Store(true)
	if j.failure.torn.Load() {
		return nil // said already; the process is about to end
	}
	close(j.requests)
	if !j.ended() {
		return nil
	}
	j.readers.shut()
	err := j.db.Close()
	j.cache.Unref()
	err = errors.Join(err, j.marks.file.Close(), j.lock.Close())
	if j.failure.err() != nil {
		return nil //nolint:nilerr // said already; what the engine adds is only noise
	}
	if err != nil {
		return fmt.Errorf("journal %s: close: %w", j.dir, err)
	}
	return nil
}

// closePatience is how long Close of a failed journal waits for goroutines that
// the disk may hold.
const closePatience = 2 * time.Second

// ended waits for the journal's goroutines. Only those of a failed journal may
// be left behind.
func (j *Journal) ended() bool {
	if j.failure.err() == nil {
		j.work.Wait()
		return true
	}
	done := make(chan struct{})
	go func() {
		j.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(closePatience):
		return false
	}
}

// errClosed is the answer after Close.
var errClosed = fmt.Errorf("journal: closed: %w", fault.Unavailable)

// gate counts who is inside, so that closing can wait for them. Unlike a
// RWMutex it may be entered again by who is inside already.
type gate struct {
	inside atomic.Int64  // below 0 once it is shut
	empty  chan struct{} // told, at least once, when the last has left a shut gate
}

// gateShut is added when the gate is shut.
const gateShut = -1 << 62

func newGate() *gate { return &gate{empty: make(chan struct{}, 1)} }

// enter reports whether the gate is open; who got in must leave.
func (g *gate) enter() bool {
	if g.inside.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.inside.Add(-1) == gateShut {
		select {
		case g.empty <- struct{}{}:
		default:
		}
	}
}

// shut lets nobody in any more and waits until all have left. It reports
// whether it was the first to shut the gate.
func (g *gate) shut() bool {
	for {
		n := g.inside.Load()
		if n < 0 {
			return false
		}
		if g.inside.CompareAndSwap(n, n+gateShut) {
			if n > 0 {
				<-g.empty
			}
			return true
		}
	}
}

// bell wakes everybody who waits for it.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // nil while nobody waits
}

// wait gives a channel that is closed at the next ring.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
