package pebble

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"flametree/engine/fault"
)

// The high-water file says up to where the log was acknowledged. It has two
// slots of 4 kB, written in turn, so that a torn write leaves the older one.
const (
	markMagic = "FTMARK1\n"
	slotSize  = 4096
	slotCount = 2
	slotBody  = len(markMagic) + 16 + 8 + 8 + 8 // magic, store, serial, group, position
	slotSum   = 8
)

// markFile writes marks. One goroutine at a time may use it.
type markFile struct {
	file   vfs.File
	serial uint64
	slot   []byte
}

// putSlot fills a slot.
func putSlot(slot []byte, m meta, serial uint64) {
	clear(slot)
	b := append(slot[:0], markMagic...)
	b = append(b, m.store[:]...)
	b = binary.BigEndian.AppendUint64(b, serial)
	b = binary.BigEndian.AppendUint64(b, m.group)
	b = binary.BigEndian.AppendUint64(b, m.position)
	sum := sha256.Sum256(b)
	_ = append(b, sum[:slotSum]...)
}

// parseSlot reads a slot; ok is false when it is not whole.
func parseSlot(slot []byte) (m meta, serial uint64, ok bool) {
	if len(slot) < slotBody+slotSum || string(slot[:len(markMagic)]) != markMagic {
		return m, 0, false
	}
	sum := sha256.Sum256(slot[:slotBody])
	if string(slot[slotBody:slotBody+slotSum]) != string(sum[:slotSum]) {
		return m, 0, false
	}
	b := slot[len(markMagic):]
	m = meta{store: [16]byte(b), group: binary.BigEndian.Uint64(b[24:]), position: binary.BigEndian.Uint64(b[32:])}
	return m, binary.BigEndian.Uint64(b[16:]), true
}

// parseMarks finds the newest whole slot. The error says what is wrong.
func parseMarks(b []byte) (m meta, serial uint64, err error) {
	found := false
	for i := range slotCount {
		if len(b) < (i+1)*slotSize {
			break
		}
		one, s, ok := parseSlot(b[i*slotSize : (i+1)*slotSize])
		if ok && (!found || s > serial) {
			m, serial, found = one, s, true
		}
	}
	if !found {
		return m, 0, fmt.Errorf("neither of its two marks is whole (%d bytes): %w", len(b), fault.Invalid)
	}
	return m, serial, nil
}

// readFile reads a small file; a missing one is nil without an error.
func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if oserror.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return b, errors.Join(err, f.Close())
}

// writeFile makes a small file whole and durable, or leaves what was there.
func writeFile(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.Clone(b)) // which may change what it is given
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(path))
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// createMarks makes the file with m in both slots.
func createMarks(fs vfs.FS, path string, m meta) error {
	b := make([]byte, slotCount*slotSize)
	for i := range slotCount {
		putSlot(b[i*slotSize:(i+1)*slotSize], m, uint64(i))
	}
	return writeFile(fs, path, b)
}

// openMarks opens the file to go on behind serial.
func openMarks(fs vfs.FS, path string, serial uint64) (*markFile, error) {
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &markFile{file: f, serial: serial, slot: make([]byte, slotSize)}, nil
}

// write makes m the newest mark, durably.
func (f *markFile) write(m meta) error {
	f.serial++
	putSlot(f.slot, m, f.serial)
	if _, err := f.file.WriteAt(f.slot, int64(f.serial%slotCount)*slotSize); err != nil {
		return fmt.Errorf("high-water file: %w", err)
	}
	if err := f.file.SyncData(); err != nil {
		return fmt.Errorf("high-water file: %w", err)
	}
	return nil
}
