package phrases

import (
	"encoding/binary"
	"fmt"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/phrases"
)

// version begins every phrase: one of another is not read.
const version = 1

// encode writes version, rate, words and samples.
func encode(p phrases.Phrase) []byte {
	b := make([]byte, 0, 16+32*len(p.Words)+2*len(p.PCM))
	b = append(b, version)
	b = binary.AppendUvarint(b, uint64(max(p.RateHz, 0)))
	b = binary.AppendUvarint(b, uint64(len(p.Words)))
	for _, w := range p.Words {
		b = binary.AppendUvarint(b, uint64(len(w.Text)))
		b = append(b, w.Text...)
		b = binary.AppendVarint(b, int64(w.Start))
		b = binary.AppendVarint(b, int64(w.End))
	}
	for _, s := range p.PCM {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// reader takes a phrase apart; once something is missing it gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	return advance(r, v, n)
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.b)
	return advance(r, v, n)
}

func advance[T int64 | uint64](r *reader, v T, n int) T {
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text(n uint64) string {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// decode reads what encode wrote, or fails with fault.Invalid.
func decode(b []byte) (phrases.Phrase, error) {
	var p phrases.Phrase
	if len(b) == 0 || b[0] != version {
		return p, fmt.Errorf("a phrase of another version: %w", fault.Invalid)
	}
	r := reader{b: b[1:]}
	rate, words := r.number(), r.number()
	if rate == 0 || rate > 192_000 || words > uint64(len(r.b)) {
		return p, fmt.Errorf("a phrase at %d Hz of %d words: %w", rate, words, fault.Invalid)
	}
	p.RateHz = int(rate)
	for range words {
		p.Words = append(p.Words, provider.Word{
			Text: r.text(r.number()), Start: time.Duration(r.signed()), End: time.Duration(r.signed()),
		})
	}
	if r.bad || len(r.b)%2 != 0 {
		return phrases.Phrase{}, fmt.Errorf("a phrase that is cut off: %w", fault.Invalid)
	}
	p.PCM = make([]int16, len(r.b)/2)
	for i := range p.PCM {
		p.PCM[i] = int16(binary.LittleEndian.Uint16(r.b[2*i:]))
	}
	return p, nil
}
