package pebble

import (
	"fmt"
	"path/filepath"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard stands between the engine and its directory and learns first when the
// log fails. A failed write or sync of the log reaches those who wait for it.
// But the engine cannot bear a log that does not close or a new one that cannot
// be made: it breaks off inside its locks, which ends the process without a
// word. There, and in its Fatalf, the guard says what happened and holds the
// engine's goroutine for good. Whoever waits is told by the journal instead.
type guard struct {
	vfs.FS
	f *failure
}

// stop tells of an error and does not come back, unless the journal is not open
// yet or is being closed: then the engine returns its errors.
func (g guard) stop(what string, err error) {
	if err == nil {
		return
	}
	if !g.f.open.Load() || g.f.closing.Load() {
		return
	}
	g.f.torn.Store(true)
	g.f.tell(fmt.Errorf("%s: %w", what, err))
	select {}
}

func isLog(path string) bool { return filepath.Ext(path) == ".log" }

// Create implements vfs.FS.
func (g guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	return g.opened(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (g guard) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(oldname, newname, c)
	return g.opened(newname, f, err)
}

func (g guard) opened(name string, f vfs.File, err error) (vfs.File, error) {
	if !isLog(name) {
		return f, err
	}
	g.stop("make a new log", err)
	if err != nil {
		return nil, err
	}
	return &guardedLog{File: f, g: g}, nil
}

// OpenDir implements vfs.FS.
func (g guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return guardedDir{File: f, g: g}, nil
}

// Unwrap implements vfs.FS.
func (g guard) Unwrap() vfs.FS { return g.FS }

// guardedDir is the directory whose sync makes a new log last.
type guardedDir struct {
	vfs.File
	g guard
}

// Sync implements vfs.File.
func (d guardedDir) Sync() error {
	err := d.File.Sync()
	d.g.stop("sync of the directory", err)
	return err
}

// guardedLog is a log file.
type guardedLog struct {
	vfs.File
	g      guard
	broken atomic.Bool
}

func (l *guardedLog) note(what string, err error) {
	if err != nil && l.g.f.open.Load() {
		l.broken.Store(true)
		l.g.f.tell(fmt.Errorf("%s of the log: %w", what, err))
	}
}

// Write implements vfs.File.
func (l *guardedLog) Write(b []byte) (int, error) {
	n, err := l.File.Write(b)
	l.note("write", err)
	return n, err
}

// Sync implements vfs.File.
func (l *guardedLog) Sync() error {
	err := l.File.Sync()
	l.note("sync", err)
	return err
}

// SyncData implements vfs.File.
func (l *guardedLog) SyncData() error {
	err := l.File.SyncData()
	l.note("sync", err)
	return err
}

// SyncTo implements vfs.File.
func (l *guardedLog) SyncTo(length int64) (bool, error) {
	full, err := l.File.SyncTo(length)
	l.note("sync", err)
	return full, err
}

// Close implements vfs.File.
func (l *guardedLog) Close() error {
	err := l.File.Close()
	if err == nil && l.broken.Load() {
		err = fmt.Errorf("an earlier write or sync of it failed")
	}
	l.g.stop("close the log", err)
	return err
}
