package knowledge

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flametree/engine/knowledge/lexis"
)

// What Find allows. Its weights stand in weights.go.
const (
	maxTerms   = 24 // of a question; longer ones are stories, their head is enough
	candidates = 40 // passages that are looked at closely
	smallIndex = 30 // a smaller index is treated as if it had this many passages
	shortest   = 5  // letters of a word that is compared by its spelling
)

// Query is a question with what helps to understand it.
type Query struct {
	Text     string  // what the customer said last
	Before   string  // what was talked about before; used only when Text leans on it
	Familiar string  // who is asked: the names in it say nothing about what is asked
	K        int     // at most so many hits
	Min      float64 // and none below this score
}

// Search finds the k passages that fit query best, best first, none below min.
func (x *Index) Search(query string, k int, min float64) []Hit {
	return x.Find(Query{Text: query, K: k, Min: min})
}

// Find is Search for a question in a conversation. Equal queries give equal hits.
func (x *Index) Find(q Query) []Hit {
	if len(x.chunks) == 0 || q.K <= 0 {
		return nil
	}
	r := x.Read(q)
	found := r.rank()
	order(found)
	var out []Hit
	for _, f := range found {
		if len(out) == q.K || f.score < q.Min || f.score <= 0 {
			break
		}
		out = append(out, x.hit(f))
	}
	return out
}

// Reading is a question as an Index has read it: for searches that choose
// passages by other means as well. It is immutable.
type Reading struct {
	x     *Index
	terms []asked
	need  lexis.Need
}

// Read reads a question. Its K and Min are of no account.
func (x *Index) Read(q Query) Reading {
	need := x.need(q)
	return Reading{x: x, terms: x.question(q, need), need: need}
}

// Candidate is a passage, by its number from 0, that may answer.
type Candidate struct {
	Passage int32
	BM25    float64 // comparable within one question only
	Fit     float64 // 0..1 and a little above: the score of Find
}

// Candidates are the passages that share most words with the question, those
// with the highest BM25 first.
func (r Reading) Candidates() []Candidate {
	found := r.rank()
	out := make([]Candidate, len(found))
	for i, f := range found {
		out[i] = Candidate{Passage: f.chunk, BM25: f.bm25, Fit: f.score}
	}
	return out
}

// Fit is how well any passage answers the question.
func (r Reading) Fit(passage int32) float64 {
	c := &r.x.chunks[passage]
	score := r.x.fit(c, r.x.slips(c, r.terms), r.need)
	if !c.facts.May(r.need) {
		score *= r.x.w.noFact
	}
	return score
}

// Asks reports whether the question has a word to search for.
func (r Reading) Asks() bool { return len(r.terms) > 0 }

func (r Reading) rank() []scored {
	if len(r.terms) == 0 {
		return nil
	}
	found := r.x.rank(r.terms)
	for i := range found {
		found[i].score = r.Fit(found[i].chunk)
	}
	return found
}

// Passage is a passage by its number, with a score for it.
func (x *Index) Passage(passage int32, score float64) Hit {
	return x.hit(scored{chunk: passage, score: score})
}

// need is the kind of fact a question asks for; one that leans on the question
// before it asks for the same kind, unless it says otherwise.
func (x *Index) need(q Query) lexis.Need {
	n := lexis.Asks(q.Text)
	if n == lexis.NeedAny && q.Before != "" && Leans(x.lex, q.Text) {
		n = lexis.Asks(q.Before)
	}
	return n
}

func order(found []scored) {
	slices.SortStableFunc(found, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.bm25, a.bm25), cmp.Compare(a.chunk, b.chunk))
	})
}

func (x *Index) hit(f scored) Hit {
	c := &x.chunks[f.chunk]
	h := Hit{
		ID: c.src.ID, Kind: c.src.Kind, Title: c.src.Title, Question: c.src.Question,
		Text: c.text, Score: math.Min(1, f.score), chunk: f.chunk,
	}
	name := c.src.Title
	if name == "" {
		name = c.src.Question
	}
	h.Source = strings.TrimSuffix(string(c.src.Kind)+":"+name, ":")
	return h
}

