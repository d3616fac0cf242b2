package lm

import (
	"cmp"
	"math"
	"slices"
)

// Model is a trigram model ready to be written. It is immutable.
type Model struct {
	vocab    *vocabulary
	acronyms map[string]bool
	frequent []uint32  // words of general English, the most frequent first
	prob     []float64 // by word
	backoff  []float64 // by word
	bi, tri  []entry   // sorted
}

// entry is one n-gram with its probability and the weight of its back-off.
type entry struct {
	gram
	prob, backoff float64
}

// Words returns the vocabulary, sorted.
func (m *Model) Words() []string {
	out := slices.Clone(m.vocab.words[first:])
	slices.Sort(out)
	return out
}

// Acronym reports whether the agent writes the word in capitals only, so that
// it may be spelled out: VIP, SMS.
func (m *Model) Acronym(word string) bool { return m.acronyms[word] }

// Size returns how many words, bigrams and trigrams the model has.
func (m *Model) Size() (words, bigrams, trigrams int) {
	return len(m.prob) - first, len(m.bi), len(m.tri)
}

// find looks for an n-gram among sorted ones.
func find(sorted []entry, g gram) (int, bool) {
	return slices.BinarySearchFunc(sorted, g, func(e entry, g gram) int { return cmp.Compare(e.gram, g) })
}

// conditional is P(c | b).
func (m *Model) conditional(b, c uint32) float64 {
	if i, ok := find(m.bi, gram3(none, b, c)); ok {
		return m.bi[i].prob
	}
	return m.backoff[b] * m.prob[c]
}

// full is P(c | a b).
func (m *Model) full(a, b, c uint32) float64 {
	if i, ok := find(m.tri, gram3(a, b, c)); ok {
		return m.tri[i].prob
	}
	if i, ok := find(m.bi, gram3(none, a, b)); ok {
		return m.bi[i].backoff * m.conditional(b, c)
	}
	return m.conditional(b, c)
}

// mixture is a domain laid upon a base, and how far the domain is trusted.
type mixture struct {
	d     *domain
	base  base    // nil: the domain alone
	plain float64 // the domain's share of the words without history
	most  float64 // its share where it knows the history well
}

// share is the domain's part for a history it saw with weight n.
func (x mixture) share(n float64) float64 { return x.most * n / (n + doubt) }

func (x mixture) p1(c uint32) float64 {
	if x.base == nil {
		return x.d.p1(c)
	}
	return x.plain*x.d.p1(c) + (1-x.plain)*x.base.p1(c)
}

func (x mixture) p2(b, c uint32) float64 {
	if x.base == nil || !x.base.knows(b) {
		return x.d.p2(b, c)
	}
	s := x.share(x.d.n2[b])
	if s == 0 {
		return x.base.p2(b, c)
	}
	return s*x.d.p2(b, c) + (1-s)*x.base.p2(b, c)
}

// history is what the domain saw after two words.
type history struct {
	a, b              uint32
	weight, followers float64
}

func (x mixture) p3(h history, c uint32, weight float64) float64 {
	if x.base == nil || !x.base.knows(h.a) || !x.base.knows(h.b) {
		if h.weight == 0 {
			return x.p2(h.b, c)
		}
		return x.d.p3(h.b, c, weight, h.weight, h.followers)
	}
	s := x.share(h.weight)
	if s == 0 {
		return x.base.p3(h.a, h.b, c)
	}
	return s*x.d.p3(h.b, c, weight, h.weight, h.followers) + (1-s)*x.base.p3(h.a, h.b, c)
}

// mix takes the n-grams worth keeping from both models and gives the rest of
// each history's probability to the shorter history.
func (m *Model) mix(x mixture) {
	n := len(m.vocab.words)
	m.prob, m.backoff = make([]float64, n), make([]float64, n)
	sum := 0.0
	for c := end; c < n; c++ {
		m.prob[c] = x.p1(uint32(c))
		sum += m.prob[c]
	}
	for c := range m.prob {
		m.prob[c] /= sum
		m.backoff[c] = 1
	}
	var bi, tri []gram
	if x.base != nil {
		bi, tri = x.base.grams()
	}
	m.bigrams(x, union(bi, x.d.bi))
	m.trigrams(x, union(tri, x.d.tri))
}

// candidate is an n-gram that may be worth keeping.
type candidate struct {
	event
	based bool // the base lists it
}

// negligible is the weight of an n-gram that the domain alone cannot make worth
// keeping: its share of all tokens is under what keepTrigram asks for.
const negligible = 0.01

// union sorts n-grams of both models and attaches the domain's weights.
func union(grams []gram, events []event) []candidate {
	slices.Sort(grams)
	grams = slices.Compact(grams)
	out := make([]candidate, 0, len(grams)+len(events))
	for _, e := range events {
		for len(grams) > 0 && grams[0] < e.gram {
			out, grams = append(out, candidate{event{grams[0], 0}, true}), grams[1:]
		}
		c := candidate{event: e}
		if len(grams) > 0 && grams[0] == e.gram {
			c.based, grams = true, grams[1:]
		}
		out = append(out, c)
	}
	for _, g := range grams {
		out = append(out, candidate{event{g, 0}, true})
	}
	return out
}

func (m *Model) bigrams(x mixture, all []candidate) {
	for i := 0; i < len(all); {
		_, h, _ := all[i].words()
		listed, lower, from := 0.0, 0.0, len(m.bi)
		for ; i < len(all); i++ {
			_, b, c := all[i].words()
			if b != h {
				break
			}
			p := x.p2(b, c)
			if p*math.Log(p/m.prob[c])*m.often(h) < keepBigram/4 {
				continue
			}
			listed, lower = listed+p, lower+m.prob[c]
			m.bi = append(m.bi, entry{gram: all[i].gram, prob: p, backoff: 1})
		}
		if len(m.bi) > from {
			m.backoff[h] = rest(listed) / rest(lower)
		}
	}
}

func (m *Model) trigrams(x mixture, all []candidate) {
	for i := 0; i < len(all); {
		a, b, _ := all[i].words()
		j, seen := i, history{a: a, b: b}
		for ; j < len(all) && all[j].gram>>wordBits == all[i].gram>>wordBits; j++ {
			if all[j].weight > 0 {
				seen.weight += all[j].weight
				seen.followers++
			}
		}
		if at, ok := find(m.bi, gram3(none, a, b)); ok {
			m.follow(x, at, seen, all[i:j])
		}
		i = j
	}
}

// follow keeps what is worth keeping of the words seen after one bigram.
func (m *Model) follow(x mixture, at int, h history, all []candidate) {
	listed, lower, from := 0.0, 0.0, len(m.tri)
	often := m.often(h.a) * m.bi[at].prob
	for _, e := range all {
		if !e.based && e.weight < negligible {
			continue
		}
		_, _, c := e.words()
		p, short := x.p3(h, c, e.weight), m.conditional(h.b, c)
		if often*p*math.Log(p/short) < keepTrigram/4 {
			continue
		}
		listed, lower = listed+p, lower+short
		m.tri = append(m.tri, entry{gram: e.gram, prob: p})
	}
	if len(m.tri) > from {
		m.bi[at].backoff = rest(listed) / rest(lower)
	}
}

// often is how often a history begins; a sentence begins as often as it ends.
func (m *Model) often(h uint32) float64 {
	if h == start {
		return m.prob[end]
	}
	return m.prob[h]
}

// rest is what a sum of probabilities leaves, never quite nothing.
func rest(sum float64) float64 { return max(1-sum, 1e-3) }
