package index

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"flametree/engine/fault"
	"flametree/engine/knowledge"
)

// The file of a Shelf: a mark with its version, numbers as varints, texts with
// their lengths before them, vectors as a step and one byte a dimension, and a
// SHA-256 of all that.
const (
	mark     = "flametree shelf 1\n"
	sumBytes = sha256.Size
	stepSize = 4
)

// Encode writes the shelf as one file: with it a restart need not embed again.
func (s *Shelf) Encode() []byte {
	out := append(make([]byte, 0, s.room()), mark...)
	out = text(out, s.label.Source)
	out = binary.AppendUvarint(out, s.label.Revision)
	out = text(out, s.label.Model)
	out = binary.AppendUvarint(out, uint64(s.dim))
	out = binary.AppendUvarint(out, uint64(len(s.sources)))
	for _, one := range s.sources {
		for _, t := range []string{one.ID, string(one.Kind), one.Title, one.Question, one.Text} {
			out = text(out, t)
		}
	}
	out = binary.AppendUvarint(out, uint64(len(s.vectors)))
	for _, v := range s.vectors {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v.step)) // 0 = there is none, and no numbers follow
		for _, n := range v.numbers {
			out = append(out, byte(n))
		}
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// room is about how long the file will be.
func (s *Shelf) room() int {
	n := len(mark) + sumBytes + 64 + len(s.vectors)*(s.dim+stepSize)
	for _, one := range s.sources {
		n += len(one.ID) + len(one.Title) + len(one.Question) + len(one.Text) + 32
	}
	return n
}

func text(out []byte, t string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(t))), t...)
}

// Decode reads what Encode wrote. A file that is cut, changed, of another
// version or of passages that are cut otherwise today is refused with
// fault.Invalid: the source has to be indexed again. raw may be changed
// afterwards.
func Decode(raw []byte) (*Shelf, error) {
	if !bytes.HasPrefix(raw, []byte(mark)) {
		return nil, refused("it does not begin with %q", mark)
	}
	if len(raw) < len(mark)+sumBytes {
		return nil, refused("it is cut off")
	}
	body, sum := raw[:len(raw)-sumBytes], raw[len(raw)-sumBytes:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, refused("its checksum does not match, it was cut or changed")
	}
	r := reader{rest: body[len(mark):]}
	s := &Shelf{label: Label{Source: r.text(), Revision: r.number(math.MaxUint64), Model: r.text()}}
	s.dim = int(r.number(MaxDim))
	for range r.number(uint64(len(r.rest))) {
		s.sources = append(s.sources, knowledge.Source{
			ID: r.text(), Kind: knowledge.Kind(r.text()), Title: r.text(), Question: r.text(), Text: r.text(),
		})
		if r.short {
			break
		}
	}
	for range r.number(uint64(len(r.rest))) {
		s.vectors = append(s.vectors, r.vector(s.dim))
		if r.short {
			break
		}
	}
	switch {
	case r.short || len(r.rest) > 0:
		return nil, refused("its parts do not have the lengths they say")
	case s.dim > 0 && len(s.texts()) != len(s.vectors):
		return nil, refused("it has %d vectors for %d passages", len(s.vectors), len(s.texts()))
	case s.dim == 0 && (len(s.vectors) > 0 || s.label.Model != ""):
		return nil, refused("it has vectors without dimensions")
	}
	return s, nil
}

func refused(why string, with ...any) error {
	return fmt.Errorf("index: the file of a shelf cannot be read: %s; index the source again: %w", fmt.Sprintf(why, with...), fault.Invalid)
}

// reader takes parts from the front; once one is missing, all are empty.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.rest)
	if r.short || size <= 0 || n > most {
		r.short = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) bytes(n uint64) []byte {
	if r.short || n > uint64(len(r.rest)) {
		r.short = true
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) text() string { return string(r.bytes(r.number(math.MaxUint64))) }

func (r *reader) vector(dim int) vector {
	step := r.bytes(stepSize)
	if r.short {
		return vector{}
	}
	v := vector{step: math.Float32frombits(binary.LittleEndian.Uint32(step))}
	if v.step == 0 {
		return vector{}
	}
	numbers := r.bytes(uint64(dim))
	if !(v.step > 0) || math.IsInf(float64(v.step), 0) || r.short {
		r.short = true
		return vector{}
	}
	v.numbers = make([]int8, dim)
	for i, b := range numbers {
		v.numbers[i] = int8(b)
	}
	return v
}
