package pebble

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/errors/oserror"
	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"flametree/engine/fault"
)

// What stands in the directory.
const (
	folderStore = "journal"
	fileFormat  = "format"
	fileMarks   = "high-water"
	fileBallast = "ballast"
)

const (
	pipeline  = 1    // groups on their way at once; with two, each was half as large and no sooner done
	waiting   = 1024 // requests that wait for the committer without blocking their senders
	newest    = 10_000
	manyKeys  = 10_000
	manyHeads = 100_000
)

// Open opens the journal in dir, or makes one where there is none: the store in
// dir/journal, beside it the files format, high-water and ballast. It refuses a
// directory that is open elsewhere, a log that ends below the high-water mark,
// newest events that do not agree with each other, and an empty or foreign
// store beside the files of another. Such errors say what was found and where.
func Open(dir string, opt Options) (*Journal, error) {
	if opt.Vault == nil {
		return nil, fmt.Errorf("open journal %s: no vault: %w", dir, fault.Invalid)
	}
	if opt.FS == nil {
		opt.FS = vfs.Default
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Keys <= 0 {
		opt.Keys = manyKeys
	}
	if opt.Heads <= 0 {
		opt.Heads = manyHeads
	}
	opt.Heads = max(opt.Heads, 2*groupEvents) // a group finds all of its own there
	j := &Journal{
		opt: opt, dir: dir, log: opt.Log,
		requests: make(chan *request, waiting), groups: make(chan *group, pipeline), marking: make(chan meta),
		slots: make(chan struct{}, pipeline), closing: make(chan struct{}),
		writers: newGate(), readers: newGate(),
		failure: &failure{dir: dir, log: opt.Log, fatal: opt.Fatal, known: make(chan struct{})},
	}
	if err := j.open(); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", dir, err)
	}
	j.start()
	return j, nil
}

func (j *Journal) path(name string) string { return j.opt.FS.PathJoin(j.dir, name) }

// open does what may fail. It leaves nothing open when it does.
func (j *Journal) open() (err error) {
	fs, store := j.opt.FS, j.path(folderStore)
	if err := makeDir(fs, store); err != nil {
		return err
	}
	if j.lock, err = pdb.LockDirectory(store, fs); err != nil {
		return fmt.Errorf("%s is in use: %w: %w", store, err, fault.Unavailable)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.lock.Close())
		}
	}()
	o := engineOptions(fs, j.log, j.failure)
	o.Lock = j.lock
	j.cache = o.Cache
	if j.db, err = pdb.Open(store, o); err != nil {
		j.cache.Unref()
		return fmt.Errorf("the store does not open: %w: %w", err, fault.Unavailable)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.db.Close())
			j.cache.Unref()
		}
	}()
	j.keys = newKeyring(j.db, j.opt.Vault, j.opt.Keys)
	m, serial, err := j.identify()
	if err != nil {
		return err
	}
	j.store = m.store
	if err := j.checkNewest(m, newest); err != nil {
		return err
	}
	j.durable.Store(&m)
	return j.prepare(m, serial)
}

// makeDir makes a directory that survives a loss of power: each parent is
// synced, that of an existing one too, which may be from before a crash.
func makeDir(fs vfs.FS, path string) error {
	parent := fs.PathDir(path)
	if parent == path {
		return nil
	}
	if _, err := fs.Stat(path); err != nil {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
		if err := fs.MkdirAll(path, 0o700); err != nil {
			return err
		}
	}
	if err := syncDir(fs, parent); err != nil && !oserror.IsPermission(err) {
		return err // a parent that may be entered but not read is its owner's affair
	}
	return nil
}

