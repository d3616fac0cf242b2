package pebble

import (
	"context"
	"fmt"

	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/vault"
)

// Checkpoint makes a journal in dir that holds everything acknowledged before
// the call, and perhaps more. It takes little room as long as dir is on the
// same volume: what does not change any more is linked, not copied. Dir must
// not hold a journal. Open reads it; it needs the same master key.
func (j *Journal) Checkpoint(dir string) error {
	if !j.readers.enter() {
		return errClosed
	}
	defer j.readers.leave()
	fs, m := j.opt.FS, *j.durable.Load()
	if old, err := readFile(fs, fs.PathJoin(dir, fileFormat)); err != nil || old != nil {
		return fmt.Errorf("journal: checkpoint: %s holds a journal already: %w", dir, fault.Conflict)
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	if err := j.db.Checkpoint(fs.PathJoin(dir, folderStore)); err != nil {
		return fmt.Errorf("journal: checkpoint: %w: %w", err, fault.Unavailable)
	}
	if err := createMarks(fs, fs.PathJoin(dir, fileMarks), m); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	if err := writeFile(fs, fs.PathJoin(dir, fileFormat), formatText(j.store)); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	return nil
}

// PersonKey finds the key of one of a tenant's people, for files about them
// such as recordings; ok is false when none was ever needed or the person was
// forgotten. Append makes keys: the first event with private text does.
func (j *Journal) PersonKey(_ context.Context, t tenant.ID, subject string) (k vault.Key, ok bool, err error) {
	if !j.readers.enter() {
		return k, false, errClosed
	}
	defer j.readers.leave()
	p, err := j.keys.load(t, subject)
	if err != nil || p == nil {
		return k, false, err
	}
	return p.key, true, nil
}
