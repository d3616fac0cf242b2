package lm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"flametree/engine/fault"
)

// Trie reads the trigram model of general English that comes with the
// recogniser, in the "Trie Language Model" format of sphinxbase 5prealpha
// (src/libsphinxbase/lm/lm_trie.c): unigrams, then bigrams and trigrams as
// packed bits, each stored below its LAST word and sorted by the word before.
// It is immutable and safe for concurrent use; it keeps the bytes it is given.
type Trie struct {
	words   []string
	ids     map[string]uint32
	uni     []byte // 12 bytes each: probability, back-off, first child
	middle  packed
	longest packed
	table   [3][]byte // bigram probability, bigram back-off, trigram probability
}

const (
	trieHeader = "Trie Language Model"
	unigramLen = 12
	tableLen   = 4 << 16
	logBase    = 1.0001 // of sphinxbase's log arithmetic, -logbase
)

// packed is an array of records of a fixed number of bits.
type packed struct {
	bytes               []byte
	count               uint32
	wordBits, total     uint64
	quantBits, nextBits uint64
}

// ReadTrie checks and opens a model. The bytes must not change afterwards.
func ReadTrie(b []byte) (*Trie, error) {
	t, err := readTrie(b)
	if err != nil {
		return nil, fmt.Errorf("lm: background model: %w: %w", fault.Invalid, err)
	}
	return t, nil
}

func readTrie(b []byte) (*Trie, error) {
	if !bytes.HasPrefix(b, []byte(trieHeader)) {
		return nil, errors.New("not a trie language model")
	}
	b = b[len(trieHeader):]
	if len(b) < 1+3*4+4 || b[0] != 3 {
		return nil, errors.New("not of order three")
	}
	var n [3]uint32
	for i := range n {
		n[i] = binary.LittleEndian.Uint32(b[1+4*i:])
		if n[i] == 0 || n[i] >= 1<<25 {
			return nil, fmt.Errorf("%d %d-grams", n[i], i+1)
		}
	}
	b = b[1+3*4+4:] // the last four bytes name the quantisation; there is one
	t := &Trie{}
	take := func(size uint64) (part []byte) {
		if uint64(len(b)) < size {
			b, size = nil, 0
		}
		part, b = b[:size], b[size:]
		return part
	}
	for i := range t.table {
		t.table[i] = take(tableLen)
	}
	t.uni = take(uint64(n[0]+1) * unigramLen)
	t.middle = newPacked(n[1], n[0], 32, uint64(bits.Len32(n[2])))
	t.middle.bytes = take(t.middle.size())
	t.longest = newPacked(n[2], n[0], 16, 0)
	t.longest.bytes = take(t.longest.size())
	if len(b) < 4 {
		return nil, errors.New("truncated")
	}
	return t, t.readWords(b[4:], n[0])
}

func newPacked(count, vocabulary uint32, quant, next uint64) packed {
	p := packed{count: count, wordBits: uint64(bits.Len32(vocabulary)), quantBits: quant, nextBits: next}
	p.total = p.wordBits + quant + next
	return p
}

// size has one record more, whose pointer ends the last list, and eight bytes
// so that reading a whole word never leaves the array.
func (p *packed) size() uint64 { return (uint64(1+p.count)*p.total+7)/8 + 8 }

func (t *Trie) readWords(b []byte, n uint32) error {
	if uint64(n) > uint64(len(b)) {
		return errors.New("truncated word list")
	}
	t.words = make([]string, 0, n)
	t.ids = make(map[string]uint32, n)
	for range n {
		end := bytes.IndexByte(b, 0)
		if end < 0 {
			return errors.New("truncated word list")
		}
		t.ids[string(b[:end])] = uint32(len(t.words))
		t.words = append(t.words, string(b[:end]))
		b = b[end+1:]
	}
	return nil
}

// at reads length bits of record i, offset bits from its start.
func (p *packed) at(i uint32, offset, length uint64) uint32 {
	bit := uint64(i)*p.total + offset
	v := binary.LittleEndian.Uint64(p.bytes[bit>>3:])
	return uint32(v >> (bit & 7) & (1<<length - 1))
}

func (p *packed) word(i uint32) uint32 { return p.at(i, 0, p.wordBits) }

func (p *packed) next(i uint32) uint32 { return p.at(i, p.wordBits+p.quantBits, p.nextBits) }

// find looks for word in the sorted records from begin to end.
func (p *packed) find(word, begin, end uint32) (uint32, bool) {
	end = min(end, p.count)
	for begin < end {
		mid := begin + (end-begin)/2
		switch w := p.word(mid); {
		case w == word:
			return mid, true
		case w < word:
			begin = mid + 1
		default:
			end = mid
		}
	}
	return 0, false
}

func (t *Trie) float(b []byte, i uint32) float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))) * math.Log(logBase)
}

func (t *Trie) unigram(w uint32) float64 { return t.float(t.uni, 3*w) }

func (t *Trie) unigramBackoff(w uint32) float64 { return t.float(t.uni, 3*w+1) }

func (t *Trie) children(w uint32) (begin, end uint32) {
	u := t.uni[unigramLen*w:]
	return binary.LittleEndian.Uint32(u[8:]), binary.LittleEndian.Uint32(u[unigramLen+8:])
}

func (t *Trie) bigram(i uint32) float64 {
	return t.float(t.table[0], t.middle.at(i, t.middle.wordBits+16, 16))
}

func (t *Trie) bigramBackoff(i uint32) float64 {
	return t.float(t.table[1], t.middle.at(i, t.middle.wordBits, 16))
}

func (t *Trie) trigram(i uint32) float64 {
	return t.float(t.table[2], t.longest.at(i, t.longest.wordBits, 16))
}

// logBigram is the natural logarithm of P(w | h), backed off where unseen.
func (t *Trie) logBigram(h, w uint32) float64 {
	begin, end := t.children(w)
	if i, ok := t.middle.find(h, begin, end); ok {
		return t.bigram(i)
	}
	return t.unigramBackoff(h) + t.unigram(w)
}

// logTrigram is the natural logarithm of P(w | g h).
func (t *Trie) logTrigram(g, h, w uint32) float64 {
	begin, end := t.children(w)
	i, ok := t.middle.find(h, begin, end)
	if ok {
		if j, ok := t.longest.find(g, t.middle.next(i), t.middle.next(i+1)); ok {
			return t.trigram(j)
		}
	}
	backoff := 0.0
	begin, end = t.children(h)
	if j, ok := t.middle.find(g, begin, end); ok {
		backoff = t.bigramBackoff(j)
	}
	if ok {
		return backoff + t.bigram(i)
	}
	return backoff + t.unigramBackoff(h) + t.unigram(w)
}
