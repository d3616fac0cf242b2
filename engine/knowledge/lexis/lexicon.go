package lexis

import (
	"slices"
	"strings"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// The weights of words in a question.
const (
	Empty   = 0.0  // says nothing: the, is, please
	Light   = 0.25 // says little: want, get, information
	Content = 1.0  // says what the question is about
)

// Lexicon is the language as the rest of the program needs it. It is immutable
// and safe for concurrent use.
type Lexicon struct {
	weight  map[string]float64 // by word
	light   map[string]bool    // by stem
	base    map[string]string  // irregular form to base
	related map[string][]Link  // by stem
	soft    map[string]bool    // by stem
	idioms  map[string][]idiom // by first word
}

type idiom struct {
	words []string
	plain string
}

// New makes the lexicon. It costs a few milliseconds; keep it.
func New() *Lexicon {
	l := &Lexicon{
		weight:  make(map[string]float64, 700),
		base:    make(map[string]string, 300),
		related: make(map[string][]Link, 2500),
		light:   make(map[string]bool, 300),
		soft:    make(map[string]bool, 900),
		idioms:  make(map[string][]idiom, 80),
	}
	for w := range strings.FieldsSeq(lightWords) {
		l.weight[w] = Light
	}
	for w := range strings.FieldsSeq(emptyWords) {
		l.weight[w] = Empty
	}
	for line := range strings.SplitSeq(strings.TrimSpace(irregularForms), "\n") {
		f := strings.Fields(line)
		for _, form := range f[1:] {
			l.base[form] = f[0]
		}
	}
	env := snowballstem.NewEnv("")
	for w := range strings.FieldsSeq(lightWords) {
		l.light[l.stem(env, w)] = true
	}
	for w := range strings.FieldsSeq(tellingWords) {
		delete(l.light, l.stem(env, w))
	}
	for w := range strings.FieldsSeq(softWords) {
		l.soft[l.stem(env, w)] = true
	}
	for line := range strings.SplitSeq(strings.TrimSpace(idioms), "\n") {
		phrase, plain, _ := strings.Cut(line, " = ")
		words := strings.Fields(phrase)
		l.idioms[words[0]] = append(l.idioms[words[0]], idiom{words, plain})
	}
	l.mutual(env, sameWords, nearSame)
	l.mutual(env, relatedWords, nearLoose)
	for line := range strings.SplitSeq(strings.TrimSpace(partWords), "\n") {
		stems := l.stems(env, strings.Fields(line))
		for _, s := range stems[1:] {
			l.link(s, stems[0], nearLoose)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(kindWords), "\n") {
		stems := l.stems(env, strings.Fields(line))
		for _, s := range stems[1:] {
			l.link(stems[0], s, nearKind)
			l.link(s, stems[0], nearKind)
		}
	}
	return l
}

// mutual makes the words of each line neighbours of each other.
func (l *Lexicon) mutual(env *snowballstem.Env, table string, near float64) {
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		stems := l.stems(env, strings.Fields(line))
		for _, a := range stems {
			for _, b := range stems {
				l.link(a, b, near)
			}
		}
	}
}

// Link is a word that may stand for another.
type Link struct {
	Stem string
	Near float64 // 0..1
}

// The values of Link.Near.
const (
	nearSame  = 0.95
	nearLoose = 0.7
	nearKind  = 0.65
)

func (l *Lexicon) stems(env *snowballstem.Env, words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = l.stem(env, w)
	}
	return out
}

func (l *Lexicon) link(a, b string, near float64) {
	if a != b && !slices.ContainsFunc(l.related[a], func(k Link) bool { return k.Stem == b }) {
		l.related[a] = append(l.related[a], Link{b, near})
	}
}

// Stem is what a word (lower case, as Words gives it) and its inflections have
// in common.
func (l *Lexicon) Stem(word string) string {
	return l.stem(snowballstem.NewEnv(""), word)
}

