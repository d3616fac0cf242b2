package index

import (
	"math"
	"math/bits"
	"slices"
)

// sketch holds one bit a dimension of each passage's vector. It never changes
// once it is made.
type sketch struct {
	dim    int
	turn   turn
	centre []float32 // mean of the vectors when the sketch was begun
	from   int       // how many they were
	codes  []uint64  // signs of the turned difference from the centre, words() a passage
	// What makes a likeness of signs: it is times by the first, and the second
	// is added.
	times, plus []float32
}

func (s *sketch) words() int { return s.turn.padded / wordBits }

// growth is how many times as many passages there must be before the centre is
// looked for again and all sketches are made anew.
const growth = 2

// sketchOf makes the sketch of vectors. Those that stay from an older one, by
// their old numbers, come first and are not made again.
func sketchOf(dim int, vectors []vector, old *sketch, stayed []int32) *sketch {
	if dim == 0 {
		return nil
	}
	if old == nil || old.dim != dim || len(vectors) > growth*old.from || len(vectors)*growth < old.from {
		old, stayed = nil, nil
	}
	s := &sketch{dim: dim}
	if old == nil {
		s.turn = newTurn(dim)
		s.centre, s.from = mean(dim, vectors), len(vectors)
	} else {
		s.turn, s.centre, s.from = old.turn, old.centre, old.from
	}
	w := s.words()
	s.codes = make([]uint64, len(vectors)*w)
	s.times, s.plus = make([]float32, len(vectors)), make([]float32, len(vectors))
	for i, p := range stayed {
		copy(s.codes[i*w:(i+1)*w], old.codes[int(p)*w:])
		s.times[i], s.plus[i] = old.times[p], old.plus[p]
	}
	scratch := make([]float32, s.turn.padded)
	for i := len(stayed); i < len(vectors); i++ {
		s.draw(i, vectors[i], scratch)
	}
	return s
}

func mean(dim int, vectors []vector) []float32 {
	sum, one := make([]float64, dim), make([]float32, dim)
	n := 0
	for _, v := range vectors {
		if v.numbers == nil {
			continue
		}
		v.into(one)
		for i, f := range one {
			sum[i] += float64(f)
		}
		n++
	}
	out := make([]float32, dim)
	for i := range out {
		out[i] = float32(sum[i] / float64(max(1, n)))
	}
	return out
}

// nowhere is the likeness of a passage without a vector, far below every other.
const nowhere = -4

// draw makes the sketch of one passage.
func (s *sketch) draw(i int, v vector, scratch []float32) {
	if v.numbers == nil {
		s.plus[i] = nowhere
		return
	}
	clear(scratch)
	v.into(scratch[:s.dim])
	var along float64
	for d, c := range s.centre {
		scratch[d] -= c
		along += float64(scratch[d]) * float64(c)
	}
	s.turn.apply(scratch)
	code := s.codes[i*s.words() : (i+1)*s.words()]
	var square, absolute float64
	for d, f := range scratch {
		if f > 0 {
			code[d/wordBits] |= 1 << (d % wordBits)
		}
		square += float64(f) * float64(f)
		absolute += math.Abs(float64(f))
	}
	s.plus[i] = float32(along)
	if absolute > 0 {
		s.times[i] = float32(square / absolute)
	}
}

// near is a passage with its likeness to a question.
type near struct {
	passage int32
	like    float32
}

// spread is how alike the passages are to a question, one with another.
type spread struct {
	mean, deviation float64
	n               int
}

// A question is read in so many bits a dimension: fewer lose order, more cost time.
const askedBits = 4

// nearest finds about the n passages whose sketches are most like q, a vector of
// length 1, in no order.
func (s *sketch) nearest(q []float32, n int) ([]near, spread) {
	v := make([]float32, s.turn.padded)
	var plus float64
	for d, c := range s.centre {
		v[d] = q[d] - c
		plus += float64(q[d]) * float64(c)
	}
	s.turn.apply(v)
	low, high := slices.Min(v), slices.Max(v)
	step := (high - low) / (1<<askedBits - 1)
	if step == 0 {
		step = 1
	}
	w := s.words()
	planes := make([][askedBits]uint64, w)
	var sum float32
	for d, f := range v {
		k := uint64((f-low)/step + 0.5)
		sum += float32(k)
		for b := range askedBits {
			planes[d/wordBits][b] |= k >> b & 1 << (d % wordBits)
		}
	}
	// Over all dimensions: sign times number, with number = low + step·k.
	k := keeper{n: n, at: float32(math.Inf(-1))}
	all := low*float32(s.turn.padded) + step*sum
	var first, second float64
	known := 0
	for i := range s.times {
		ones, weighed := count(s.codes[i*w:i*w+w], planes)
		like := s.times[i]*(2*(low*float32(ones)+step*float32(weighed))-all) + s.plus[i]
		if like > nowhere/2 {
			first += float64(like)
			second += float64(like) * float64(like)
			known++
		}
		if like > k.at {
			k.keep(near{int32(i), like})
		}
	}
	if known == 0 {
		return nil, spread{}
	}
	m := first / float64(known)
	return k.cut(), spread{
		mean: m + plus, deviation: math.Sqrt(max(0, second/float64(known)-m*m)), n: known,
	}
}

// count counts the ones of a code, and what the question weighs at them.
func count(code []uint64, planes [][askedBits]uint64) (ones, weighed int) {
	for i, c := range code {
		p := &planes[i]
		ones += bits.OnesCount64(c)
		weighed += bits.OnesCount64(c&p[0]) + bits.OnesCount64(c&p[1])<<1 +
			bits.OnesCount64(c&p[2])<<2 + bits.OnesCount64(c&p[3])<<3
	}
	return ones, weighed
}

// keeper keeps the n best of many.
type keeper struct {
	n   int
	at  float32 // what is not better than this is not kept
	all []near
}

func (k *keeper) keep(x near) {
	k.all = append(k.all, x)
	if len(k.all) >= 4*k.n {
		k.cut()
	}
}

func (k *keeper) cut() []near {
	if len(k.all) <= k.n {
		return k.all
	}
	slices.SortFunc(k.all, byLike)
	k.all = k.all[:k.n]
	k.at = k.all[k.n-1].like
	return k.all
}

func byLike(a, b near) int {
	switch {
	case a.like > b.like:
		return -1
	case a.like < b.like:
		return 1
	}
	return int(a.passage - b.passage)
}
