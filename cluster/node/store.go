package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/record"
	"flametree/persist/blob"
	"flametree/persist/journal/pebble"
	"flametree/persist/vault"
)

// OpenJournal opens the journal of a data folder. Only one process may.
func OpenJournal(c config.Config, log *slog.Logger, fatal func(error)) (*pebble.Journal, error) {
	v, err := vault.Open(filepath.Join(c.Data, "keys", "master.key"))
	if err != nil {
		return nil, err
	}
	return pebble.Open(filepath.Join(c.Data, "journal"), pebble.Options{
		Vault: v, LowWater: lowWater(c), Ballast: c.Ballast, Log: log, Fatal: fatal,
	})
}

// OpenCopy opens a checkpoint of the journal with the keys of its data folder.
func OpenCopy(c config.Config, dir string, log *slog.Logger) (*pebble.Journal, error) {
	v, err := vault.Open(filepath.Join(c.Data, "keys", "master.key"))
	if err != nil {
		return nil, err
	}
	return pebble.Open(dir, pebble.Options{Vault: v, LowWater: 1, Log: log})
}

func openBlobs(n *Node) (*blob.Store, error) { return blob.Open(filepath.Join(n.cfg.Data, "blob")) }

// recorders spools recordings to DIR/spool and keeps finished ones sealed in DIR/blob.
type recorders struct{ n *Node }

var _ actors.Recorders = recorders{}

func (r recorders) spool(call string) string {
	return filepath.Join(r.n.cfg.Data, "spool", call+".wav")
}

// Open implements actors.Recorders.
func (r recorders) Open(call string, rateHz int) (actors.Recorder, error) {
	return r.n.spools.Create(r.spool(call), rateHz)
}

// Keep implements actors.Recorders.
func (r recorders) Keep(ctx context.Context, of actors.ID, subject string, rec actors.Recording) (string, error) {
	key, ok, err := r.n.journal.PersonKey(ctx, of.Tenant, subject)
	if err == nil && !ok {
		err = fmt.Errorf("the person's key is gone: %w", fault.NotFound)
	}
	if err != nil {
		return "", err
	}
	f, err := os.Open(rec.Path)
	if err != nil {
		return "", fmt.Errorf("recording: %w: %w", fault.Unavailable, err)
	}
	name, err := r.n.blobs.Put(func(w io.Writer) error {
		_, err := vault.SealFile(w, f, key, sealName(of))
		return err
	})
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return name, os.Remove(rec.Path)
}

// sealName binds a sealed recording to its call.
func sealName(of actors.ID) string { return "call/" + of.Identity() }

// Recording opens a kept recording; the caller closes it.
func (n *Node) Recording(ctx context.Context, call actors.ID, subject, name string) (io.Reader, io.Closer, error) {
	key, ok, err := n.journal.PersonKey(ctx, call.Tenant, subject)
	if err == nil && !ok {
		err = fmt.Errorf("recording is erased: %w", fault.NotFound)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := n.blobs.Get(name)
	if err != nil {
		return nil, nil, err
	}
	r, err := vault.OpenFile(f, key, sealName(call))
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return r, f, nil
}

// recoverSpools closes recordings that a crash cut off and tells so in the
// journal of their calls.
func (n *Node) recoverSpools(ctx context.Context) error {
	found, err := filepath.Glob(filepath.Join(n.cfg.Data, "spool", "*.wav"))
	if err != nil {
		return err
	}
	for _, path := range found {
		call := strings.TrimSuffix(filepath.Base(path), ".wav")
		if err := n.recoverSpool(ctx, path, call); err != nil {
			n.log.Error("cut recording not kept", "err", err, "call", call)
		}
	}
	return nil
}

func (n *Node) recoverSpool(ctx context.Context, path, call string) error {
	s, ok := n.model.OfCall(call)
	if !ok {
		return os.Remove(path) // of a call that was never committed
	}
	rec, err := record.Recover(path)
	if err != nil {
		return err
	}
	id := actors.ID{Kind: event.CallStream, Tenant: s.Tenant, Name: call}
	blob, err := recorders{n}.Keep(ctx, id, s.ID, rec)
	if err != nil {
		return err
	}
	return actors.Close(ctx, n.journal, id, []event.Event{
		event.RecordingClosed{
			Blob: blob, RateHz: uint32(rec.RateHz), Length: rec.Length, Bytes: uint64(rec.Bytes), Cut: true,
		},
	})
}
