package knowledge

import (
	"flametree/engine/knowledge/lexis"
)

// Kind says how a Source is written.
type Kind string

// The kinds of Source.
const (
	FAQ  Kind = "faq"  // Question and Text, its answer
	Text Kind = "text" // Title and Text
	Core Kind = "core" // Text that is always in the prompt; searched like a text
)

// Source is one entry of an agent's knowledge.
type Source struct {
	ID       string // the caller's own
	Kind     Kind
	Title    string // of the text, or of the collection a question belongs to
	Question string // FAQ only
	Text     string
}

// Hit is one passage that was found.
type Hit struct {
	ID       string // of its Source
	Source   string // for people: "faq:Limits", "text:Opening hours"
	Kind     Kind
	Title    string
	Question string
	Text     string  // the passage, not the whole text
	Score    float64 // 0..1

	chunk int32
}

// Index holds passages and finds them. It is immutable and safe for concurrent
// use.
type Index struct {
	lex    *lexis.Lexicon
	w      weights
	chunks []chunk
	terms  map[string]int32 // stem to number
	names  []string         // number to stem
	weight []float64        // number to what a word of this stem tells
	thing  []bool           // number to whether it is a name: written with a capital inside sentences
	post   [][]posting      // by number, each by rising passage
	first  map[byte][]int32 // terms of five letters and more by their first, in the order of the alphabet
	marks  []uint64         // their trigrams, by number
	desks  chan *desk       // what searches work on, for the next one
}

// posting is one term's place in one passage and what it is worth there by
// BM25, before the weight that the question gives it.
type posting struct {
	chunk int32
	worth float32
}

// chunk is one passage, read.
type chunk struct {
	src       Source
	text      string
	question  []int32     // terms of the question, in order
	title     []int32     // terms of the title
	sentences []reading   // of the text
	siblings  int         // passages of the source
	capital   []int32     // terms written with a capital inside a sentence, repeated ones too
	facts     lexis.Facts // of all sentences
}

// reading is one sentence with the terms of its heading apart.
type reading struct {
	text, head   string
	own, heading []int32
	inside       int // own from here on stands inside the sentence, not at its head
	facts        lexis.Facts
}

func (r reading) gives(n lexis.Need) bool { return r.facts.Has(n) }

// Build reads all sources once and makes an Index of them.
func Build(sources []Source) *Index { return BuildWith(lexis.New(), sources) }

// BuildWith is Build with a lexicon that is already there.
func BuildWith(lex *lexis.Lexicon, sources []Source) *Index {
	b := builder{
		Index: &Index{lex: lex, w: standard(), terms: make(map[string]int32)},
		stems: make(map[string]int32),
	}
	b.addAll(sources)
	b.finish()
	return b.Index
}

// Len is the number of passages.
func (x *Index) Len() int { return len(x.chunks) }

// Lexicon is the one the index was built with.
func (x *Index) Lexicon() *lexis.Lexicon { return x.lex }

// Knows reports whether a stem stands in any passage.
func (x *Index) Knows(stem string) bool {
	_, ok := x.known(stem)
	return ok
}

// known is the number of a stem that stands in a passage.
func (x *Index) known(stem string) (int32, bool) {
	n, ok := x.terms[stem]
	return n, ok && len(x.post[n]) > 0
}
