package lm

import (
	"math"
	"slices"
)

// background is the part of general English whose words are all in the
// vocabulary, with the probabilities scaled so that they add up to one again.
type background struct {
	trie     *Trie
	toTrie   []uint32 // vocabulary id → trie id + 1; 0 = unknown there
	fromTrie []uint32
	mass     float64   // of the unigrams in the vocabulary
	scale    []float64 // by history: 1 / mass of its followers in the vocabulary
	bi, tri  []event   // the n-grams worth keeping, weight = ln P
}

func newBackground(t *Trie, v *vocabulary) *background {
	g := &background{trie: t, toTrie: make([]uint32, len(v.words)), scale: make([]float64, len(v.words))}
	if t == nil {
		return g
	}
	g.fromTrie = make([]uint32, len(t.words))
	for i, w := range v.words {
		if id, ok := t.ids[w]; ok && i >= start {
			g.toTrie[i] = id + 1
			g.fromTrie[id] = uint32(i)
			if i != start {
				g.mass += math.Exp(t.unigram(id))
			}
		}
	}
	g.scan()
	return g
}

// scan walks over all bigrams and trigrams within the vocabulary, measures how
// much each history gives to words outside, and keeps what tells more than its
// shorter form would.
func (g *background) scan() {
	t := g.trie
	excess := make([]float64, len(g.toTrie))
	for w := uint32(start); w < uint32(len(g.toTrie)); w++ {
		if g.toTrie[w] == 0 {
			continue
		}
		g.scanWord(w, excess)
	}
	for h := range g.scale {
		if g.toTrie[h] == 0 {
			continue
		}
		in := excess[h] + math.Exp(t.unigramBackoff(g.toTrie[h]-1))*g.mass
		g.scale[h] = 1 / max(min(in, 1), 0.05)
	}
	slices.SortFunc(g.bi, func(a, b event) int { return int(int64(a.gram>>1) - int64(b.gram>>1)) })
}

func (g *background) scanWord(w uint32, excess []float64) {
	t := g.trie
	id := g.toTrie[w] - 1
	p1 := t.unigram(id)
	begin, end := t.children(id)
	for i := begin; i < end && i < t.middle.count; i++ {
		hid := t.middle.word(i)
		if hid >= uint32(len(g.fromTrie)) || g.fromTrie[hid] == none {
			continue
		}
		h := g.fromTrie[hid]
		p2, backed := t.bigram(i), t.unigramBackoff(hid)+p1
		prob := math.Exp(p2)
		excess[h] += prob - math.Exp(backed)
		joint := math.Exp(t.unigram(hid)) * prob
		if joint*(p2-backed) > keepBigram {
			g.bi = append(g.bi, event{gram3(none, h, w), p2})
		}
		if joint > keepTrigram/4 {
			g.scanPair(t.middle.next(i), t.middle.next(i+1), h, w, p2)
		}
	}
}

func (g *background) scanPair(begin, end, h, w uint32, p2 float64) {
	t := g.trie
	for j := begin; j < end && j < t.longest.count; j++ {
		gid := t.longest.word(j)
		if gid >= uint32(len(g.fromTrie)) || g.fromTrie[gid] == none {
			continue
		}
		p3 := t.trigram(j)
		if history := math.Exp(t.unigram(gid) + t.logBigram(gid, g.toTrie[h]-1)); history*math.Exp(p3)*(p3-p2) > keepTrigram {
			g.tri = append(g.tri, event{gram3(g.fromTrie[gid], h, w), p3})
		}
	}
}

func (g *background) knows(w uint32) bool { return g.trie != nil && g.toTrie[w] > 0 }

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

// rare is what general English gives to a word it does not have.
const rare = 1e-7
