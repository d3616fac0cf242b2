package lm

import (
	"cmp"
	"slices"
	"strings"
)

// Word ids below first are not words: nothing, and the ends of a sentence.
const (
	none  = 0
	start = 1
	end   = 2
	first = 3
)

// vocabulary numbers words in the order in which it meets them.
type vocabulary struct {
	words []string
	ids   map[string]uint32
}

func newVocabulary() *vocabulary {
	return &vocabulary{words: []string{"", "<s>", "</s>"}, ids: map[string]uint32{"<s>": start, "</s>": end}}
}

func (v *vocabulary) id(w string) uint32 {
	if i, ok := v.ids[w]; ok {
		return i
	}
	i := uint32(len(v.words))
	v.ids[w] = i
	v.words = append(v.words, w)
	return i
}

func (v *vocabulary) sentence(s string) []uint32 {
	var out []uint32
	for _, w := range strings.Fields(s) {
		out = append(out, v.id(w))
	}
	return out
}

// gram is up to three words, the last in the low bits: 21 bits a word.
type gram uint64

const wordBits = 21

func gram3(a, b, c uint32) gram { return gram(a)<<(2*wordBits) | gram(b)<<wordBits | gram(c) }

func (g gram) words() (a, b, c uint32) {
	return uint32(g >> (2 * wordBits)), uint32(g>>wordBits) & (1<<wordBits - 1), uint32(g) & (1<<wordBits - 1)
}

type event struct {
	gram
	weight float64
}

// counter gathers how often a word follows two others. A first word has none
// before the start.
type counter struct {
	vocab  *vocabulary
	events []event
}

func (c *counter) add(a, b, w uint32, weight float64) {
	c.events = append(c.events, event{gram3(a, b, w), weight})
}

// sentences counts whole sentences that together weigh weight.
func (c *counter) sentences(list [][]uint32, weight float64) {
	tokens := 0
	for _, s := range list {
		tokens += len(s) + 1
	}
	each := weight / float64(max(tokens, 1))
	for _, s := range list {
		a, b := uint32(none), uint32(start)
		for _, w := range s {
			c.add(a, b, w, each)
			a, b = b, w
		}
		c.add(a, b, end, each)
	}
}

// framed counts every frame with every phrase in its hole without writing out
// the product: what stands beside a hole is counted by the two words next to
// it, and those combine with the ends of the phrases.
func (c *counter) framed(s source, weight float64) {
	if len(s.fill) == 0 {
		return
	}
	x := newCrossing(c.vocab, s)
	c.crossing(x, weight/float64(max(x.tokens, 1)))
}

// crossing is the sides of a hole, and the ends of what fills it.
type crossing struct {
	tokens  int
	plain   map[gram]float64 // windows within frames
	before  map[gram]float64 // two words before the hole
	around  map[gram]float64 // one before, one after
	after   map[gram]float64 // two after the hole
	fills   [][]uint32
	frames  float64
	singles map[uint32]float64
	heads   map[uint32]float64
	tails   map[uint32]float64
}

func newCrossing(v *vocabulary, s source) *crossing {
	x := &crossing{
		plain: map[gram]float64{}, before: map[gram]float64{}, around: map[gram]float64{}, after: map[gram]float64{},
		singles: map[uint32]float64{}, heads: map[uint32]float64{}, tails: map[uint32]float64{}, frames: float64(len(s.frames)),
	}
	words := 0
	for _, f := range s.fill {
		w := v.sentence(f)
		x.fills = append(x.fills, w)
		words += len(w)
		x.heads[w[0]]++
		x.tails[w[len(w)-1]]++
		if len(w) == 1 {
			x.singles[w[0]]++
		}
	}
	for _, f := range s.frames {
		left, right, _ := strings.Cut(f, s.hole)
		l := append([]uint32{none, start}, v.sentence(left)...)
		r := append(v.sentence(right), end)
		for i := 2; i < len(l); i++ {
			x.plain[gram3(l[i-2], l[i-1], l[i])]++
		}
		for i := 2; i < len(r); i++ {
			x.plain[gram3(r[i-2], r[i-1], r[i])]++
		}
		n := len(l)
		x.before[gram3(none, l[n-2], l[n-1])]++
		x.around[gram3(none, l[n-1], r[0])]++
		if len(r) > 1 {
			x.after[gram3(none, r[0], r[1])]++
		}
		x.tokens += (len(l) - 2 + len(r)) * len(s.fill)
	}
	x.tokens += words * len(s.frames)
	return x
}

func (c *counter) crossing(x *crossing, each float64) {
	n := float64(len(x.fills)) * each
	for g, w := range x.plain {
		c.events = append(c.events, event{g, w * n})
	}
	for g, w := range x.before {
		_, a, b := g.words()
		for h, m := range x.heads {
			c.add(a, b, h, w*m*each)
		}
	}
	for g, w := range x.around {
		_, b, r := g.words()
		for h, m := range x.singles {
			c.add(b, h, r, w*m*each)
		}
	}
	for g, w := range x.after {
		_, r, q := g.words()
		for t, m := range x.tails {
			c.add(t, r, q, w*m*each)
		}
	}
	lefts, rights := map[uint32]float64{}, map[uint32]float64{}
	for g, w := range x.around {
		_, l, r := g.words()
		lefts[l] += w
		rights[r] += w
	}
	for _, f := range x.fills {
		if len(f) < 2 {
			continue
		}
		for l, w := range lefts {
			c.add(l, f[0], f[1], w*each)
		}
		for i := 2; i < len(f); i++ {
			c.add(f[i-2], f[i-1], f[i], x.frames*each)
		}
		for r, w := range rights {
			c.add(f[len(f)-2], f[len(f)-1], r, w*each)
		}
	}
}

// merge sorts events and adds up equal ones. The sum runs in a fixed order, so
// the result does not depend on the order of maps.
func merge(e []event) []event {
	slices.SortFunc(e, func(a, b event) int {
		if c := cmp.Compare(a.gram, b.gram); c != 0 {
			return c
		}
		return cmp.Compare(a.weight, b.weight)
	})
	out := e[:0]
	for _, x := range e {
		if n := len(out); n > 0 && out[n-1].gram == x.gram {
			out[n-1].weight += x.weight
			continue
		}
		out = append(out, x)
	}
	return out
}