// asked is one term of a question with all that may stand for it.
type asked struct {
	weight  float64
	content bool
	carried bool // from the turn before
	soft    bool // an everyday word that may stand for another
	fact    bool // names the kind of fact that is asked for: a figure covers it
	strange bool // nothing in the index stands for it
	stem    string
	any     []option // best first
}

type option struct {
	term int32
	fit  float64
}

// question reads a Query.
func (x *Index) question(q Query, need lexis.Need) []asked {
	terms := x.lex.Question(q.Text)
	if w := lexis.Implied(need, q.Text); w != "" {
		terms = append(terms, lexis.Term{Stem: x.lex.Stem(w), Word: w, Weight: 0.5})
	}
	var before []lexis.Term
	if q.Before != "" && Leans(x.lex, q.Text) {
		before = x.lex.Question(q.Before)
	}
	var familiar []lexis.Term
	if q.Familiar != "" {
		familiar = x.proper(q.Familiar)
	}
	own := x.each(terms, nil, familiar, need)
	return append(own, x.carry(own, x.each(before, terms, familiar, need))...)
}

// each asks for the terms of a text, once for each, leaving out those of seen.
func (x *Index) each(terms, seen, familiar []lexis.Term, need lexis.Need) []asked {
	var out []asked
	for i, t := range terms {
		if len(out) == maxTerms {
			break
		}
		if has(seen, t.Stem) || has(terms[:i], t.Stem) {
			continue
		}
		a := x.ask(t)
		a.content, a.soft = t.Weight == lexis.Content, t.Soft
		a.fact, a.stem = lexis.Names(t.Stem, need), t.Stem
		a.strange = len(a.any) == 0 && a.content && !lexis.HasDigit(t.Stem)
		if a.strange && x.lex.Mumbled(t.Word) {
			a.weight = x.w.lightUnseen
		}
		// A figure the knowledge does not have is the customer's own, not a topic.
		if has(familiar, t.Stem) || len(a.any) == 0 && lexis.HasDigit(t.Stem) {
			a.weight = x.w.lightUnseen
		}
		out = append(out, a)
	}
	x.soften(out)
	return out
}

// soften keeps everyday words that stand nowhere from outweighing what does.
func (x *Index) soften(out []asked) {
	var sum, n float64
	for _, a := range out {
		if a.content && len(a.any) > 0 {
			sum += a.weight
			n++
		}
	}
	for i := range out {
		if a := &out[i]; a.soft && len(a.any) == 0 && n > 0 {
			a.weight = math.Min(a.weight, x.w.softMost*sum/n)
		}
	}
}

// carry weighs the terms of the turn before: a little beside a question's own
// words, whole when it has none.
func (x *Index) carry(own, before []asked) []asked {
	var ownSum, sum float64
	content := false
	for _, a := range own {
		ownSum += a.weight
		content = content || a.content
	}
	before = slices.DeleteFunc(before, func(a asked) bool { return !a.content })
	for i, a := range before {
		before[i].carried = true
		sum += a.weight
	}
	if content && sum > 0 {
		for i := range before {
			before[i].weight *= x.w.carried * ownSum / sum
		}
	}
	return before
}

// proper are the words of a text that are written with a capital inside a
// sentence.
func (x *Index) proper(text string) []lexis.Term {
	var out []lexis.Term
	for _, s := range lexis.Sentences(text) {
		for i, w := range lexis.Words(s) {
			if r, _ := utf8.DecodeRuneInString(s[w.Start:]); i > 0 && unicode.IsUpper(r) {
				out = append(out, lexis.Term{Stem: x.lex.Stem(w.Text)})
			}
		}
	}
	return out
}

