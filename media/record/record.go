// Package record spools recordings of calls to disk while the calls run: stereo
// WAV, 16 bits, the caller left and the agent right. One goroutine writes for
// all of them. The pacer only ever copies a frame into a bounded ring, so a
// slow disk costs frames (counted, and silent in the file) but never a packet.
//
// The file's header is right after each flush, every 500 ms, so what a killed
// process leaves behind is a playable file; Recover closes it. Sealing, naming
// and keeping recordings is persist/blob's business.
package record

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/wav"
)

const (
	channels = 2
	every    = 500 * time.Millisecond // between two flushes of one recording
	held     = 2 * time.Second        // of sound the ring takes while the disk is slow
	longest  = 1<<32 - 1 - wav.HeaderSize
)

// File is where a recording goes; *os.File is one. Bytes that were never
// written before the end read as zero.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// Spool owns the writing goroutine. All methods may be called from any
// goroutine.
type Spool struct {
	wake    chan struct{}
	quit    chan struct{}
	once    sync.Once
	running sync.WaitGroup

	mu    sync.Mutex
	tapes []*Tape
}

// New starts a Spool. Its goroutine ends with Close.
func New() *Spool {
	s := &Spool{wake: make(chan struct{}, 1), quit: make(chan struct{})}
	s.running.Go(s.run)
	return s
}

// Close ends the goroutine and waits for it. Recordings that are still open
// flush no more on their own; their own Close still works.
func (s *Spool) Close() error {
	s.once.Do(func() { close(s.quit) })
	s.running.Wait()
	return nil
}

// Create begins a recording in a new file at rateHz, 0 meaning 8000. It fails
// with fault.Conflict if the file is there already: a recording is never
// written over.
func (s *Spool) Create(path string, rateHz int) (*Tape, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("record: %w: %w", fault.Conflict, err)
	case err != nil:
		return nil, fmt.Errorf("record: %w: %w", fault.Unavailable, err)
	}
	return s.Use(path, f, rateHz)
}

// Use begins a recording in an empty file, which the Tape closes. Path is only
// told on.
func (s *Spool) Use(path string, f File, rateHz int) (*Tape, error) {
	rateHz = cmp.Or(rateHz, pcm.WireHz)
	size := pcm.Samples(pcm.FrameTime, rateHz) * channels * 2
	if rateHz < pcm.WireHz || rateHz > 48000 {
		return nil, errors.Join(fmt.Errorf("record %s: rate of %d Hz: %w", path, rateHz, fault.Invalid), f.Close())
	}
	frames := int(held / pcm.FrameTime)
	t := &Tape{
		spool: s, path: path, file: f, rateHz: rateHz, frame: size,
		ring: make([]byte, frames*size), gaps: make([]int64, frames),
		due: time.Now().Add(every),
	}
	if err := t.header(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.mu.Lock()
	s.tapes = append(s.tapes, t)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return t, nil
}

// run flushes each recording when it is due. Recordings begin at different
// times, so their flushes do not come in one heap.
func (s *Spool) run() {
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		timer.Reset(s.pass(time.Now()))
		select {
		case <-timer.C:
		case <-s.wake:
		case <-s.quit:
			return
		}
	}
}

// pass flushes what is due and says how long to wait for the next.
func (s *Spool) pass(now time.Time) time.Duration {
	wait := time.Hour // nothing is open; wake says when something is
	s.mu.Lock()
	tapes := append([]*Tape(nil), s.tapes...)
	s.mu.Unlock()
	for _, t := range tapes {
		if !now.Before(t.due) {
			// An error is kept by the tape: the ring holds what could not be
			// written, the next flush tries again, and Close tells.
			_ = t.flush()
			t.due = now.Add(every)
		}
		wait = min(wait, t.due.Sub(now))
	}
	return wait
}

func (s *Spool) forget(t *Tape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.tapes {
		if s.tapes[i] == t {
			s.tapes = append(s.tapes[:i], s.tapes[i+1:]...)
			return
		}
	}
}

var _ actors.Recorder = (*Tape)(nil)
