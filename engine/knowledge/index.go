package knowledge

import (
	"math"
	"unicode"
	"unicode/utf8"

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
	post   [][]posting      // by number
	first  map[byte][]int32 // terms of five letters and more by their first
	marks  []uint64         // their trigrams, by number
	length float64          // mean, in weighted terms
}

// field is the part of a passage in which a term stands, the better the higher.
type field uint8

const (
	inBody field = iota + 1
	inTitle
	inQuestion
)

// posting is one term's place in one passage.
type posting struct {
	chunk int32
	field field
	count uint8
}

// chunk is one passage, read.
type chunk struct {
	src       Source
	text      string
	question  []int32     // terms of the question, in order
	title     []int32     // terms of the title
	sentences []reading   // of the text
	facts     lexis.Facts // of all sentences
	length    float32
}

// reading is one sentence with the terms of its heading apart.
type reading struct {
	text, head   string
	own, heading []int32
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
	for _, s := range sources {
		if s.Kind == FAQ {
			b.add(s, clip(s.Text))
			continue
		}
		for _, t := range Chunk(s.Text) {
			b.add(s, t)
		}
	}
	b.finish()
	return b.Index
}

// Len is the number of passages.
func (x *Index) Len() int { return len(x.chunks) }

// Lexicon is the one the index was built with.
func (x *Index) Lexicon() *lexis.Lexicon { return x.lex }

// builder numbers terms while an Index is made.
type builder struct {
	*Index
	stems map[string]int32 // word to number of its stem, -1 for an empty word

	capital, inside []int // by number: written with a capital inside a sentence, and at all there
}

func (b *builder) add(s Source, text string) {
	c := chunk{src: s, text: text, question: b.read(s.Question), title: b.read(s.Title)}
	for _, sec := range lexis.Sections(text) {
		heading := b.read(sec.Heading)
		for _, t := range sec.Sentences {
			c.facts |= lexis.FactsOf(t)
			c.sentences = append(c.sentences, reading{text: t, head: sec.Heading, own: b.prose(t), heading: heading, facts: lexis.FactsOf(t)})
		}
		if len(sec.Sentences) == 0 && len(heading) > 0 {
			c.sentences = append(c.sentences, reading{text: sec.Heading, own: heading})
		}
	}
	b.index(c)
	b.chunks = append(b.chunks, c)
}

// read turns a title, heading or question into the numbers of its terms.
func (b *builder) read(text string) []int32 {
	words := lexis.Words(text)
	out := make([]int32, 0, len(words)/2)
	for _, w := range words {
		if n := b.term(w.Text); n >= 0 {
			out = append(out, n)
		}
	}
	return out
}

// prose is read for a sentence; it counts as well how often the words inside it
// are written with a capital.
func (b *builder) prose(sentence string) []int32 {
	words := lexis.Words(sentence)
	out := make([]int32, 0, len(words)/2)
	for i, w := range words {
		n := b.term(w.Text)
		if n < 0 {
			continue
		}
		out = append(out, n)
		if i == 0 {
			continue
		}
		b.inside[n]++
		if r, _ := utf8.DecodeRuneInString(sentence[w.Start:]); unicode.IsUpper(r) {
			b.capital[n]++
		}
	}
	return out
}

// term is the number of a word's stem, -1 for an empty word.
func (b *builder) term(word string) int32 {
	n, ok := b.stems[word]
	if !ok {
		n = b.number(word)
		b.stems[word] = n
	}
	return n
}

func (b *builder) number(word string) int32 {
	if b.lex.Weight(word) == lexis.Empty {
		return -1
	}
	stem := b.lex.Stem(word)
	n, ok := b.terms[stem]
	if !ok {
		n = int32(len(b.names))
		b.terms[stem] = n
		b.names = append(b.names, stem)
		b.weight = append(b.weight, b.lex.Weight(word))
		b.thing = append(b.thing, false)
		b.capital, b.inside = append(b.capital, 0), append(b.inside, 0)
		b.post = append(b.post, nil)
	}
	return n
}

// index writes a passage's postings: one a term, with its best field.
func (b *builder) index(c chunk) {
	n := int32(len(b.chunks))
	put := func(terms []int32, f field) {
		for _, t := range terms {
			p := b.post[t]
			if last := len(p) - 1; last >= 0 && p[last].chunk == n {
				p[last].field = max(p[last].field, f)
				p[last].count = min(p[last].count, 254) + 1
				continue
			}
			b.post[t] = append(p, posting{chunk: n, field: f, count: 1})
		}
	}
	put(c.question, inQuestion)
	put(c.title, inTitle)
	var previous []int32
	for _, s := range c.sentences {
		put(s.own, inBody)
		if !same(previous, s.heading) {
			put(s.heading, inTitle)
		}
		previous = s.heading
		b.length += float64(len(s.own))
	}
}

func same(a, b []int32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// finish makes what needs all passages: mean length, names, trigrams of the vocabulary.
func (b *builder) finish() {
	for i := range b.thing {
		b.thing[i] = b.capital[i] > 0 && b.capital[i]*5 >= b.inside[i]*4
	}
	for i := range b.chunks {
		n := len(b.chunks[i].question)
		for _, s := range b.chunks[i].sentences {
			n += len(s.own)
		}
		b.chunks[i].length = float32(n)
	}
	b.length = math.Max(1, b.length/float64(max(1, len(b.chunks))))
	b.marks = make([]uint64, len(b.names))
	b.first = make(map[byte][]int32)
	for i, name := range b.names {
		if len(name) >= 5 {
			b.marks[i] = mark(name)
			b.first[name[0]] = append(b.first[name[0]], int32(i))
		}
	}
}

// mark is the set of a word's hashed trigrams: words with few marks in common
// are not spelled alike, and that is seen without comparing letters.
func mark(name string) uint64 {
	var m uint64
	for i, n := range lexis.Trigrams(name) {
		if n > 0 {
			m |= 1 << i
		}
	}
	return m
}

// Knows reports whether a stem stands in any passage.
func (x *Index) Knows(stem string) bool {
	_, ok := x.terms[stem]
	return ok
}