// identify makes sure that store, format file and marks belong together and
// that the log reaches the mark. It makes what a new journal needs.
func (j *Journal) identify() (meta, uint64, error) {
	format, err := readFile(j.opt.FS, j.path(fileFormat))
	if err != nil {
		return meta{}, 0, err
	}
	marks, err := readFile(j.opt.FS, j.path(fileMarks))
	if err != nil {
		return meta{}, 0, err
	}
	raw, err := get(j.db, []byte{tableMeta})
	if err != nil {
		return meta{}, 0, err
	}
	if raw == nil {
		return j.create(format, marks)
	}
	m, err := parseMeta(raw)
	if err != nil {
		return meta{}, 0, fmt.Errorf("the store's meta record: %w: %w", err, fault.Invalid)
	}
	// A crash while the journal was made may have come before these files.
	if m.group == 0 && marks == nil {
		if err := createMarks(j.opt.FS, j.path(fileMarks), m); err != nil {
			return m, 0, err
		}
		marks = make([]byte, slotCount*slotSize)
		putSlot(marks[:slotSize], m, 1)
	}
	if m.group == 0 && format == nil {
		format = formatText(m.store)
		if err := writeFile(j.opt.FS, j.path(fileFormat), format); err != nil {
			return m, 0, err
		}
	}
	if !bytes.Equal(format, formatText(m.store)) {
		return m, 0, fmt.Errorf("file %s does not name format 1 and store %x: it says %q: %w", fileFormat, m.store, clip(format), fault.Invalid)
	}
	mark, serial, err := parseMarks(marks)
	if err != nil {
		return m, 0, fmt.Errorf("file %s: %w", fileMarks, err)
	}
	return m, serial, reaches(m, mark)
}

// reaches compares the end of the log with the mark.
func reaches(log, mark meta) error {
	if mark.store != log.store {
		return fmt.Errorf("file %s belongs to store %x, not to %x: %w", fileMarks, mark.store, log.store, fault.Invalid)
	}
	if log.group < mark.group || log.position < mark.position {
		return fmt.Errorf("the log ends at position %d (group %d), but position %d (group %d) was acknowledged according to %s: "+
			"%d events are missing, restore a backup: %w",
			log.position, log.group, mark.position, mark.group, fileMarks, mark.position-min(log.position, mark.position), fault.Unavailable)
	}
	return nil
}

// create makes a new journal in an empty store. The store is named first, then
// its files, so that a crash in between can be told from a store that was lost.
func (j *Journal) create(format, marks []byte) (meta, uint64, error) {
	if format != nil || marks != nil {
		return meta{}, 0, fmt.Errorf("the store is empty, but %s or %s says that there was one: %q: %w", fileFormat, fileMarks, clip(format), fault.Unavailable)
	}
	it, err := j.db.NewIter(nil)
	if err != nil {
		return meta{}, 0, err
	}
	some := it.First()
	if err := it.Close(); err != nil {
		return meta{}, 0, err
	}
	if some {
		return meta{}, 0, fmt.Errorf("the store is not empty, but it is no journal: %w", fault.Invalid)
	}
	var m meta
	_, _ = rand.Read(m.store[:])
	if err := j.db.Set([]byte{tableMeta}, m.append(nil), pdb.Sync); err != nil {
		return m, 0, err
	}
	if err := createMarks(j.opt.FS, j.path(fileMarks), m); err != nil {
		return m, 0, err
	}
	return m, 1, writeFile(j.opt.FS, j.path(fileFormat), formatText(m.store))
}

// prepare opens the mark file, brings it up to the log and looks at the disk.
func (j *Journal) prepare(m meta, serial uint64) (err error) {
	if j.marks, err = openMarks(j.opt.FS, j.path(fileMarks), serial); err != nil {
		return err
	}
	if err := j.marks.write(m); err != nil {
		return errors.Join(err, j.marks.file.Close())
	}
	j.marked.Store(m.group)
	free := j.opt.DiskFree
	if free == nil {
		free = func() (uint64, uint64, error) {
			u, err := j.opt.FS.GetDiskUsage(j.dir)
			return u.AvailBytes, u.TotalBytes, err
		}
	}
	j.disk = &disk{
		fs: j.opt.FS, path: j.path(fileBallast), ballast: j.opt.Ballast,
		lowWater: j.opt.LowWater, free: free, log: j.log,
	}
	j.disk.look()
	if err := j.failure.err(); err != nil {
		return errors.Join(err, j.marks.file.Close())
	}
	j.failure.open.Store(true)
	return nil
}

// start starts the journal's goroutines. Close ends and awaits them.
func (j *Journal) start() {
	j.work.Go(func() { newCommitter(j).run() })
	j.work.Go(j.finish)
	j.work.Go(j.mark)
	j.work.Go(func() { j.disk.watch(j.closing) })
}

func formatText(store [16]byte) []byte {
	return []byte("flametree journal\nformat 1\nstore " + hex.EncodeToString(store[:]) + "\n")
}

// clip keeps an error short.
func clip(b []byte) []byte { return b[:min(len(b), 100)] }
