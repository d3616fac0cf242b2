package record

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/wav"
)

// Tape is one recording. Frame is called by one goroutine, the pacer's; Pause
// and Close by any.
type Tape struct {
	spool  *Spool
	path   string
	file   File
	rateHz int
	frame  int       // bytes of one stereo frame
	due    time.Time // the spool's own

	mu         sync.Mutex
	ring       ring
	head, tail int64 // frames put in and written, ever
	owed       slot  // what was lost since the last that was put in
	dropped    int
	paused     bool
	closed     bool

	writing sync.Mutex // one flush at a time
	seal    *sealer
	off     int64  // bytes of the file
	pieces  uint64 // in the file
	data    int64  // bytes of samples in the file, silence included
	resting int64  // frames of data in which nothing was to be recorded
	again   int64  // frames of the piece that could not be written: it is sealed again as it was
	outline meter
	sum     hash.Hash

	once   sync.Once
	result actors.Recording
	err    error
}

// Frame implements actors.Recorder: it copies both sides into the ring and
// returns. Samples beyond 20 ms are left out, what is missing is silence.
func (t *Tape) Frame(left, right []int16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if t.paused {
		left, right = nil, nil
		t.owed.paused++
	}
	if t.head-t.tail == t.ring.frames() {
		t.owed.gap++
		t.dropped++
		return
	}
	*t.ring.slot(t.head), t.owed = t.owed, slot{}
	out := t.ring.room(t.head)
	put(out, left)
	put(out[2:], right)
	t.head++
}

// Pause implements actors.Recorder.
func (t *Tape) Pause(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused = on
}

// put writes one channel's samples into every second place.
func put(out []byte, side []int16) {
	const step = 2 * channels
	n := 0
	for ; n < len(side) && n*step < len(out); n++ {
		binary.LittleEndian.PutUint16(out[n*step:], uint16(side[n]))
	}
	for ; n*step < len(out); n++ {
		out[n*step], out[n*step+1] = 0, 0
	}
}

// flush seals and writes what the ring holds.
func (t *Tape) flush() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	return t.drain()
}

func (t *Tape) drain() error {
	t.mu.Lock()
	from, to, r := t.tail, t.head, t.ring
	t.mu.Unlock()
	for from < to {
		// Frames from tail to head are not touched by Frame until tail moves.
		n, err := t.piece(r, from, to)
		if err != nil {
			return err
		}
		t.mu.Lock()
		r.release(from, from+n)
		from += n
		t.tail = from
		t.mu.Unlock()
	}
	return nil
}

// piece writes one piece of the frames from from on, and says how many it took.
func (t *Tape) piece(r ring, from, to int64) (int64, error) {
	if t.again == 0 {
		t.again = r.stretch(from, min(to, from+int64(pieceMost/t.frame)))
	}
	// The nonce of this piece is spent now: if it cannot be written, the next try
	// seals the same bytes.
	n, gap := t.again, r.slot(from).gap
	p := piece{size: int(n) * t.frame, kind: kindSound, at: t.data + gap*int64(t.frame)}
	for i := range n {
		p.paused += int(r.slot(from + i).paused)
	}
	if p.end() > longest {
		return 0, fmt.Errorf("record %s: 4 GB are full: %w", t.path, fault.Exhausted)
	}
	if err := t.write(p, r, from, n); err != nil {
		return 0, err
	}
	t.again, t.data, t.resting = 0, p.end(), t.resting+int64(p.paused)
	t.outline.silence(gap)
	for i := range n {
		t.outline.frame(r.samples(from + i))
	}
	return n, nil
}

// write seals a piece of n frames and puts it at the end of the file. It is
// sealed where it was gathered, behind the room for its header.
func (t *Tape) write(p piece, r ring, from, n int64) error {
	b, _ := t.spool.buffers.Get().(*[]byte)
	defer t.spool.buffers.Put(b)
	samples := r.gather((*b)[:pieceHead], from, n)[pieceHead:]
	*b = t.seal.seal((*b)[:0], t.pieces, p, samples)
	if err := t.put(*b); err != nil {
		return err
	}
	t.pieces++
	return nil
}

// put writes bytes at the end of the file. What could be written of them only
// in part is written over by the next.
func (t *Tape) put(b []byte) error {
	if _, err := t.file.WriteAt(b, t.off); err != nil {
		return fmt.Errorf("record %s: write at %d: %w: %w", t.path, t.off, fault.Unavailable, err)
	}
	if t.sum == nil {
		t.sum = sha256.New()
	}
	_, _ = t.sum.Write(b) // a hash never fails
	t.off += int64(len(b))
	return nil
}

// Close implements actors.Recorder. It writes the rest and makes it durable
// where the file can. It may be called twice.
func (t *Tape) Close() (actors.Recording, error) {
	t.once.Do(func() {
		t.spool.forget(t)
		t.mu.Lock()
		t.closed = true
		t.mu.Unlock()
		t.writing.Lock()
		defer t.writing.Unlock()
		t.result, t.err = t.finish()
	})
	return t.result, t.err
}

func (t *Tape) finish() (actors.Recording, error) {
	err := t.drain()
	if err == nil {
		// What was lost at the very end is silence, too.
		p := piece{kind: kindEnd, at: t.data + t.owed.gap*int64(t.frame), paused: int(t.owed.paused)}
		if err = t.write(p, ring{}, 0, 0); err == nil {
			t.data, t.resting = p.at, t.resting+t.owed.paused
			t.outline.silence(t.owed.gap)
		}
	}
	if f, ok := t.file.(interface{ Sync() error }); ok && err == nil {
		if err = f.Sync(); err != nil {
			err = fmt.Errorf("record %s: sync: %w: %w", t.path, fault.Unavailable, err)
		}
	}
	// What could not be written is lost, and counted as such.
	t.dropped += int(t.head - t.tail)
	out := describe(t.path, t.rateHz, t.data)
	out.Dropped, out.Paused, out.Peaks = t.dropped, time.Duration(t.resting)*pcm.FrameTime, t.outline.finish()
	t.sum.Sum(out.SHA256[:0])
	t.mu.Lock()
	t.tail, t.ring = t.head, ring{}
	t.mu.Unlock()
	return out, errors.Join(err, t.file.Close())
}

// describe is a recording with so many bytes of samples.
func describe(path string, rateHz int, data int64) actors.Recording {
	return actors.Recording{
		Path: path, Bytes: wav.HeaderSize + data, RateHz: rateHz, Length: pcm.Length(data/(2*channels), rateHz),
	}
}
