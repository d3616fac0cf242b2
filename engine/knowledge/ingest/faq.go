package ingest

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// QA is one question with its answer.
type QA struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

// The limits of what is taken for a question and an answer, in characters.
const (
	maxQuestion = 500
	maxAnswer   = 5000
	maxFAQs     = 10_000
)

var (
	asks     = regexp.MustCompile(`(?i)^\s*(?:q|question|вопрос|frage|pregunta|domanda|pergunta)\s*\d*\s*[:.)]\s*(.*)$`)
	answers  = regexp.MustCompile(`(?i)^\s*(?:a|answer|ответ|antwort|r[eé]ponse|respuesta|risposta|resposta)\s*\d*\s*[:.)]\s*(.*)$`)
	numbered = regexp.MustCompile(`^\s*(?:\d{1,3}(?:\.\d{1,3})*[.)]|[-•*–])\s+`)
	nameQ    = regexp.MustCompile(`(?i)^\s*(q|questions?|вопросы?|fragen?|preguntas?)\s*$`)
	nameA    = regexp.MustCompile(`(?i)^\s*(a|answers?|ответы?|antwort(en)?|respuestas?)\s*$`)
	marks    = regexp.MustCompile(`[*_#>]{1,3}`)
)

// FAQs takes questions with their answers out of a document, without a model:
// headings that ask, "Q:" and "A:", lines that end with a question mark, and
// tables of two columns. Questions are told once, the first answer holds. A
// document that is written otherwise gives none; WriteFAQs is for those.
func FAQs(doc Document) []QA {
	f := faqs{seen: map[string]bool{}}
	heading := ""
	for _, s := range doc.Sections {
		// A cut section goes on under the same heading, a PDF's on the next page.
		if s.Heading != heading {
			f.close()
			f.labelled, f.table = false, false
			if asking(s.Heading) {
				f.open(s.Heading)
			}
		}
		heading = s.Heading
		if f.pairs(s.Text) {
			continue
		}
		for l := range strings.SplitSeq(s.Text, "\n") {
			f.line(l)
		}
		f.blank = true
	}
	f.close()
	return f.out
}

// faqs is a walk through the lines of a document.
type faqs struct {
	out      []QA
	seen     map[string]bool
	question string
	answer   []string
	labelled bool // questions are those with a label
	table    bool // rows of two cells are questions with answers
	blank    bool // the line before was empty
}

func (f *faqs) line(l string) {
	l = strings.TrimSpace(strings.Trim(strings.TrimSpace(l), "*_"))
	if l == "" {
		f.blank = true
		return
	}
	fresh := f.blank || len(f.answer) == 0
	f.blank = false
	clean := marks.ReplaceAllString(l, "")
	if m := asks.FindStringSubmatch(clean); m != nil && m[1] != "" {
		f.close()
		f.labelled = true
		f.open(m[1])
		return
	}
	if m := answers.FindStringSubmatch(clean); m != nil && f.question != "" && len(f.answer) == 0 {
		f.answer = append(f.answer, m[1])
		return
	}
	if q, a, ok := twoCells(l); ok && f.row(q, a) {
		return
	}
	if !f.labelled && fresh && asking(l) {
		f.close()
		f.open(l)
		return
	}
	if f.question != "" {
		f.answer = append(f.answer, l)
	}
}

// row takes a row of two cells.
func (f *faqs) row(q, a string) bool {
	switch {
	case nameQ.MatchString(q) && nameA.MatchString(a):
		f.close()
		f.table = true
	case f.table || strings.HasSuffix(q, "?"):
		f.close()
		f.add(q, a)
	default:
		return false
	}
	return true
}

// pairs takes a table that was written as "Column: value", when it has two
// columns and the first of them asks.
func (f *faqs) pairs(text string) bool {
	var found []QA
	var first, second string
	asked := 0
	for para := range strings.SplitSeq(text, "\n\n") {
		one, two, ok := strings.Cut(para, "\n")
		k1, v1, ok1 := strings.Cut(one, ": ")
		k2, v2, ok2 := strings.Cut(two, ": ")
		if !ok || !ok1 || !ok2 || first != "" && (k1 != first || k2 != second) {
			return false
		}
		first, second = k1, k2
		if strings.HasSuffix(v1, "?") {
			asked++
		}
		found = append(found, QA{v1, v2})
	}
	if len(found) == 0 || !nameQ.MatchString(first) && asked*2 < len(found) {
		return false
	}
	f.close()
	for _, qa := range found {
		f.add(qa.Question, qa.Answer)
	}
	return true
}

func (f *faqs) open(question string) { f.question, f.answer = question, nil }

// close takes the question that was open, if it was answered.
func (f *faqs) close() {
	if f.question != "" {
		f.add(f.question, strings.Join(f.answer, "\n"))
	}
	f.question, f.answer = "", nil
}

func (f *faqs) add(q, a string) {
	if m := asks.FindStringSubmatch(q); m != nil {
		q = m[1]
	}
	q = strings.TrimSpace(marks.ReplaceAllString(numbered.ReplaceAllString(q, ""), ""))
	a = strings.TrimSpace(a)
	k := strings.ToLower(q)
	if q == "" || a == "" || f.seen[k] || len(f.out) == maxFAQs || utf8.RuneCountInString(q) > maxQuestion {
		return
	}
	if utf8.RuneCountInString(a) > maxAnswer {
		a = string([]rune(a)[:maxAnswer])
	}
	f.seen[k] = true
	f.out = append(f.out, QA{q, a})
}

// asking reports whether a line is a question and nothing else.
func asking(l string) bool {
	l = strings.TrimRight(strings.TrimSpace(l), "*_ ")
	if !strings.HasSuffix(l, "?") && !strings.HasSuffix(l, "？") || utf8.RuneCountInString(l) > maxQuestion {
		m := asks.FindStringSubmatch(l)
		return m != nil && m[1] != ""
	}
	// A question after a statement in one line is talk, not a heading.
	return !strings.Contains(strings.TrimPrefix(l, numbered.FindString(l)), ". ")
}

// twoCells parts a row of a table.
func twoCells(l string) (string, string, bool) {
	a, b, ok := strings.Cut(l, " | ")
	if !ok || strings.Contains(b, " | ") {
		return "", "", false
	}
	return strings.TrimSpace(a), strings.TrimSpace(b), true
}
