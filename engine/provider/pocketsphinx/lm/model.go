package lm

import (
	"math"
	"slices"
	"sort"

	"flametree/engine/provider"
)

// Settings of the mixture, found on the development sentences.
const (
	domainTokens = 60000.0 // how much the agent's sentences count against their own smoothing
	trust        = 0.5     // the domain's share where it knows the history well
	doubt        = 20.0    // weight of a history at which it has half of that share
	keepBigram   = 2e-6    // least gain in likelihood that pays for an n-gram
	keepTrigram  = 2e-6
	topWords     = 1500 // of general English, beside the words of the agent
)

// Options of Build. The zero value builds from the agent's sentences alone.
type Options struct {
	// Background is general English; nil leaves it out.
	Background *Trie
	// Known reports whether there is a pronunciation for a word that only the
	// builder made up by inflection; nil means that there is none.
	Known func(word string) bool
}

// Model is a trigram model ready to be written. It is immutable.
type Model struct {
	vocab     *vocabulary
	acronyms  map[string]bool
	prob      []float64 // by word
	backoff   []float64 // by word
	bi, tri   []entry
	sentences int
}

// entry is one n-gram with the logarithms (base e) of probability and back-off.
type entry struct {
	gram
	prob, backoff float64
}

// Build makes the model for the vocabulary of h.
func Build(h provider.Hints, opt Options) *Model {
	m := &Model{vocab: newVocabulary(), acronyms: make(map[string]bool)}
	c := &counter{vocab: m.vocab}
	all := sources(h, m.acronyms)
	for _, s := range all {
		if s.hole != "" {
			c.framed(s, s.share*domainTokens)
			continue
		}
		list := make([][]uint32, 0, len(s.fixed))
		for _, f := range s.fixed {
			list = append(list, m.vocab.sentence(f))
		}
		c.sentences(list, s.share*domainTokens)
	}
	m.extend(opt)
	d := newDomain(merge(c.events), len(m.vocab.words))
	m.mix(d, newBackground(opt.Background, m.vocab))
	return m
}

// extend adds words nobody put into a sentence: other forms of the agent's
// words, and the most frequent words of English.
func (m *Model) extend(opt Options) {
	if opt.Known != nil {
		function := wordSet(functionWords)
		for _, w := range slices.Clone(m.vocab.words[first:]) {
			if function[w] {
				continue
			}
			for _, f := range inflections(w) {
				if _, ok := m.vocab.ids[f]; !ok && opt.Known(f) {
					m.vocab.id(f)
				}
			}
		}
	}
	if t := opt.Background; t != nil {
		for _, w := range t.frequent(topWords) {
			if opt.Known == nil || opt.Known(w) {
				m.vocab.id(w)
			}
		}
	}
}

// frequent returns the n most frequent words, the most frequent first.
func (t *Trie) frequent(n int) []string {
	order := make([]uint32, len(t.words))
	for i := range order {
		order[i] = uint32(i)
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := t.unigram(order[i]), t.unigram(order[j])
		return a > b || a == b && order[i] < order[j]
	})
	var out []string
	for _, i := range order {
		if w := t.words[i]; latin(w) && len(out) < n {
			out = append(out, w)
		}
	}
	return out
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

// mixture is the two models and how far each is trusted.
type mixture struct {
	d *domain
	g *background
}

// share is the domain's part of a mixture for a history it saw with weight n.
func share(n float64) float64 { return trust * n / (n + doubt) }

func (x mixture) p1(c uint32) float64 {
	if x.g.trie == nil {
		return x.d.p1(c)
	}
	return trust*x.d.p1(c) + (1-trust)*x.g.p1(c)
}

func (x mixture) p2(b, c uint32) float64 {
	if !x.g.knows(b) {
		return x.d.p2(b, c)
	}
	s := share(x.d.n2[b])
	return s*x.d.p2(b, c) + (1-s)*x.g.p2(b, c)
}

