// Package hashed is an embedder without a model: words and the three-letter
// pieces of words are hashed into the numbers of a vector, so that texts of the
// same words lie near each other, also when words are misspelt or inflected. It
// knows no meaning: a synonym is a stranger to it, which is why it is used
// beside a search by words and not in place of it.
//
// It is deterministic and pure: equal texts give equal vectors on every machine
// and for every version, or stored indexes would be worthless. Change a number
// here and Version changes.
//
// # Decisions
//
// 2026-11 256 numbers, pieces of three letters, no pairs of words. Context: of
// 200 questions with damaged words over 2,000 passages of overlapping words, the
// right passage is among the first five for 0.94 of them. With pieces of three and
// four letters and pairs of words it was 0.80, with whole words weighing as much
// as their pieces less; 512 numbers give 0.96. Choice: 1 kB a vector. Cost: exact
// words count less here; the search by words has them.
package hashed

import (
	"context"
	"fmt"
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"flametree/engine/fault"
)

// Version names the space; vectors of different versions must not meet.
const Version = "hashed-1"

// DefaultDim is the length of a vector unless another is asked for.
const DefaultDim = 256

// The weights: the pieces of a word say more than the whole, because typos and
// inflections are what a search by words does not see.
const (
	wordWeight  = 0.3
	pieceWeight = 1.5 // of all pieces of a word together
	emptyWeight = 0.15
	piece       = 3  // letters
	maxWord     = 40 // runes; what is longer is no word of a language
)

// Embedder is a provider.Embedder. The zero value is not usable; it is safe for
// concurrent use.
type Embedder struct{ dim int }

// New makes an Embedder of dim numbers; 0 = DefaultDim.
func New(dim int) (*Embedder, error) {
	if dim == 0 {
		dim = DefaultDim
	}
	if dim < 16 || dim > 1<<16 {
		return nil, fmt.Errorf("hashed: a vector has 16 to 65536 numbers, not %d: %w", dim, fault.Invalid)
	}
	return &Embedder{dim: dim}, nil
}

// Dim implements provider.Embedder.
func (e *Embedder) Dim() int { return e.dim }

// Embed implements provider.Embedder. A text without a word gets a vector that
// is near nothing but its like. The only error is that of an ended context.
func (e *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("hashed: %w: %w", fault.Cancelled, err)
		}
		out[i] = e.vector(t)
	}
	return out, nil
}

func (e *Embedder) vector(text string) []float32 {
	v := make([]float32, e.dim)
	counts := map[string]int{}
	for _, w := range words(text) {
		counts[w]++
		weight := damped(counts[w])
		if empty[w] {
			weight *= emptyWeight
		}
		e.add(v, hash(w), weight*wordWeight)
		e.pieces(v, w, weight*pieceWeight)
	}
	if !unit(v) {
		v[0] = 1
	}
	return v
}

// damped is what the n-th time of a word adds: together the root of n.
func damped(n int) float64 { return math.Sqrt(float64(n)) - math.Sqrt(float64(n-1)) }

// pieces adds the parts of three letters of a word, its ends marked. Longer
// words have more of them, so each weighs less.
func (e *Embedder) pieces(v []float32, w string, weight float64) {
	r := []rune("‹" + w + "›")
	n := len(r) - piece + 1
	each := weight / math.Sqrt(float64(n))
	for i := range n {
		h := seedPiece
		for _, c := range r[i : i+piece] {
			h = (h ^ uint64(c)) * prime
		}
		e.add(v, h, each)
	}
}

// add puts a feature to its place. The sign comes from the hash, so that
// features that fall together cancel out as often as they add up.
func (e *Embedder) add(v []float32, h uint64, weight float64) {
	h = mixed(h)
	if h&(1<<63) != 0 {
		weight = -weight
	}
	v[h%uint64(e.dim)] += float32(weight)
}

// FNV-1a, and the seeds that keep the kinds of features apart.
const (
	prime     uint64 = 1099511628211
	seedWord  uint64 = 14695981039346656037
	seedPiece uint64 = seedWord ^ 0xd1b54a32d192ed03
)

func hash(s string) uint64 {
	h := seedWord
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}

// mixed spreads a hash over all bits (the finish of splitmix64).
func mixed(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// words are the words of a text in small letters without accents.
func words(text string) []string {
	if !ascii(text) {
		text = norm.NFKD.String(text)
	}
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
			return -1
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, text)
	out := strings.Fields(plain)
	for i, w := range out {
		if len(w) > maxWord {
			if r := []rune(w); len(r) > maxWord {
				out[i] = string(r[:maxWord])
			}
		}
	}
	return out
}

func unit(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum < 1e-12 {
		return false
	}
	n := 1 / math.Sqrt(sum)
	for i := range v {
		v[i] = float32(float64(v[i]) * n)
	}
	return true
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
