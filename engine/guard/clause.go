package guard

import (
	"slices"
	"strings"
	"unicode/utf8"

	"flametree/engine/knowledge/lexis"
)

// maxClause bounds a sentence that does not end, in bytes.
const maxClause = 400

// clauses cuts a text at the ends of sentences and lines. The last one may be
// unfinished: open is where it begins, len(text) if it is not.
func clauses(text string) (out []span, open int) {
	start := 0
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		switch {
		case r == '\n', r == '。', r == '！', r == '？':
		case strings.ContainsRune(".!?…;।؟", r):
			for i < len(text) && strings.IndexByte(".!?)\"'*_", text[i]) >= 0 {
				i++
			}
			next, size := utf8.DecodeRuneInString(text[i:])
			if size == 0 || !blank(next) {
				continue
			}
		case blank(r) && i-start > maxClause:
		default:
			continue
		}
		out = append(out, span{start: start, end: i})
		start = i
	}
	if start < len(text) {
		out = append(out, span{start: start, end: len(text)})
	}
	return slices.DeleteFunc(out, func(s span) bool { return strings.TrimSpace(text[s.start:s.end]) == "" }), start
}

func openClause(text string) int {
	_, at := clauses(text)
	return at
}

// maxTopicWords bounds a phrase, topicSlack the words that may stand among it.
const (
	maxTopicWords = 8
	topicSlack    = 4
)

// topics is a rule of kind Topics: the words of a phrase near each other in one
// sentence, in any order and inflection.
type topics struct {
	lexicon *lexis.Lexicon
	phrases [][]string // stems
}

func newTopics(l *lexis.Lexicon, values []string) topics {
	t := topics{lexicon: l}
	for _, v := range values {
		if stems := t.stems(v); len(stems) > 0 {
			t.phrases = append(t.phrases, stems)
		}
	}
	return t
}

func (t topics) stems(text string) []string {
	terms := t.lexicon.Terms(text)
	out := make([]string, len(terms))
	for i, w := range terms {
		out[i] = w.Stem
	}
	if len(out) == 0 {
		for _, w := range lexis.Words(text) {
			out = append(out, w.Text)
		}
	}
	return out
}

func (t topics) find(v *view) []span {
	all, _ := clauses(v.text)
	return slices.DeleteFunc(all, func(c span) bool {
		stems := t.stems(v.text[c.start:c.end])
		return !slices.ContainsFunc(t.phrases, func(p []string) bool { return near(stems, p) })
	})
}

func (topics) open(v *view) int { return openClause(v.text) }

// near reports whether every word of phrase stands in some stretch of stems that
// is hardly longer than the phrase.
func near(stems, phrase []string) bool {
	for from := range stems {
		to := min(len(stems), from+len(phrase)+topicSlack)
		missing := slices.ContainsFunc(phrase, func(p string) bool {
			return !slices.ContainsFunc(stems[from:to], func(s string) bool { return sameWord(s, p) })
		})
		if !missing {
			return true
		}
		if to == len(stems) {
			return false
		}
	}
	return false
}

// sameWord compares stems. A language that the lexicon does not stem is compared
// by how words begin, because that is where its inflections agree.
func sameWord(a, b string) bool {
	if a == b {
		return true
	}
	if ascii(a) && ascii(b) {
		return false
	}
	ra, rb := []rune(a), []rune(b)
	n := 0
	for n < len(ra) && n < len(rb) && ra[n] == rb[n] {
		n++
	}
	return n >= 4 && n*10 >= 7*max(len(ra), len(rb))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
