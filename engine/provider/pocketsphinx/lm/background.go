package lm

import (
	"math"
	"slices"
)

// A base is the model that a domain is laid upon.
type base interface {
	// knows reports whether the base has the word as a history.
	knows(w uint32) bool
	p1(c uint32) float64
	p2(b, c uint32) float64
	p3(a, b, c uint32) float64
	// grams are the n-grams that tell more than their shorter forms, unsorted.
	grams() (bi, tri []gram)
}

// rare is what a base gives to a word it does not have.
const rare = 1e-7

// background is the part of general English whose words are all in the
// vocabulary. Histories of one word are scaled so that their followers within
// the vocabulary add up to one; longer ones give the rest to the shorter.
type background struct {
	trie     *Trie
	toTrie   []uint32 // vocabulary id → trie id + 1; 0 = unknown there
	fromTrie []uint32
	mass     float64   // of the unigrams in the vocabulary
	scale    []float64 // by history: 1 / mass of its followers in the vocabulary
	bi, tri  []gram
}

func newBackground(t *Trie, v *vocabulary) *background {
	g := &background{trie: t, toTrie: make([]uint32, len(v.words)), scale: make([]float64, len(v.words))}
	g.fromTrie = make([]uint32, len(t.words))
	for i, w := range v.words[start:] {
		id, ok := t.ids[w]
		if !ok {
			continue
		}
		g.toTrie[start+i] = id + 1
		g.fromTrie[id] = uint32(start + i)
		if start+i != start {
			g.mass += math.Exp(t.unigram(id))
		}
	}
	excess := make([]float64, len(g.toTrie))
	for w := uint32(start); w < uint32(len(g.toTrie)); w++ {
		if g.toTrie[w] > 0 {
			g.scan(w, excess)
		}
	}
	for h, id := range g.toTrie {
		if id > 0 {
			in := excess[h] + math.Exp(t.unigramBackoff(id-1))*g.mass
			g.scale[h] = 1 / max(min(in, 1), 0.05)
		}
	}
	return g
}

// scan walks over all bigrams that end in w within the vocabulary, notes how
// much each history gives them over its share, and keeps the telling ones.
func (g *background) scan(w uint32, excess []float64) {
	t := g.trie
	id := g.toTrie[w] - 1
	p1 := t.unigram(id)
	begin, end := t.children(id)
	for i := begin; i < min(end, t.middle.count); i++ {
		h, hid := g.word(t.middle.word(i))
		if h == none {
			continue
		}
		p2, backed := t.bigram(i), t.unigramBackoff(hid)+p1
		prob := math.Exp(p2)
		excess[h] += prob - math.Exp(backed)
		joint := math.Exp(t.unigram(hid)) * prob
		if joint*(p2-backed) > keepBigram {
			g.bi = append(g.bi, gram3(none, h, w))
		}
		if joint > keepTrigram/4 {
			g.scanPair(i, h, w)
		}
	}
}

// scanPair does the same for the trigrams that end in the i-th bigram, h w.
func (g *background) scanPair(i, h, w uint32) {
	t := g.trie
	p2 := t.bigram(i)
	for j := t.middle.next(i); j < min(t.middle.next(i+1), t.longest.count); j++ {
		a, aid := g.word(t.longest.word(j))
		if a == none {
			continue
		}
		p3 := t.trigram(j)
		history := math.Exp(t.unigram(aid) + t.logBigram(aid, g.toTrie[h]-1))
		if history*math.Exp(p3)*(p3-p2) > keepTrigram {
			g.tri = append(g.tri, gram3(a, h, w))
		}
	}
}

// word is the vocabulary's id of a word of the trie, none if it has none.
func (g *background) word(id uint32) (uint32, uint32) {
	if id >= uint32(len(g.fromTrie)) {
		return none, id
	}
	return g.fromTrie[id], id
}

func (g *background) knows(w uint32) bool { return g.toTrie[w] > 0 }

func (g *background) p1(c uint32) float64 {
	if !g.knows(c) {
		return rare
	}
	return math.Exp(g.trie.unigram(g.toTrie[c]-1)) / g.mass
}

