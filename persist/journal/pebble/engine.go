package pebble

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	blockCache   = 64 << 20
	memTableSize = 16 << 20
	// Events are never overwritten, so merging tables early saves no space, and
	// what it costs is taken from those who append.
	tablesToMerge = 8
	tablesToStall = 40
	baseLevel     = 256 << 20 // bytes
	restLevel     = 5         // from here on data is old: it is compressed
)

// engineOptions are those of the store under the journal. The caller gives the
// cache back.
func engineOptions(fs vfs.FS, log *slog.Logger, f *failure) *pdb.Options {
	t := &trouble{log: log, f: f}
	o := &pdb.Options{
		FS:                 guard{FS: fs, f: f},
		Cache:              pdb.NewCache(blockCache),
		MemTableSize:       memTableSize,
		FormatMajorVersion: pdb.FormatNewest,

		L0CompactionThreshold: tablesToMerge,
		L0StopWritesThreshold: tablesToStall,
		LBaseMaxBytes:         baseLevel,
		Logger:                logger{log: log, guard: guard{f: f}},
		EventListener: &pdb.EventListener{
			BackgroundError: t.error,
			FlushEnd:        func(info pdb.FlushInfo) { t.over(info.Err) },
			// Pebble would end the process.
			DataCorruption: func(info pdb.DataCorruptionInfo) { f.tell(fmt.Errorf("the store is damaged: %v", info)) },
			DiskSlow:       func(info pdb.DiskSlowInfo) { log.Warn("the disk is slow", "what", info.String()) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most look-ups are for what is not there
		if i < restLevel {
			// Sealed text does not compress; the attempt costs as much as the insertion.
			o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		} else {
			o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
		}
	}
	return o
}

// patience is how long the store's background work may fail, as on a full
// disk, before the journal gives up. Writers wait meanwhile.
const patience = 10 * time.Second

// trouble follows failing background work. The engine tries again at once and
// for ever, so it is said once.
type trouble struct {
	log   *slog.Logger
	f     *failure
	mu    sync.Mutex
	since time.Time // zero while all is well
}

func (t *trouble) error(err error) {
	t.mu.Lock()
	first := t.since.IsZero()
	if first {
		t.since = time.Now()
	}
	late := time.Since(t.since) > patience
	t.mu.Unlock()
	switch {
	case first:
		t.log.Error("the store cannot do its background work", "err", err.Error())
	case late:
		t.f.tell(fmt.Errorf("background work failed for %v: %s", patience, err.Error()))
	}
}

func (t *trouble) over(err error) {
	if err == nil {
		t.mu.Lock()
		t.since = time.Time{}
		t.mu.Unlock()
	}
}

// logger keeps the engine quiet and turns its Fatalf, which would end the
// process without a word to those who wait, into a failure of the journal.
type logger struct {
	log   *slog.Logger
	guard guard
}

// Infof implements the engine's Logger.
func (l logger) Infof(string, ...any) {}

// Errorf implements the engine's Logger.
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("the store reports an error", "err", fmt.Sprintf(format, args...))
}

// Fatalf implements the engine's Logger. As the engine expects, it does not
// come back, unless the engine can return an error.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.guard.stop("the store gave up", err)
	l.guard.f.tell(err)
}