func has(terms []lexis.Term, stem string) bool {
	return slices.ContainsFunc(terms, func(t lexis.Term) bool { return t.Stem == stem })
}

// ask finds what may stand for a term and weighs it.
func (x *Index) ask(t lexis.Term) asked {
	var a asked
	known, exact := x.known(t.Stem)
	df := 0
	if exact {
		a.any = append(a.any, option{known, 1})
		df = len(x.post[known])
	}
	for _, w := range t.Also {
		if n, ok := x.known(w); ok {
			a.any = append(a.any, option{n, 0.95})
			df = max(df, len(x.post[n]))
		}
	}
	links := x.lex.Related(t.Stem)
	for _, w := range t.Also {
		links = append(slices.Clip(links), x.lex.Related(w)...)
	}
	for _, r := range links {
		// A neighbour that says little (work for job) would match everywhere.
		if n, ok := x.known(r.Stem); ok && x.weight[n] == lexis.Content {
			a.any = append(a.any, option{n, r.Near})
			if !exact {
				df = max(df, len(x.post[n]))
			}
		}
	}
	if !exact {
		for _, o := range x.alike(t.Stem) {
			a.any = append(a.any, o)
			df = max(df, len(x.post[o.term]))
		}
	}
	if len(a.any) == 0 {
		a.any = x.halves(t.Stem)
		for _, o := range a.any {
			df = max(df, len(x.post[o.term]))
		}
	}
	slices.SortStableFunc(a.any, func(p, q option) int { return cmp.Compare(q.fit, p.fit) })
	a.weight = x.weigh(t.Weight, df)
	if exact && x.thing[known] {
		a.weight *= x.w.thing
	}
	if df == 0 && t.Soft && t.Weight > lexis.Light {
		a.weight *= x.w.soft
	}
	return a
}

// weigh says how much covering a term of a document frequency matters.
func (x *Index) weigh(weight float64, df int) float64 {
	n := math.Max(float64(len(x.chunks)), smallIndex)
	most := math.Log(1 + (n+0.5)/0.5)
	idf := math.Log(1 + (n-math.Min(float64(df), n)+0.5)/(float64(df)+0.5))
	switch {
	case weight > lexis.Light && df == 0:
		return weight * x.w.unseen * most
	case weight <= lexis.Light && df == 0:
		return x.w.lightUnseen
	case weight <= lexis.Light:
		return weight * math.Min(idf, 2)
	}
	return weight * math.Max(idf, x.w.floor*most)
}

// halves finds the two words of a compound: childcare, toothache. One of them
// must be known, the other may be any everyday word.
func (x *Index) halves(stem string) []option {
	for i := 3; i+3 <= len(stem); i++ {
		a, aok := x.known(stem[:i])
		b, bok := x.known(stem[i:])
		switch {
		case aok && bok:
			return []option{{a, 0.7}, {b, 0.7}}
		case aok && x.lex.Soft(stem[i:]):
			return []option{{a, 0.65}}
		case bok && x.lex.Soft(stem[:i]):
			return []option{{b, 0.65}}
		}
	}
	return nil
}

// alike finds the terms that are spelled like stem, at most four.
func (x *Index) alike(stem string) []option {
	if len(stem) < shortest {
		return nil
	}
	m := mark(stem)
	least := bits.OnesCount64(m) / 4
	var out []option
	for _, n := range x.first[stem[0]] {
		name := x.names[n]
		if d := len(name) - len(stem); d > 4 || d < -4 || bits.OnesCount64(m&x.marks[n]) < least {
			continue
		}
		if lexis.Alike(stem, name) {
			out = append(out, option{n, 0.5 + 0.4*lexis.Likeness(stem, name)})
		}
	}
	slices.SortStableFunc(out, func(p, q option) int { return cmp.Compare(q.fit, p.fit) })
	return out[:min(len(out), 4)]
}
