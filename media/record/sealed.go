package record

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"flametree/engine/fault"
)

// A sealed recording is a preamble, magic ‖ rate ‖ length of head ‖ head, then
// pieces, each a header in the clear, size ‖ kind ‖ at ‖ paused, and its
// samples sealed. What lies between the end of one piece and the beginning of
// the next in time is silence that takes no room. The last piece holds no
// samples and ends the recording; only with it is the recording whole. A
// piece's nonce is its number and its kind, its additional data the
// recording's name, rate, number and header: no piece can be changed, moved,
// dropped or taken from another recording without notice.
const (
	magic     = "FTTAPE1\n"
	fixedHead = len(magic) + 8
	headMost  = 4 << 10
	pieceHead = 20
	pieceMost = 48 << 10 // bytes of samples
	tagSize   = 16
	nonceSize = 12
	lowestHz  = 8000
	highestHz = 48000
)

// The kinds of a piece. The one that Recover writes is another than the one
// that Close writes: the nonce of an end that was written by half is not taken
// for different bytes.
const (
	kindSound = 1 + iota
	kindEnd
	kindCut
)

// piece is the header of one.
type piece struct {
	size   int   // bytes of samples
	kind   int   // of the above
	at     int64 // bytes of samples before it, silence included
	paused int   // frames in or before it in which nothing was to be recorded
	off    int64 // of what is sealed, in the file
}

func (p piece) end() int64 { return p.at + int64(p.size) }

func preamble(rateHz int, head []byte) []byte {
	b := make([]byte, 0, fixedHead+len(head))
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, uint32(rateHz))
	b = binary.BigEndian.AppendUint32(b, uint32(len(head)))
	return append(b, head...)
}

// sealer seals and opens the pieces of one recording. It belongs to one
// goroutine at a time and allocates nothing.
type sealer struct {
	aead  cipher.AEAD
	data  []byte // additional data; what is behind named changes with each piece
	named int
	nonce [nonceSize]byte
}

func newSealer(s Seal, rateHz int) *sealer {
	data := append([]byte("flametree recording\x00"), s.Name...)
	data = binary.BigEndian.AppendUint32(append(data, 0), uint32(rateHz))
	named := len(data)
	return &sealer{aead: s.AEAD, data: slices.Grow(data, 8+pieceHead), named: named}
}

// bind sets nonce and additional data for a piece.
func (s *sealer) bind(n uint64, kind int, head []byte) {
	clear(s.nonce[:])
	binary.BigEndian.PutUint64(s.nonce[:], n)
	s.nonce[nonceSize-1] = byte(kind)
	s.data = append(binary.BigEndian.AppendUint64(s.data[:s.named], n), head...)
}

// seal appends piece number n to dst, which is empty.
func (s *sealer) seal(dst []byte, n uint64, p piece, samples []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.size))
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.kind))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.at))
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.paused))
	s.bind(n, p.kind, dst)
	return s.aead.Seal(dst, s.nonce[:], samples, s.data)
}

// open gives the samples of piece number n, in dst where it has room. Sealed is
// the header and what follows it.
func (s *sealer) open(dst []byte, n uint64, p piece, sealed []byte) ([]byte, error) {
	s.bind(n, p.kind, sealed[:pieceHead])
	return s.aead.Open(dst[:0], s.nonce[:], sealed[pieceHead:], s.data)
}

// table is what the clear parts of a sealed recording say. Of that, only the
// headers of pieces that open are true.
type table struct {
	rateHz int
	head   []byte
	pieces []piece
	whole  bool  // the last piece is an end, and nothing comes after it
	torn   int64 // where a piece begins of which a part is missing; the end of the file if none is
}

// errEmpty says that a recording was cut before it began.
var errEmpty = fmt.Errorf("nothing was recorded yet: %w", fault.NotFound)

// readTable walks over a sealed recording of size bytes. A recording that ends
// in the middle of a piece is a table that is not whole; anything that was
// never written is fault.Invalid.
func readTable(r io.ReaderAt, size int64) (*table, error) {
	var b [fixedHead]byte
	n, err := r.ReadAt(b[:min(size, int64(fixedHead))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	if seen := min(n, len(magic)); string(b[:seen]) != magic[:seen] {
		return nil, fmt.Errorf("this is no recording of ours: %w", fault.Invalid)
	}
	if n < fixedHead {
		return nil, errEmpty
	}
	t := &table{rateHz: int(binary.BigEndian.Uint32(b[len(magic):]))}
	length := binary.BigEndian.Uint32(b[len(magic)+4:])
	if t.rateHz < lowestHz || t.rateHz > highestHz || length > headMost {
		return nil, fmt.Errorf("byte %d: %d Hz and a key of %d bytes are none of ours: %w", len(magic), t.rateHz, length, fault.Invalid)
	}
	at := int64(fixedHead) + int64(length)
	if at > size {
		return nil, errEmpty
	}
	t.head = make([]byte, length)
	if _, err := r.ReadAt(t.head, int64(fixedHead)); err != nil && length > 0 {
		return nil, fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	return t, t.walk(r, at, size)
}

// walk reads the headers of the pieces from at on.
func (t *table) walk(r io.ReaderAt, at, size int64) error {
	var b [pieceHead]byte
	end := int64(0)
	for t.torn = at; at+pieceHead+tagSize <= size && !t.whole; t.torn = at {
		if _, err := r.ReadAt(b[:], at); err != nil {
			return fmt.Errorf("%w: %w", fault.Unavailable, err)
		}
		if bytes.Equal(b[:], make([]byte, pieceHead)) {
			return nil // room that was made and never filled: the power went away
		}
		p := piece{
			size: int(binary.BigEndian.Uint32(b[0:])), kind: int(binary.BigEndian.Uint32(b[4:])),
			at: int64(binary.BigEndian.Uint64(b[8:])), paused: int(binary.BigEndian.Uint32(b[16:])), off: at,
		}
		if !p.follows(end) {
			return fmt.Errorf("byte %d: piece %d is none of ours: %w", at, len(t.pieces), fault.Invalid)
		}
		if at += pieceHead + int64(p.size) + tagSize; at > size {
			return nil
		}
		t.pieces = append(t.pieces, p)
		end, t.whole = p.end(), p.kind != kindSound
	}
	if t.whole && at < size {
		return fmt.Errorf("byte %d: something comes after the end: %w", at, fault.Invalid)
	}
	return nil
}

// follows reports whether a piece can come where so many bytes of samples came before.
func (p piece) follows(end int64) bool {
	if p.at < end || p.at > longest || p.at%(2*channels) != 0 {
		return false
	}
	if p.kind == kindSound {
		return p.size > 0 && p.size <= pieceMost && p.size%(2*channels) == 0 && p.end() <= longest
	}
	return p.size == 0 && (p.kind == kindEnd || p.kind == kindCut)
}