func (x mixture) p3(a, b, c uint32, weight float64) float64 {
	if !x.g.knows(a) || !x.g.knows(b) {
		return x.d.p3(a, b, c, weight)
	}
	s := share(x.d.n3[gram3(none, a, b)].weight)
	return s*x.d.p3(a, b, c, weight) + (1-s)*x.g.p3(a, b, c)
}

// mix takes the n-grams worth keeping from both models and gives the rest of
// each history's probability to the shorter history.
func (m *Model) mix(d *domain, g *background) {
	x := mixture{d, g}
	n := uint32(len(m.vocab.words))
	m.prob, m.backoff = make([]float64, n), make([]float64, n)
	sum := 0.0
	for c := uint32(end); c < n; c++ {
		m.prob[c] = x.p1(c)
		sum += m.prob[c]
	}
	for c := range m.prob {
		m.prob[c] /= sum
	}
	m.bigrams(x)
	m.trigrams(x)
}

func (m *Model) bigrams(x mixture) {
	keys := make([]gram, 0, len(x.d.bi)+len(x.g.bi))
	for k := range x.d.bi {
		keys = append(keys, k)
	}
	for _, e := range x.g.bi {
		keys = append(keys, e.gram)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for i := 0; i < len(keys); {
		_, h, _ := keys[i].words()
		listed, lower, from := 0.0, 0.0, len(m.bi)
		for ; i < len(keys); i++ {
			_, b, c := keys[i].words()
			if b != h {
				break
			}
			p := x.p2(b, c)
			if p*math.Log(p/m.prob[c])*m.historyWeight(h) < keepBigram/4 {
				continue
			}
			listed, lower = listed+p, lower+m.prob[c]
			m.bi = append(m.bi, entry{gram: keys[i], prob: p})
		}
		m.backoff[h] = 1
		if len(m.bi) > from {
			m.backoff[h] = rest(listed) / rest(lower)
		}
	}
	for h := range m.backoff {
		if m.backoff[h] == 0 {
			m.backoff[h] = 1
		}
	}
}

func (m *Model) historyWeight(h uint32) float64 {
	if h == start {
		return m.prob[end]
	}
	return m.prob[h]
}

// rest is what a sum of probabilities leaves, never quite nothing.
func rest(sum float64) float64 { return max(1-sum, 1e-3) }

// bigramAt finds a kept bigram.
func (m *Model) bigramAt(b, c uint32) (int, bool) {
	return slices.BinarySearchFunc(m.bi, gram3(none, b, c), func(e entry, g gram) int {
		switch {
		case e.gram < g:
			return -1
		case e.gram > g:
			return 1
		}
		return 0
	})
}

// conditional is the model's own P(c | b).
func (m *Model) conditional(b, c uint32) float64 {
	if i, ok := m.bigramAt(b, c); ok {
		return m.bi[i].prob
	}
	return m.backoff[b] * m.prob[c]
}

func (m *Model) trigrams(x mixture) {
	for i := range m.bi {
		m.bi[i].backoff = 1
	}
	all := make([]event, 0, len(x.d.tri)+len(x.g.tri))
	all = append(all, x.d.tri...)
	for _, e := range x.g.tri {
		all = append(all, event{e.gram, 0})
	}
	all = merge(all)
	for i := 0; i < len(all); {
		a, b, _ := all[i].words()
		h, kept := m.bigramAt(a, b)
		listed, lower, from := 0.0, 0.0, len(m.tri)
		for ; i < len(all); i++ {
			p, q, c := all[i].words()
			if p != a || q != b {
				break
			}
			if !kept {
				continue
			}
			prob, short := x.p3(a, b, c, all[i].weight), m.conditional(b, c)
			if m.historyWeight(a)*m.bi[h].prob*prob*math.Log(prob/short) < keepTrigram/4 {
				continue
			}
			listed, lower = listed+prob, lower+short
			m.tri = append(m.tri, entry{gram: all[i].gram, prob: prob})
		}
		if len(m.tri) > from {
			m.bi[h].backoff = rest(listed) / rest(lower)
		}
	}
}
