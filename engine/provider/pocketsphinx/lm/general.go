package lm

import (
	"maps"
	"slices"
	"sort"

	"flametree/engine/provider"
)

// Settings of the mixtures, found on the development sentences.
const (
	generalTokens = 30000.0 // how much general talk counts against its own smoothing
	generalPlain  = 0.35
	generalMost   = 0.45
	agentTokens   = 30000.0
	agentPlain    = 0.4
	agentMost     = 0.6
	doubt         = 20.0 // weight of a history at which it has half of that share
	keepBigram    = 2e-6 // least gain in likelihood that pays for an n-gram
	keepTrigram   = 2e-6
	topWords      = 1500 // of general English, beside the words of our sentences
	linkWords     = 300  // of them, those looked for behind an agent's own words
)

// Options of a General. The zero value builds from sentences alone.
type Options struct {
	// Background is general English; nil leaves it out.
	Background *Trie
	// Known reports whether there is a pronunciation for a word that only the
	// builder made up by inflection; nil means that there is none.
	Known func(word string) bool
}

// General is what callers of any agent say. Making one takes a second, making
// a model for an agent from it some tens of milliseconds. It is immutable and
// safe for concurrent use.
type General struct {
	opt    Options
	model  *Model
	frames frames
	mass   float64 // of the background within the vocabulary
}

// NewGeneral builds the common part of all models.
func NewGeneral(opt Options) *General {
	v := newVocabulary()
	c := &counter{vocab: v}
	general(c, generalTokens)
	g := &General{opt: opt, frames: newFrames(v), model: &Model{vocab: v}}
	x := mixture{plain: generalPlain, most: generalMost}
	if t := opt.Background; t != nil {
		for i, w := range t.frequent(topWords) {
			if opt.Known != nil && !opt.Known(w) {
				continue
			}
			id := v.id(w)
			if i < linkWords {
				g.model.frequent = append(g.model.frequent, id)
			}
		}
		b := newBackground(t, v)
		g.mass, x.base = b.mass, b
	}
	x.d = newDomain(merge(c.events), len(v.words))
	g.model.mix(x)
	return g
}

// Build makes the model for the vocabulary of h.
func (g *General) Build(h provider.Hints) *Model {
	s := subjectOf(h)
	v := &vocabulary{words: slices.Clone(g.model.vocab.words), ids: maps.Clone(g.model.vocab.ids)}
	c := &counter{vocab: v}
	s.count(c, g.frames, agentTokens)
	g.inflect(s, v)
	m := &Model{vocab: v, acronyms: s.acronyms}
	x := mixture{d: newDomain(merge(c.events), len(v.words)), plain: agentPlain, most: agentMost, base: newGrown(g, v)}
	m.mix(x)
	return m
}

// inflect adds other forms of the agent's own words.
func (g *General) inflect(s subject, v *vocabulary) {
	if g.opt.Known == nil {
		return
	}
	function := wordSet(functionWords)
	seen := make(map[uint32]bool)
	for _, t := range s.texts {
		for _, id := range v.sentence(t) {
			w := v.words[id]
			if seen[id] || function[w] {
				continue
			}
			seen[id] = true
			for _, f := range inflections(w) {
				if _, ok := v.ids[f]; !ok && g.opt.Known(f) {
					v.id(f)
				}
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
	out := make([]string, 0, n)
	for _, i := range order {
		if w := t.words[i]; latin(w) && len(out) < n {
			out = append(out, w)
		}
	}
	return out
}

// Build makes a General and from it one model.
func Build(h provider.Hints, opt Options) *Model { return NewGeneral(opt).Build(h) }
