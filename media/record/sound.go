package record

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sort"
	"time"

	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/wav"
)

// Unlock finds the key of a recording by the head that its Seal gave it.
type Unlock func(head []byte) (cipher.AEAD, error)

// Sound is a sealed recording as the WAV file that it stands for: 16 bits,
// stereo. It opens what is read of it and keeps one piece in memory; nothing of
// it is written anywhere. It belongs to one goroutine.
type Sound struct {
	src    io.ReaderAt
	seal   *sealer
	table  *table
	header [wav.HeaderSize]byte
	data   int64
	pos    int64

	have   int // piece whose samples are plain; -1 = none
	sealed []byte
	plain  []byte
}

var _ io.ReadSeeker = (*Sound)(nil)

// Open reads a finished recording of size bytes. It fails with fault.Invalid
// when it is none, was cut off, does not bear this name, or has another key;
// Read does when it comes to a piece that was changed.
func Open(src io.ReaderAt, size int64, name string, unlock Unlock) (*Sound, error) {
	t, err := readTable(src, size)
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	s, err := open(src, t, name, unlock)
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	if !t.whole {
		return nil, fmt.Errorf("open recording: it is cut off behind piece %d: %w", len(t.pieces), fault.Invalid)
	}
	last := len(t.pieces) - 1
	if err := s.unseal(last); err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	s.data = t.pieces[last].at
	s.header = wav.Header(t.rateHz, channels, s.data)
	return s, nil
}

func open(src io.ReaderAt, t *table, name string, unlock Unlock) (*Sound, error) {
	key, err := unlock(t.head)
	if err != nil {
		return nil, err
	}
	return &Sound{src: src, table: t, seal: newSealer(Seal{AEAD: key, Name: name}, t.rateHz), have: -1}, nil
}

// Size is the length of the WAV file in bytes.
func (s *Sound) Size() int64 { return wav.HeaderSize + s.data }

// RateHz is its sampling rate.
func (s *Sound) RateHz() int { return s.table.rateHz }

// Length is how long it lasts.
func (s *Sound) Length() time.Duration { return pcm.Length(s.data/(2*channels), s.table.rateHz) }

// Seek implements io.Seeker.
func (s *Sound) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.pos
	case io.SeekEnd:
		offset += s.Size()
	}
	if offset < 0 {
		return s.pos, fmt.Errorf("seek recording to %d: %w", offset, fault.Invalid)
	}
	s.pos = offset
	return offset, nil
}

// Read implements io.Reader.
func (s *Sound) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.pos >= s.Size() {
		return 0, io.EOF
	}
	if s.pos < wav.HeaderSize {
		n := copy(p, s.header[s.pos:])
		s.pos += int64(n)
		return n, nil
	}
	n, err := s.samples(p, s.pos-wav.HeaderSize)
	s.pos += int64(n)
	return n, err
}

// samples reads at least one byte at a place before the end.
func (s *Sound) samples(p []byte, at int64) (int, error) {
	all := s.table.pieces
	i := sort.Search(len(all), func(i int) bool { return all[i].end() > at })
	next := s.data
	if i < len(all) {
		next = min(next, all[i].at)
	}
	if at < next { // silence, which takes no room
		p = p[:min(int64(len(p)), next-at)]
		clear(p)
		return len(p), nil
	}
	if err := s.unseal(i); err != nil {
		return 0, err
	}
	return copy(p, s.plain[at-all[i].at:]), nil
}

// unseal opens piece i.
func (s *Sound) unseal(i int) error {
	if s.have == i {
		return nil
	}
	p := s.table.pieces[i]
	size := pieceHead + p.size + tagSize
	if cap(s.sealed) < size {
		s.sealed = make([]byte, size)
	}
	s.have = -1
	if _, err := s.src.ReadAt(s.sealed[:size], p.off); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("piece %d: %w: %w", i, fault.Unavailable, err)
	}
	plain, err := s.seal.open(s.plain, uint64(i), p, s.sealed[:size])
	if err != nil {
		return fmt.Errorf("piece %d was changed, or belongs to another recording: %w", i, fault.Invalid)
	}
	s.plain, s.have = plain, i
	return nil
}
