package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/persist/vault"
)

// Captures of calls lie sealed for the person in DIR/capture and are deleted
// when their time is over, also by the next process. While one is taken it lies
// in memory; a process that ends loses it.
//
// What is not in a capture: telephone events, whose digits may be those of a
// card, on both ways and also when sealed; the digits of SIP INFO; the bodies
// and headers of SIP that hold credentials; and every packet while the call is
// in a sensitive state or its recording is paused. Tones in the sound itself
// are in it, as they are in a recording: states in which cards are asked for
// have to be sensitive. A sealed call is captured as it is on the wire.
const (
	captureMost  = 64 << 20 // bytes of one in memory
	captureFor   = time.Minute
	captureLong  = 30 * time.Minute
	captureKept  = time.Hour
	captureSpan  = 24 * time.Hour
	captureCheck = time.Minute // between two looks for what has expired
)

// CaptureForm asks for the packets of a call.
type CaptureForm struct {
	By   string        `json:"by"`
	For  time.Duration `json:"for"`  // 0 = a minute
	Keep time.Duration `json:"keep"` // 0 = an hour; a day at most
}

// CaptureTaken says when a capture will be there, and until when.
type CaptureTaken struct {
	Session string    `json:"session"`
	Ready   time.Time `json:"ready"`
	Until   time.Time `json:"until"`
}

func (n *Node) captureDir() string { return filepath.Join(n.cfg.Data, "capture") }

// taking is a capture under way.
type taking struct {
	mu     sync.Mutex
	frames []taken
	bytes  int
	full   bool
	over   bool
}

type taken struct {
	at    time.Time
	frame []byte
}

func (t *taking) take(p actors.Packet) {
	frame := datagram(p.From, p.To, p.Raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	if frame == nil || t.over {
		return
	}
	if t.bytes += len(frame); t.bytes > captureMost {
		t.full = true
		return
	}
	t.frames = append(t.frames, taken{p.At, frame})
}

// file is the capture as pcap, with the signalling among the packets.
func (t *taking) file(signals []actors.Signal) io.Reader {
	t.mu.Lock()
	t.over = true
	all := t.frames
	t.mu.Unlock()
	for _, s := range signals {
		if frame := datagram(s.From, s.To, []byte(s.Text)); frame != nil {
			all = append(all, taken{s.At, frame})
		}
	}
	slices.SortStableFunc(all, func(a, b taken) int { return a.at.Compare(b.at) })
	var b bytes.Buffer
	b.Write(pcapHeader())
	for _, f := range all {
		_ = writePcap(&b, f.at, f.frame) // a buffer takes all
	}
	return &b
}

// CallCapture begins to capture a running call. The file is there when its time
// or the call is over.
func (n *Node) CallCapture(ctx context.Context, id string, f CaptureForm) (CaptureTaken, error) {
	if f.For == 0 {
		f.For = captureFor
	}
	if f.Keep == 0 {
		f.Keep = captureKept
	}
	switch {
	case f.For < time.Second || f.For > captureLong:
		return CaptureTaken{}, fmt.Errorf("capture for %v: want 1s to %v: %w", f.For, captureLong, fault.Invalid)
	case f.Keep < time.Minute || f.Keep > captureSpan:
		return CaptureTaken{}, fmt.Errorf("keep a capture for %v: want 1m to %v: %w", f.Keep, captureSpan, fault.Invalid)
	}
	s, err := n.running(ctx, id)
	if err != nil {
		return CaptureTaken{}, err
	}
	key, ok, err := n.journal.PersonKey(ctx, s.Tenant, s.ID)
	if err == nil && !ok {
		err = fmt.Errorf("the person's key is gone: %w", fault.NotFound)
	}
	if err != nil {
		return CaptureTaken{}, err
	}
	t := new(taking)
	until := time.Now().Add(f.For + f.Keep)
	done := func(signals []actors.Signal) {
		n.done.Go(func() {
			if t.full {
				n.log.Warn("capture full: what came later is not in it", "session", s.ID)
			}
			if err := n.keepCapture(s.ID, until, key, t.file(signals)); err != nil {
				n.log.Error("capture not kept", "err", err, "session", s.ID)
			}
		})
	}
	_, err = ask[*actors.Capturing](ctx, n.dir, callOf(s), &actors.Capture{By: f.By, For: f.For, Kept: f.Keep, Take: t.take, Done: done})
	return CaptureTaken{Session: s.ID, Ready: time.Now().Add(f.For), Until: until}, err
}

// captureName binds a sealed capture to its session.
func captureName(session string) string { return "capture/" + session }

// keepCapture seals a capture under a name that says when it expires.
func (n *Node) keepCapture(session string, until time.Time, key vault.Key, pcap io.Reader) error {
	path := filepath.Join(n.captureDir(), fmt.Sprintf("%s.%d.%d", session, until.Unix(), time.Now().UnixNano()))
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // ids of ours in a folder of ours
	if err != nil {
		return fmt.Errorf("capture: %w: %w", fault.Unavailable, err)
	}
	_, err = vault.SealFile(f, pcap, key, captureName(session))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".part", path) //nolint:gosec // ids of ours in a folder of ours
	}
	if err != nil {
		_ = os.Remove(path + ".part") //nolint:gosec // ids of ours in a folder of ours
	}
	return err
}