func (g *background) p2(b, c uint32) float64 {
	if !g.knows(c) {
		return rare
	}
	return math.Exp(g.trie.logBigram(g.toTrie[b]-1, g.toTrie[c]-1)) * g.scale[b]
}

func (g *background) p3(a, b, c uint32) float64 {
	if !g.knows(c) {
		return rare
	}
	return math.Exp(g.trie.logTrigram(g.toTrie[a]-1, g.toTrie[b]-1, g.toTrie[c]-1))
}

func (g *background) grams() (bi, tri []gram) { return g.bi, g.tri }

// grown is a General as the base of an agent with words of its own: what the
// General cannot know of them comes from the background.
type grown struct {
	m     *Model
	trie  *Trie
	ids   []uint32 // trie id + 1 of each word, for the new words and the old
	mass  float64
	extra []gram // bigrams with a new word
}

func newGrown(g *General, v *vocabulary) *grown {
	x := &grown{m: g.model, trie: g.opt.Background, mass: 1}
	if x.trie == nil {
		return x
	}
	x.mass = g.mass
	x.ids = make([]uint32, len(v.words))
	for i, w := range v.words[start:] {
		if id, ok := x.trie.ids[w]; ok {
			x.ids[start+i] = id + 1
		}
	}
	for w := len(g.model.prob); w < len(v.words); w++ {
		x.scan(uint32(w), v)
	}
	return x
}

// scan keeps the telling bigrams that end in a new word, and those from it to
// the most frequent words.
func (x *grown) scan(w uint32, v *vocabulary) {
	if x.ids[w] == 0 {
		return
	}
	t, id := x.trie, x.ids[w]-1
	begin, end := t.children(id)
	for i := begin; i < min(end, t.middle.count); i++ {
		hid := t.middle.word(i)
		if hid >= uint32(len(t.words)) {
			continue
		}
		p2, backed := t.bigram(i), t.unigramBackoff(hid)+t.unigram(id)
		if math.Exp(t.unigram(hid)+p2)*(p2-backed) <= keepBigram/2 {
			continue
		}
		if h, ok := v.ids[t.words[hid]]; ok {
			x.extra = append(x.extra, gram3(none, h, w))
		}
	}
	for _, c := range x.m.frequent {
		if x.ids[c] == 0 {
			continue
		}
		p2, backed := t.logBigram(id, x.ids[c]-1), t.unigramBackoff(id)+t.unigram(x.ids[c]-1)
		if math.Exp(t.unigram(id)+p2)*(p2-backed) > keepBigram/2 {
			x.extra = append(x.extra, gram3(none, w, c))
		}
	}
}

func (x *grown) old(w uint32) bool { return int(w) < len(x.m.prob) }

func (x *grown) knows(w uint32) bool { return x.old(w) || x.trie != nil && x.ids[w] > 0 }

func (x *grown) p1(c uint32) float64 {
	switch {
	case x.old(c):
		return x.m.prob[c]
	case x.knows(c):
		return math.Exp(x.trie.unigram(x.ids[c]-1)) / x.mass
	}
	return rare
}

func (x *grown) p2(b, c uint32) float64 {
	switch {
	case x.old(b) && x.old(c):
		return x.m.conditional(b, c)
	case x.trie != nil && x.ids[b] > 0 && x.ids[c] > 0:
		return math.Exp(x.trie.logBigram(x.ids[b]-1, x.ids[c]-1))
	}
	return x.p1(c)
}

func (x *grown) p3(a, b, c uint32) float64 {
	if x.old(a) && x.old(b) && x.old(c) {
		return x.m.full(a, b, c)
	}
	return x.p2(b, c)
}

func (x *grown) grams() (bi, tri []gram) {
	bi = slices.Grow(slices.Clone(x.extra), len(x.m.bi))
	for _, e := range x.m.bi {
		bi = append(bi, e.gram)
	}
	for _, e := range x.m.tri {
		tri = append(tri, e.gram)
	}
	return bi, tri
}
