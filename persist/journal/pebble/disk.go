package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// watchEvery is how often free space is asked for.
const watchEvery = 3 * time.Second

// disk watches free space. Below low water it gives the ballast back to the
// volume, so that what runs can finish, and says so until there is room for the
// ballast above low water again.
type disk struct {
	fs       vfs.FS
	path     string // of the ballast file
	ballast  int64
	lowWater uint64
	free     func() (free, total uint64, err error)
	log      *slog.Logger
	low      atomic.Bool
	blind    bool // free space cannot be asked for; said once
}

// look asks once and reacts. Only one goroutine may call it.
func (d *disk) look() {
	free, total, err := d.free()
	if err != nil {
		if !d.blind {
			d.log.Warn("free disk space is unknown: it is not watched", "err", err.Error())
		}
		d.blind = true
		return
	}
	d.blind = false
	limit := d.lowWater
	if limit == 0 {
		limit = max(total/20, 1<<30)
	}
	switch low := d.low.Load(); {
	case free < limit:
		d.low.Store(true)
		if !low {
			d.log.Error("disk space is low: new streams are refused", "free", free, "low_water", limit)
		}
		d.release()
	case low && free < limit+uint64(max(d.ballast, 0)):
		// Wait until the ballast fits again, or it would go back and forth.
	default:
		if low {
			d.log.Info("disk space is sufficient again", "free", free)
		}
		d.low.Store(false)
		d.fill(free - limit)
	}
}

// release gives the ballast's space back.
func (d *disk) release() {
	if err := d.fs.Remove(d.path); err == nil {
		d.log.Warn("the ballast was released", "bytes", d.ballast)
	} else if !oserror.IsNotExist(err) {
		d.log.Error("the ballast could not be released", "err", err.Error())
	}
}

// fill writes the ballast when it is missing and there is room for it. Real
// bytes, because a hole reserves nothing.
func (d *disk) fill(room uint64) {
	if d.ballast <= 0 || room < uint64(d.ballast) {
		return
	}
	if info, err := d.fs.Stat(d.path); err == nil && info.Size() == d.ballast {
		return
	}
	if err := d.write(); err != nil {
		d.log.Warn("there is no ballast", "err", err.Error())
		d.release()
	}
}

func (d *disk) write() error {
	f, err := d.fs.Create(d.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("ballast: %w", err)
	}
	block := make([]byte, min(d.ballast, 1<<20))
	for left := d.ballast; left > 0; {
		n, err := f.Write(block[:min(left, int64(len(block)))])
		if err != nil {
			return errors.Join(fmt.Errorf("ballast: %w", err), f.Close())
		}
		left -= int64(n)
	}
	return errors.Join(f.Sync(), f.Close())
}

// watch looks again and again until stop is closed.
func (d *disk) watch(stop <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.look()
		case <-stop:
			return
		}
	}
}
