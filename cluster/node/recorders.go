package node

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/media/record"
	"flametree/persist/blob"
	"flametree/persist/vault"
)

// recorders spools recordings to DIR/spool, sealed for the person from the
// first byte, and makes finished ones blobs.
type recorders struct{ n *Node }

var _ actors.Recorders = recorders{}

// spooled is how the name of a spool ends.
const spooled = ".tape"

func (r recorders) spool(call string) string {
	return filepath.Join(r.n.cfg.Data, "spool", call+spooled)
}

// Open implements actors.Recorders.
func (r recorders) Open(ctx context.Context, of actors.ID, subject string, rateHz int) (actors.Recorder, error) {
	key, err := personKey(ctx, r.n.journal, of.Tenant, subject)
	if err != nil {
		return nil, err
	}
	file, head := vault.FileKey(key, sealName(of))
	t, err := r.n.spools.Create(r.spool(of.Name), rateHz, record.Seal{AEAD: file, Head: head, Name: sealName(of)})
	if err != nil {
		return nil, err // not t: a nil Tape is no nil Recorder
	}
	return t, nil
}

// Keep implements actors.Recorders. Until Done the spool stays beside the blob,
// so that after a crash the journal learns of it all the same.
func (r recorders) Keep(ctx context.Context, of actors.ID, subject string, rec actors.Recording) (actors.Kept, error) {
	key, err := personKey(ctx, r.n.journal, of.Tenant, subject)
	if errors.Is(err, fault.NotFound) { // erased meanwhile: nobody can ever open it
		return actors.Kept{}, errors.Join(err, os.Remove(rec.Path))
	}
	if err != nil {
		return actors.Kept{}, err
	}
	if rec.Dropped > 0 {
		r.n.log.Warn("frames of a recording were lost: the disk is slow or was full", "frames", rec.Dropped, "call", of.Name)
	}
	var kept actors.Kept
	if kept.Blob, err = r.n.blobs.Adopt(rec.Path, rec.SHA256); err != nil {
		return actors.Kept{}, err
	}
	if kept.Peaks, err = keepPeaks(r.n.blobs, key, of, rec.Peaks); err != nil { // the sound is worth more than its picture
		r.n.log.Warn("outline of a recording not kept", "err", err, "call", of.Name)
	}
	kept.Done = func() {
		if err := os.Remove(rec.Path); err != nil {
			r.n.log.Warn("spool not removed", "err", err, "call", of.Name)
		}
	}
	return kept, nil
}

// keepPeaks seals an outline beside its recording.
func keepPeaks(blobs *blob.Store, key vault.Key, of actors.ID, p *actors.Peaks) (string, error) {
	if p == nil {
		return "", nil
	}
	text, err := json.Marshal(peaksOf(p))
	if err != nil {
		return "", fmt.Errorf("outline: %w: %w", fault.Bug, err)
	}
	return blobs.Put(func(w io.Writer) error {
		_, err := vault.SealFile(w, bytes.NewReader(text), key, peaksName(of))
		return err
	})
}

// sealName binds a sealed recording to its call, peaksName its outline.
func sealName(of actors.ID) string  { return "call/" + of.Identity() }
func peaksName(of actors.ID) string { return "peaks/" + of.Identity() }

// keyring finds the keys of people; the journal is one.
type keyring interface {
	PersonKey(ctx context.Context, t tenant.ID, subject string) (k vault.Key, ok bool, err error)
}

// personKey is the key of a person, fault.NotFound when it is gone.
func personKey(ctx context.Context, keys keyring, t tenant.ID, subject string) (vault.Key, error) {
	key, ok, err := keys.PersonKey(ctx, t, subject)
	if err == nil && !ok {
		err = fmt.Errorf("the person's key is gone: %w", fault.NotFound)
	}
	return key, err
}

// unlocks opens what FileKey sealed for a call.
func unlocks(key vault.Key, of actors.ID) record.Unlock {
	return func(head []byte) (cipher.AEAD, error) { return vault.OpenFileKey(key, sealName(of), head) }
}

// recoverSpools closes recordings that a crash cut off and tells so in the
// journal of their calls. One that was tampered with stays where it is.
func (n *Node) recoverSpools(ctx context.Context) error {
	found, err := os.ReadDir(filepath.Join(n.cfg.Data, "spool"))
	if err != nil {
		return fmt.Errorf("spool: %w: %w", fault.Unavailable, err)
	}
	for _, f := range found {
		call, ours := strings.CutSuffix(f.Name(), spooled)
		if !ours {
			n.log.Warn("not a recording of ours, left alone", "file", filepath.Join("spool", f.Name()))
			continue
		}
		if err := n.recoverSpool(ctx, call); err != nil {
			n.log.Error("cut recording not kept", "err", err, "call", call)
		}
	}
	return nil
}

// begun reports whether the journal knows a stream.
func (n *Node) begun(ctx context.Context, s event.Stream) (bool, error) {
	for _, err := range n.journal.Read(ctx, s, 1) {
		return err == nil, err
	}
	return false, nil
}

func (n *Node) recoverSpool(ctx context.Context, call string) error {
	path := recorders{n}.spool(call)
	s, ok := n.model.OfCall(call)
	if !ok || s.Recording != "" {
		return os.Remove(path) // of a call that was never committed, or the journal knows it already
	}
	id := actors.ID{Kind: event.CallStream, Tenant: s.Tenant, Name: call}
	if offered, err := n.begun(ctx, id.Stream()); err != nil {
		return err
	} else if !offered { // its session was committed, the call was not: nobody was told 200
		return os.Remove(path)
	}
	key, err := personKey(ctx, n.journal, s.Tenant, s.ID)
	if errors.Is(err, fault.NotFound) {
		return errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return err
	}
	rec, err := record.Recover(path, sealName(id), unlocks(key, id))
	if errors.Is(err, fault.NotFound) { // it had not begun
		return os.Remove(path)
	}
	if err != nil {
		return err
	}
	rec.Cut = true // also where only its end was not told
	kept, err := recorders{n}.Keep(ctx, id, s.ID, rec)
	if err != nil {
		return err
	}
	if err := actors.Close(ctx, n.journal, id, []event.Event{kept.Closed(rec)}); err != nil {
		return err
	}
	kept.Done()
	return nil
}
