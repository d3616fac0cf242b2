package knowledge

import (
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flametree/engine/knowledge/lexis"
)

// field is the part of a passage in which a term stands, the better the higher.
type field uint8

const (
	inBody field = iota + 1
	inTitle
	inQuestion
)

// The constants of BM25: how soon a repeated word tells nothing more, and how
// much a long passage is held against it.
const (
	saturation = 1.2
	lengthPart = 0.75
	worthMost  = 1 + saturation // no posting is worth as much
)

// Change makes an Index without the passages that drop names by their numbers
// (nil = none) and with those of add, without reading again what stays. The
// passages that stay keep their order and come first, those of add follow;
// stayed holds the old numbers of the former. x is as it was. Both are safe to
// search. It takes time and memory in proportion to the whole.
func (x *Index) Change(drop func(passage int32) bool, add []Source) (changed *Index, stayed []int32) {
	b := builder{
		Index: &Index{lex: x.lex, w: x.w, terms: x.terms, names: slices.Clip(x.names), weight: slices.Clip(x.weight)},
		stems: make(map[string]int32),
	}
	b.chunks = make([]chunk, 0, len(x.chunks)+len(add))
	stayed = make([]int32, 0, len(x.chunks))
	for i, c := range x.chunks {
		if drop == nil || !drop(int32(i)) {
			b.chunks = append(b.chunks, c)
			stayed = append(stayed, int32(i))
		}
	}
	if len(add) > 0 {
		b.terms = maps.Clone(x.terms)
		b.addAll(add)
	}
	b.finish()
	return b.Index, stayed
}

// builder numbers terms while an Index is made.
type builder struct {
	*Index
	stems map[string]int32 // word to number of its stem, -1 for an empty word
}

func (b *builder) addAll(sources []Source) {
	for _, s := range sources {
		passages := s.Passages()
		for _, t := range passages {
			b.add(s, t, len(passages))
		}
	}
}

// Passages are the texts that an Index makes of a source, in order: an answer is
// one, another text is cut by Chunk.
func (s Source) Passages() []string {
	if s.Kind == FAQ {
		return []string{clip(s.Text)}
	}
	return Chunk(s.Text)
}

func (b *builder) add(s Source, text string, siblings int) {
	c := chunk{src: s, text: text, question: b.read(s.Question), title: b.read(s.Title), siblings: siblings}
	for _, sec := range lexis.Sections(text) {
		heading := b.read(sec.Heading)
		for _, t := range sec.Sentences {
			r := reading{text: t, head: sec.Heading, heading: heading, facts: lexis.FactsOf(t)}
			c.facts |= r.facts
			b.prose(&c, &r)
			c.sentences = append(c.sentences, r)
		}
		if len(sec.Sentences) == 0 && len(heading) > 0 {
			c.sentences = append(c.sentences, reading{text: sec.Heading, own: heading, inside: len(heading)})
		}
	}
	c.sentences = slices.Clip(c.sentences)
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

// prose is read for a sentence; it notes as well which words inside it are
// written with a capital.
func (b *builder) prose(c *chunk, r *reading) {
	words := lexis.Words(r.text)
	r.own = make([]int32, 0, len(words)/2)
	for i, w := range words {
		n := b.term(w.Text)
		if n < 0 {
			continue
		}
		r.own = append(r.own, n)
		if i == 0 {
			r.inside = 1
			continue
		}
		if l, _ := utf8.DecodeRuneInString(r.text[w.Start:]); unicode.IsUpper(l) {
			c.capital = append(c.capital, n)
		}
	}
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
		b.weight = append(b.weight, b.lex.StemWeight(stem)) // of the stem: which form of it came first must not matter
	}
	return n
}

// places calls put for each place of a term in a passage, title and question
// before prose; a heading is read once for the sentences under it.
func (c *chunk) places(put func(term int32, in field)) {
	each := func(terms []int32, in field) {
		for _, t := range terms {
			put(t, in)
		}
	}
	each(c.question, inQuestion)
	each(c.title, inTitle)
	var previous []int32
	for _, s := range c.sentences {
		each(s.own, inBody)
		if !same(previous, s.heading) {
			each(s.heading, inTitle)
		}
		previous = s.heading
	}
}

func same(a, b []int32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// length is how long a passage is, in terms.
func (c *chunk) length() int {
	n := len(c.question)
	for _, s := range c.sentences {
		n += len(s.own)
	}
	return n
}

// finish makes what needs all passages: postings, names, trigrams of the vocabulary.
func (b *builder) finish() {
	b.desks = make(chan *desk, keptDesks)
	b.index()
	b.capitals()
	b.marks = make([]uint64, len(b.names))
	b.first = make(map[byte][]int32)
	for i, name := range b.names {
		if len(name) >= shortest && len(b.post[i]) > 0 {
			b.marks[i] = mark(name)
			b.first[name[0]] = append(b.first[name[0]], int32(i))
		}
	}
	for _, terms := range b.first {
		slices.SortFunc(terms, func(p, q int32) int { return strings.Compare(b.names[p], b.names[q]) })
	}
}

// index writes the postings, one a term and passage, with its best field: first
// it counts them, so that all stand in one piece of memory.
func (b *builder) index() {
	counts, seen := make([]int32, len(b.names)), make([]int32, len(b.names))
	total, prose := 0, 0
	for i := range b.chunks {
		c, n := &b.chunks[i], int32(i)+1
		c.places(func(t int32, _ field) {
			if seen[t] != n {
				seen[t] = n
				counts[t]++
				total++
			}
		})
		prose += c.length() - len(c.question)
	}
	all := make([]posting, total)
	b.post = make([][]posting, len(b.names))
	for t, n := range counts {
		b.post[t], all = all[:0:n], all[n:]
	}
	mean := math.Max(1, float64(prose)/float64(max(1, len(b.chunks))))
	var terms []int32
	stands := make([]struct {
		in    field
		times int32
	}, len(b.names))
	for i := range b.chunks {
		c := &b.chunks[i]
		terms = terms[:0]
		c.places(func(t int32, in field) {
			s := &stands[t]
			if s.times == 0 {
				terms = append(terms, t)
			}
			s.in, s.times = max(s.in, in), min(s.times+1, math.MaxUint8)
		})
		long := saturation * (1 - lengthPart + lengthPart*float32(c.length())/float32(mean))
		for _, t := range terms {
			s := &stands[t]
			tf := float32(s.times) * (0.5 + 0.5*float32(s.in))
			b.post[t] = append(b.post[t], posting{chunk: int32(i), worth: tf * worthMost / (tf + long)})
			s.in, s.times = 0, 0
		}
	}
}

// capitals finds the names: four times in five written with a capital inside
// sentences.
func (b *builder) capitals() {
	capital, inside := make([]int32, len(b.names)), make([]int32, len(b.names))
	for i := range b.chunks {
		c := &b.chunks[i]
		for _, t := range c.capital {
			capital[t]++
		}
		for _, s := range c.sentences {
			for _, t := range s.own[s.inside:] {
				inside[t]++
			}
		}
	}
	b.thing = make([]bool, len(b.names))
	for t := range b.thing {
		b.thing[t] = capital[t] > 0 && capital[t]*5 >= inside[t]*4
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
