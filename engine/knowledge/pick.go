package knowledge

import (
	"slices"
	"strings"

	"flametree/engine/knowledge/lexis"
)

// Sentence is a sentence of a passage with the heading it stands under.
type Sentence struct {
	Heading string
	Text    string
}

// carriedInside is weights.carried within a passage that was already chosen.
const carriedInside = 0.7

// Pick chooses from a passage, in its own order, the sentences that answer a
// question, of at most so many words together, at least one. A Hit must come
// from the same Index.
func (x *Index) Pick(q Query, h Hit, words int) []Sentence {
	c := &x.chunks[h.chunk]
	if len(c.sentences) == 0 {
		return nil
	}
	p := picker{c: c, left: words, taken: make([]bool, len(c.sentences))}
	p.score(x, q)
	best := p.best()
	p.take(best)
	switch {
	case c.src.Kind == FAQ:
		p.whole()
	case p.compare(x, q.Text):
	default:
		p.around(best)
		p.more(best)
	}
	var out []Sentence
	for i, s := range c.sentences {
		if p.taken[i] {
			out = append(out, Sentence{Heading: s.head, Text: s.text})
		}
	}
	return out
}

type picker struct {
	c      *chunk
	terms  []asked
	cover  [][]float64 // sentence by term
	scores []float64
	sum    float64
	left   int
	taken  []bool
	have   []float64 // what the taken sentences cover
}

// score says how much of the question each sentence covers.
func (p *picker) score(x *Index, q Query) {
	need := x.need(q)
	// Within a passage the turn before says which fact is meant.
	y := *x
	y.w.carried = carriedInside
	terms := y.question(q, need)
	p.terms = terms
	for _, a := range terms {
		p.sum += a.weight
	}
	p.have = make([]float64, len(terms))
	for _, s := range p.c.sentences {
		row := make([]float64, len(terms))
		total := 0.0
		for i, a := range terms {
			for _, o := range a.any {
				row[i] = max(row[i], o.fit*place(o.term, s.own, 1), o.fit*place(o.term, s.heading, x.w.heading))
			}
			if a.fact && s.gives(need) {
				// A price beside the word for it is a better price.
				row[i] = max(row[i], x.w.fact) + 0.2*row[i]
			}
			row[i] *= a.weight
			total += row[i]
		}
		switch {
		case s.gives(need):
			total += 0.2 * p.sum
		case need.Figure():
			total *= 0.6
		}
		p.cover = append(p.cover, row)
		p.scores = append(p.scores, total)
	}
}

func (p *picker) best() int {
	best := 0
	for i, s := range p.scores {
		if s > p.scores[best] {
			best = i
		}
	}
	return best
}

func (p *picker) take(i int) bool {
	n := len(strings.Fields(p.c.sentences[i].text))
	if p.taken[i] || p.left < n && p.any() {
		return false
	}
	p.taken[i] = true
	p.left -= n
	for t, v := range p.cover[i] {
		p.have[t] = max(p.have[t], v)
	}
	return true
}

func (p *picker) any() bool {
	return slices.Contains(p.taken, true)
}

// whole takes the answer of a FAQ from its beginning as far as it fits.
func (p *picker) whole() {
	for i := range p.c.sentences {
		if !p.taken[i] && !p.take(i) {
			return
		}
	}
}

// around takes what the best sentence leans on and what goes on from it.
func (p *picker) around(best int) {
	s := p.c.sentences
	if best > 0 && leansBack(s[best].text) && s[best-1].head == s[best].head {
		p.take(best - 1)
	}
	for i := best + 1; i < len(s) && i <= best+2 && s[i].head == s[best].head && leansBack(s[i].text); i++ {
		if !p.take(i) {
			return
		}
	}
}

// more takes up to two further sentences that cover what is still missing, as a
// comparison of two things needs.
func (p *picker) more(best int) {
	for range 2 {
		gain, at := 0.12*p.sum, -1
		for i := range p.c.sentences {
			g := 0.0
			for t, v := range p.cover[i] {
				if !p.terms[t].carried {
					g += max(0, v-p.have[t])
				}
			}
			if !p.taken[i] && g > gain && p.scores[i] >= 0.5*p.scores[best] {
				gain, at = g, i
			}
		}
		if at < 0 || !p.take(at) {
			return
		}
	}
}

// compare takes turns between the sections that a question of difference names.
func (p *picker) compare(x *Index, question string) bool {
	differ := false
	named := make(map[string]bool)
	for _, w := range lexis.Words(question) {
		switch w.Text {
		case "difference", "differences", "different", "differ", "compare", "comparison", "versus", "vs", "better":
			differ = true
		}
		named[x.lex.Stem(w.Text)] = true
	}
	if !differ {
		return false
	}
	heads := p.distinct(x, named)
	if len(heads) < 2 {
		return false
	}
	p.left, p.taken = p.left+len(strings.Fields(p.c.sentences[p.best()].text)), make([]bool, len(p.taken))
	for again := true; again; {
		again = false
		for _, h := range heads {
			for i, s := range p.c.sentences {
				if s.head == h && !p.taken[i] {
					again = p.take(i) || again
					break
				}
			}
		}
	}
	return true
}

// distinct are the headings that have a word of the question which no other
// heading has.
func (p *picker) distinct(x *Index, named map[string]bool) []string {
	count := make(map[int32]int)
	heads := make(map[string][]int32)
	var order []string
	for _, s := range p.c.sentences {
		if _, ok := heads[s.head]; ok || s.head == "" {
			continue
		}
		heads[s.head] = s.heading
		order = append(order, s.head)
		for _, t := range s.heading {
			count[t]++
		}
	}
	return slices.DeleteFunc(order, func(h string) bool {
		return !slices.ContainsFunc(heads[h], func(t int32) bool { return count[t] == 1 && named[x.names[t]] })
	})
}

// leansBack reports whether a sentence goes on from the one before it.
func leansBack(s string) bool {
	first, _, _ := strings.Cut(s, " ")
	switch strings.ToLower(strings.Trim(first, ",:")) {
	case "it", "its", "they", "this", "that", "these", "those", "there", "he", "she", "both",
		"otherwise", "however", "but", "then", "after", "afterwards", "also", "if", "please", "in", "their":
		return true
	}
	return false
}
