package record

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/wav"
)

// Tape is one recording. Frame is called by one goroutine, the pacer's; Close
// by any.
type Tape struct {
	spool  *Spool
	path   string
	file   File
	rateHz int
	frame  int       // bytes of one stereo frame
	due    time.Time // the spool's own

	mu         sync.Mutex
	ring       []byte
	gaps       []int64 // silent frames before each frame of the ring
	head, tail int64   // frames put in and written, ever
	owed       int64   // frames lost since the last that was put in
	dropped    int
	closed     bool

	writing sync.Mutex // one flush at a time
	data    int64      // bytes of samples in the file

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
	frames := int64(len(t.gaps))
	if t.head-t.tail == frames {
		t.owed++
		t.dropped++
		return
	}
	at := int(t.head % frames)
	t.gaps[at], t.owed = t.owed, 0
	out := t.ring[at*t.frame:][:t.frame]
	put(out, left)
	put(out[2:], right)
	t.head++
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

// flush writes what the ring holds, then the header.
func (t *Tape) flush() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	return t.drain()
}

func (t *Tape) drain() error {
	t.mu.Lock()
	from, to := t.tail, t.head
	t.mu.Unlock()
	if from == to {
		return nil
	}
	// Slots from tail to head are not touched by Frame until tail moves.
	frames := int64(len(t.gaps))
	for from < to {
		n := int64(1)
		for from+n < to && (from+n)%frames != 0 && t.gaps[(from+n)%frames] == 0 {
			n++
		}
		at := int(from % frames)
		gap := t.gaps[at] * int64(t.frame)
		if t.data+gap+n*int64(t.frame) > longest {
			return fmt.Errorf("record %s: 4 GB are full: %w", t.path, fault.Exhausted)
		}
		if _, err := t.file.WriteAt(t.ring[at*t.frame:][:int(n)*t.frame], wav.HeaderSize+t.data+gap); err != nil {
			return fmt.Errorf("record %s: write at %d: %w: %w", t.path, t.data, fault.Unavailable, err)
		}
		t.data += gap + n*int64(t.frame)
		from += n
		t.mu.Lock()
		t.tail = from
		t.mu.Unlock()
	}
	return t.header()
}

// header comes after the samples it counts: a file cut between the two is
// short by a flush, and valid.
func (t *Tape) header() error {
	h := wav.Header(t.rateHz, channels, t.data)
	if _, err := t.file.WriteAt(h[:], 0); err != nil {
		return fmt.Errorf("record %s: header: %w: %w", t.path, fault.Unavailable, err)
	}
	return nil
}

// Close implements actors.Recorder. It writes the rest, makes it durable where
// the file can, and hashes the whole file. It may be called twice.
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
	if err == nil && t.owed > 0 {
		err = t.silence()
	}
	if f, ok := t.file.(interface{ Sync() error }); ok && err == nil {
		if err = f.Sync(); err != nil {
			err = fmt.Errorf("record %s: sync: %w: %w", t.path, fault.Unavailable, err)
		}
	}
	// What could not be written is lost, and counted as such.
	t.dropped += int(t.head - t.tail)
	out, hashErr := describe(t.path, t.file, t.rateHz, t.data)
	out.Dropped = t.dropped
	return out, errors.Join(err, hashErr, t.file.Close())
}

// silence stands for frames lost at the very end.
func (t *Tape) silence() error {
	end := t.data + t.owed*int64(t.frame)
	if _, err := t.file.WriteAt(make([]byte, t.frame), wav.HeaderSize+end-int64(t.frame)); err != nil {
		return fmt.Errorf("record %s: write at %d: %w: %w", t.path, end, fault.Unavailable, err)
	}
	t.data = end
	return t.header()
}

// describe hashes the file's header and so many bytes of samples.
func describe(path string, f io.ReaderAt, rateHz int, data int64) (actors.Recording, error) {
	out := actors.Recording{
		Path:   path,
		Bytes:  wav.HeaderSize + data,
		RateHz: rateHz,
		Length: pcm.Length(data/(2*channels), rateHz),
	}
	h := sha256.New()
	n, err := io.Copy(h, io.NewSectionReader(f, 0, out.Bytes))
	if err == nil && n != out.Bytes {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return out, fmt.Errorf("record %s: read back: %w: %w", path, fault.Unavailable, err)
	}
	h.Sum(out.SHA256[:0])
	return out, nil
}
