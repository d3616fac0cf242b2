// Package record spools recordings of calls to disk while the calls run: the
// caller left and the agent right, sealed from the first byte. One goroutine
// writes for all of them. The pacer only ever copies a frame into a bounded
// ring, so a slow disk costs frames (counted, and silent in the recording) but
// never a packet.
//
// A recording is flushed every 500 ms, each time as a sealed piece of its own,
// so what a killed process leaves behind can be opened up to its last flush;
// Recover closes it. Sound gives it back as a WAV file. No plain sound is ever
// written. Keys, naming and keeping recordings are others' business.
package record

import (
	"cmp"
	"crypto/cipher"
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
	held     = 100                    // frames that a ring takes while the disk is slow
	heldWide = 50                     // over 8 kHz, where they take as much memory
	longest  = 1<<32 - 1 - wav.HeaderSize
)

// File is where a recording goes; *os.File is one.
type File interface {
	io.WriterAt
	io.Closer
}

// Seal is what keeps a recording from other eyes.
type Seal struct {
	AEAD cipher.AEAD // of this recording alone: pieces are counted by their nonces
	Head []byte      // what Open is given to find AEAD again, at most 4 kB; written in the clear
	Name string      // of the recording's place: it opens under no other
}

// Spool owns the writing goroutine. All methods may be called from any
// goroutine.
type Spool struct {
	wake    chan struct{}
	quit    chan struct{}
	once    sync.Once
	running sync.WaitGroup
	buffers sync.Pool // of *[]byte, where pieces are sealed
	chunks  *sync.Pool

	mu    sync.Mutex
	tapes []*Tape
}

// New starts a Spool. Its goroutine ends with Close.
func New() *Spool {
	s := &Spool{wake: make(chan struct{}, 1), quit: make(chan struct{}), chunks: newChunks()}
	s.buffers.New = func() any {
		b := make([]byte, 0, pieceHead+pieceMost+tagSize)
		return &b
	}
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
func (s *Spool) Create(path string, rateHz int, seal Seal) (*Tape, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("record: %w: %w", fault.Conflict, err)
	case err != nil:
		return nil, fmt.Errorf("record: %w: %w", fault.Unavailable, err)
	}
	t, err := s.Use(path, f, rateHz, seal)
	if err != nil { // nothing was recorded, and the call may be tried again
		err = errors.Join(err, os.Remove(path))
	}
	return t, err
}

// Use begins a recording in an empty file, which the Tape closes. Path is only
// told on.
func (s *Spool) Use(path string, f File, rateHz int, seal Seal) (*Tape, error) {
	rateHz = cmp.Or(rateHz, pcm.WireHz)
	if rateHz < lowestHz || rateHz > highestHz || seal.AEAD == nil || len(seal.Head) > headMost {
		return nil, errors.Join(fmt.Errorf("record %s: rate of %d Hz, or no seal: %w", path, rateHz, fault.Invalid), f.Close())
	}
	size := pcm.Samples(pcm.FrameTime, rateHz) * channels * 2
	most := held
	if rateHz > pcm.WireHz {
		most = heldWide
	}
	t := &Tape{
		spool: s, path: path, file: f, rateHz: rateHz, frame: size,
		ring: newRing(size, most, s.chunks),
		due:  time.Now().Add(every), seal: newSealer(seal, rateHz),
	}
	if err := t.put(preamble(rateHz, seal.Head)); err != nil {
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
