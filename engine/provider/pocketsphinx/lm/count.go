package lm

import (
	"cmp"
	"math"
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
	for w := range strings.FieldsSeq(s) {
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

// pattern counts every sentence of a pattern, each as likely as any other,
// without writing them out: it carries along the last two words and how likely
// they are.
func (c *counter) pattern(slots [][][]uint32, weight float64) {
	states := []event{{gram3(none, none, start), weight}}
	for _, slot := range slots {
		var next []event
		for _, s := range states {
			share := s.weight / float64(len(slot))
			for _, words := range slot {
				_, a, b := s.words()
				for _, w := range words {
					c.add(a, b, w, share)
					a, b = b, w
				}
				next = append(next, event{gram3(none, a, b), share})
			}
		}
		states = merge(next)
	}
	for _, s := range states {
		_, a, b := s.words()
		c.add(a, b, end, s.weight)
	}
}

// patterns counts pattern lines that together weigh weight; a line with more
// sentences weighs more, but far from as many times more.
func (c *counter) patterns(list []string, weight float64) {
	parsed, weights, sum := make([][][][]uint32, len(list)), make([]float64, len(list)), 0.0
	for i, p := range list {
		var n float64
		parsed[i], n = parsePattern(c.vocab, p)
		weights[i] = 1 + math.Log2(n)
		sum += weights[i] * float64(len(parsed[i]))
	}
	for i := range parsed {
		c.pattern(parsed[i], weight*weights[i]/sum)
	}
}

// parsePattern returns the slots of a pattern with their choices, and the
// number of its sentences.
func parsePattern(v *vocabulary, p string) (slots [][][]uint32, sentences float64) {
	sentences = 1
	for p != "" {
		var choices []string
		if p[0] == '(' {
			end := strings.IndexByte(p, ')')
			choices, p = strings.Split(p[1:end], "|"), p[end+1:]
		} else {
			n := strings.IndexByte(p, '(')
			if n < 0 {
				n = len(p)
			}
			choices, p = []string{p[:n]}, p[n:]
		}
		var slot [][]uint32
		for _, choice := range choices {
			slot = append(slot, v.sentence(choice))
		}
		slots = append(slots, slot)
		sentences *= float64(len(slot))
	}
	return slots, sentences
}

// texts counts sentences that together weigh weight.
func (c *counter) texts(list []string, weight float64) {
	ids := make([][]uint32, len(list))
	for i, s := range list {
		ids[i] = c.vocab.sentence(s)
	}
	c.sentences(ids, weight)
}

// frameSet is sentences with one hole each, seen from the hole: what stands
// beside it, by the two words next to it. It is immutable.
type frameSet struct {
	count, tokens float64
	plain         map[gram]float64 // three words of a frame, the hole not among them
	before        map[gram]float64 // two words before the hole
	around        map[gram]float64 // the word before and the word after
	after         map[gram]float64 // two words after the hole
}

// frames are the sentences about things and about deeds.
type frames struct{ nouns, verbs frameSet }

func newFrames(v *vocabulary) frames {
	return frames{nouns: newFrameSet(v, nounFrames, "{n}"), verbs: newFrameSet(v, verbFrames, "{v}")}
}

func newFrameSet(v *vocabulary, text, hole string) frameSet {
	x := frameSet{plain: map[gram]float64{}, before: map[gram]float64{}, around: map[gram]float64{}, after: map[gram]float64{}}
	for _, line := range lines(text) {
		for _, f := range expandNested(line) {
			left, right, _ := strings.Cut(f, hole)
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
			x.tokens += float64(n - 2 + len(r))
			x.count++
		}
	}
	return x
}

// framed counts every frame with every phrase in its hole. It does not write
// out the product: the two sides of a hole combine with the ends of a phrase.
func (c *counter) framed(x frameSet, phrases []string, weight float64) {
	if len(phrases) == 0 {
		return
	}
	fills, words := make([][]uint32, len(phrases)), 0
	for i, p := range phrases {
		fills[i] = c.vocab.sentence(p)
		words += len(fills[i])
	}
	each := weight / (x.tokens*float64(len(fills)) + x.count*float64(words))
	for g, w := range x.plain {
		c.events = append(c.events, event{g, w * float64(len(fills)) * each})
	}
	c.ends(x, fills, each)
	c.inner(x, fills, each)
}

// ends counts where a phrase meets its frame in two words of one side.
func (c *counter) ends(x frameSet, fills [][]uint32, each float64) {
	heads, tails, singles := map[uint32]float64{}, map[uint32]float64{}, map[uint32]float64{}
	for _, f := range fills {
		heads[f[0]]++
		tails[f[len(f)-1]]++
		if len(f) == 1 {
			singles[f[0]]++
		}
	}
	for g, w := range x.before {
		_, a, b := g.words()
		for h, m := range heads {
			c.add(a, b, h, w*m*each)
		}
	}
	for g, w := range x.around {
		_, l, r := g.words()
		for h, m := range singles {
			c.add(l, h, r, w*m*each)
		}
	}
	for g, w := range x.after {
		_, r, q := g.words()
		for t, m := range tails {
			c.add(t, r, q, w*m*each)
		}
	}
}

// inner counts phrases of two and more words with one word of each side.
func (c *counter) inner(x frameSet, fills [][]uint32, each float64) {
	lefts, rights := map[uint32]float64{}, map[uint32]float64{}
	for g, w := range x.around {
		_, l, r := g.words()
		lefts[l] += w
		rights[r] += w
	}
	for _, f := range fills {
		if len(f) < 2 {
			continue
		}
		for l, w := range lefts {
			c.add(l, f[0], f[1], w*each)
		}
		for i := 2; i < len(f); i++ {
			c.add(f[i-2], f[i-1], f[i], x.count*each)
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