func (l *Lexicon) stem(env *snowballstem.Env, word string) string {
	if b, ok := l.base[word]; ok {
		word = b
	}
	if len(word) < 3 || !letters(word) {
		return word
	}
	env.SetCurrent(word)
	english.Stem(env)
	return env.Current()
}

// Weight says how much a word (lower case) tells: Empty, Light or Content.
func (l *Lexicon) Weight(word string) float64 {
	if w, ok := l.weight[word]; ok {
		return w
	}
	if len(word) == 1 && !HasDigit(word) {
		return Empty
	}
	return Content
}

// StemWeight says how much a stem tells, whatever form of its word was met: Light
// where it is the stem of words that tell little and of none that tells much, else
// Content.
func (l *Lexicon) StemWeight(stem string) float64 {
	if l.light[stem] {
		return Light
	}
	return Content
}

// Soft reports whether a stem is of an everyday word that may stand for another.
func (l *Lexicon) Soft(stem string) bool { return l.soft[stem] }

// Related are the stems that mean nearly the same as stem. The caller must not
// change them.
func (l *Lexicon) Related(stem string) []Link { return l.related[stem] }

// Term is a word that tells something.
type Term struct {
	Stem   string
	Word   string
	Weight float64
	Soft   bool     // an everyday word that may stand for another
	Also   []string // stems that are meant as well: of a turn of phrase
}

// Question are the terms of a question: Terms, with turns of phrase in plain words.
func (l *Lexicon) Question(text string) []Term {
	words := Words(text)
	out := make([]Term, 0, len(words))
	env := snowballstem.NewEnv("")
	for i := 0; i < len(words); {
		n, plain := l.idiom(words[i:])
		if n == 0 {
			out = l.term(env, out, words[i].Text)
			i++
			continue
		}
		stems := l.stems(env, strings.Fields(plain))
		out = append(out, Term{Stem: stems[0], Word: plain, Weight: Content, Soft: l.soft[stems[0]], Also: stems[1:]})
		i += n
	}
	return out
}

// idiom finds the longest idiom at the beginning of words and its plain words.
func (l *Lexicon) idiom(words []Word) (n int, plain string) {
	for _, m := range l.idioms[words[0].Text] {
		if len(m.words) <= n || len(m.words) > len(words) {
			continue
		}
		same := true
		for i, w := range m.words {
			same = same && words[i].Text == w
		}
		if same {
			n, plain = len(m.words), m.plain
		}
	}
	return n, plain
}

// term appends a word that is not Empty.
func (l *Lexicon) term(env *snowballstem.Env, out []Term, word string) []Term {
	weight := l.Weight(word)
	if weight == Empty {
		return out
	}
	stem := l.stem(env, word)
	return append(out, Term{Stem: stem, Word: word, Weight: weight, Soft: l.soft[stem]})
}

// Terms are the words of a text that are not Empty, in order, repeated ones too.
func (l *Lexicon) Terms(text string) []Term {
	words := Words(text)
	out := make([]Term, 0, len(words))
	env := snowballstem.NewEnv("")
	for _, w := range words {
		out = l.term(env, out, w.Text)
	}
	return out
}

// Overlap is the share of the weight of a's terms that b has too, 0 when a has
// none. Related words count 0.8.
func (l *Lexicon) Overlap(a, b []Term) float64 {
	var sum, hit float64
	for _, t := range a {
		sum += t.Weight
		hit += t.Weight * l.Match(t.Stem, b)
	}
	if sum == 0 {
		return 0
	}
	return hit / sum
}

// Match is how well the best of terms matches stem: 1 the same, 0.8 related,
// less when only spelled alike, 0 otherwise.
func (l *Lexicon) Match(stem string, terms []Term) float64 {
	best := 0.0
	rel := l.related[stem]
	for _, t := range terms {
		switch {
		case t.Stem == stem:
			return 1
		case slices.ContainsFunc(rel, func(k Link) bool { return k.Stem == t.Stem }):
			best = max(best, 0.8)
		case best < 0.7 && Alike(stem, t.Stem):
			best = 0.7
		}
	}
	return best
}
