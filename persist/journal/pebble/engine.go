package pebble

import (
	"fmt"
	"log/slog"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	blockCache   = 64 << 20
	memTableSize = 32 << 20
)

// engineOptions are those of the store under the journal. The caller gives the
// cache back.
func engineOptions(fs vfs.FS, log *slog.Logger, fail func(error)) *pdb.Options {
	o := &pdb.Options{
		FS:                 fs,
		Cache:              pdb.NewCache(blockCache),
		MemTableSize:       memTableSize,
		FormatMajorVersion: pdb.FormatNewest,
		Logger:             logger{log: log, fail: fail},
		EventListener: &pdb.EventListener{
			BackgroundError: func(err error) { log.Error("the store could not do its background work", "err", err) },
			// Pebble would end the process.
			DataCorruption: func(info pdb.DataCorruptionInfo) { fail(fmt.Errorf("the store is damaged: %v", info)) },
			DiskSlow:       func(info pdb.DiskSlowInfo) { log.Warn("the disk is slow", "what", info.String()) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most look-ups are for what is not there
	}
	return o
}

// logger keeps the engine quiet and turns its Fatalf, which would end the
// process without a word to those who wait, into a failure of the journal.
type logger struct {
	log  *slog.Logger
	fail func(error)
}

// Infof implements the engine's Logger.
func (l logger) Infof(string, ...any) {}

// Errorf implements the engine's Logger.
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("the store reports an error", "err", fmt.Sprintf(format, args...))
}

// Fatalf implements the engine's Logger.
func (l logger) Fatalf(format string, args ...any) { l.fail(fmt.Errorf(format, args...)) }