// captured is a kept capture by its file name.
type captured struct {
	path    string
	session string
	until   time.Time
	at      int64
}

func readCaptured(path string) (captured, bool) {
	part := strings.Split(filepath.Base(path), ".")
	if len(part) != 3 {
		return captured{}, false
	}
	until, err := strconv.ParseInt(part[1], 10, 64)
	at, err2 := strconv.ParseInt(part[2], 10, 64)
	return captured{path: path, session: part[0], until: time.Unix(until, 0), at: at}, err == nil && err2 == nil
}

// CaptureGet opens the newest capture of a call; the caller closes it.
func (n *Node) CaptureGet(ctx context.Context, id string) (io.Reader, io.Closer, error) {
	s, err := n.call(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	n.expireCaptures(time.Now())
	files, err := filepath.Glob(filepath.Join(n.captureDir(), s.ID+".*"))
	if err != nil {
		return nil, nil, err
	}
	var newest captured
	for _, path := range files {
		if c, ok := readCaptured(path); ok && c.at > newest.at {
			newest = c
		}
	}
	if newest.path == "" {
		return nil, nil, fmt.Errorf("no capture of call %q: it was not asked for, is not ready or has expired: %w", id, fault.NotFound)
	}
	key, ok, err := n.journal.PersonKey(ctx, s.Tenant, s.ID)
	if err == nil && !ok {
		err = fmt.Errorf("the capture is erased: %w", fault.NotFound)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(newest.path)
	if err != nil {
		return nil, nil, fmt.Errorf("capture: %w: %w", fault.Unavailable, err)
	}
	r, err := vault.OpenFile(f, key, captureName(s.ID))
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return r, f, nil
}

// startCaptures deletes what has expired, now and from now on.
func (n *Node) startCaptures() error {
	if err := os.MkdirAll(n.captureDir(), 0o700); err != nil {
		return fmt.Errorf("captures: %w: %w", fault.Unavailable, err)
	}
	parts, _ := filepath.Glob(filepath.Join(n.captureDir(), "*.part"))
	for _, path := range parts { // the process ended in the middle of one
		_ = os.Remove(path)
	}
	n.expireCaptures(time.Now())
	n.done.Go(func() {
		tick := time.NewTicker(captureCheck)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				n.expireCaptures(now)
			case <-n.life.Done():
				return
			}
		}
	})
	return nil
}

func (n *Node) expireCaptures(now time.Time) {
	files, _ := filepath.Glob(filepath.Join(n.captureDir(), "*"))
	for _, path := range files {
		if c, ok := readCaptured(path); ok && !now.Before(c.until) {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				n.log.Error("expired capture not deleted", "err", err, "session", c.session)
			}
		}
	}
}
