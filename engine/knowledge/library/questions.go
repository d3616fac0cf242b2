package library

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
)

// The limits of Questions.
const (
	maxQuestion = 1_000 // characters of one; the rest of a longer one tells nothing more
	keptIDs     = 100   // sessions that a group names; all are counted
)

// How a group of questions ends.
const (
	Answered  = "answered"
	Dismissed = "dismissed"
)

// alike is how much of either question the other must cover.
const alike = 0.7

// Group is one question that agents could not answer, in all the words in which
// it was asked.
type Group struct {
	Question string // as it was first asked: it names the group
	Common   string // as most sessions' words have it: what a person is shown
	Count    int
	Sessions int
	Names    []string // ids of sessions, the first hundred, in order of asking
	First    time.Time
	Last     time.Time
	How      string // "" = open; answered dismissed
	Source   string // answered: the FAQ that holds the answer
}

// Questions are a tenant's unanswered questions. Its events come from many
// streams in the journal's order; equal events make equal groups. It is not safe
// for concurrent use.
type Questions struct {
	lex    *lexis.Lexicon
	groups []*group
	byStem map[string][]int // groups by the stems of their first question and their relatives
}

type group struct {
	Group
	terms    []lexis.Term
	plain    string         // of a question without a telling word
	sessions map[string]int // how often each asked
	words    map[string]int // how many sessions put it in these words
}

// NewQuestions makes an empty one.
func NewQuestions(lex *lexis.Lexicon) *Questions {
	return &Questions{lex: lex, byStem: make(map[string][]int)}
}

// Apply folds one event of any of the tenant's streams in. A question whose
// person's key is gone is left out.
func (q *Questions) Apply(e event.Envelope) {
	switch b := e.Body.(type) {
	case event.QuestionUnanswered:
		if text := clip(b.Question.Text); text != "" && !b.Question.Erased {
			q.ask(text, e.Stream.ID, e.Time)
		}
	case event.QuestionResolved:
		if g := q.find(clip(b.Question.Text)); g != nil {
			g.How, g.Source = b.How, b.Source
		}
	default: // says nothing of questions
	}
}

func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	n := 0
	for i := range text {
		if n == maxQuestion {
			return text[:i]
		}
		n++
	}
	return text
}

// ask counts a question. One that is asked again after it was answered is open
// again: the answer is not found. One that was dismissed stays dismissed.
func (q *Questions) ask(text, session string, at time.Time) {
	g := q.find(text)
	if g == nil {
		g = q.open(text, at)
	}
	if g.How == Answered {
		g.How, g.Source = "", ""
	}
	g.Count++
	g.Last = at
	g.sessions[session]++
	if g.sessions[session] == 1 {
		g.Sessions++
		if len(g.Names) < keptIDs {
			g.Names = append(g.Names, session)
		}
		g.words[text]++
		if g.words[text] > g.words[g.Common] {
			g.Common = text
		}
	}
}

func (q *Questions) open(text string, at time.Time) *group {
	g := &group{
		Group: Group{Question: text, Common: text, First: at},
		terms: q.telling(text), plain: plain(text),
		sessions: make(map[string]int), words: make(map[string]int),
	}
	n := len(q.groups)
	q.groups = append(q.groups, g)
	put := func(stem string) {
		if in := q.byStem[stem]; len(in) == 0 || in[len(in)-1] != n {
			q.byStem[stem] = append(in, n)
		}
	}
	for _, t := range g.terms {
		put(t.Stem)
		for _, r := range q.lex.Related(t.Stem) {
			put(r.Stem)
		}
	}
	if len(g.terms) == 0 {
		put("")
	}
	return g
}

// telling are the words of a question that say something, each once.
func (q *Questions) telling(text string) []lexis.Term {
	var out []lexis.Term
	terms := q.lex.Question(text)
	if w := lexis.Implied(lexis.Asks(text), text); w != "" {
		terms = append(terms, lexis.Term{Stem: q.lex.Stem(w), Word: w, Weight: lexis.Content})
	}
	for _, t := range terms {
		if t.Weight == lexis.Content && !slices.ContainsFunc(out, func(o lexis.Term) bool { return o.Stem == t.Stem }) {
			out = append(out, t)
		}
	}
	return out
}

func plain(text string) string {
	var out []string
	for _, w := range lexis.Words(text) {
		out = append(out, w.Text)
	}
	return strings.Join(out, " ")
}

// find is the group a question belongs to, the most alike one, nil for none.
// Groups without a word in common are not looked at.
func (q *Questions) find(text string) *group {
	terms := q.telling(text)
	if len(terms) == 0 {
		for _, n := range q.byStem[""] {
			if q.groups[n].plain == plain(text) {
				return q.groups[n]
			}
		}
		return nil
	}
	var best *group
	most := 0.0
	seen := make(map[int]bool)
	for _, t := range terms {
		for _, n := range q.byStem[t.Stem] {
			if seen[n] {
				continue
			}
			seen[n] = true
			g := q.groups[n]
			like := min(q.lex.Overlap(terms, g.terms), q.lex.Overlap(g.terms, terms))
			if g.Question == text {
				like = 2
			}
			if like >= alike && like > most {
				best, most = g, like
			}
		}
	}
	return best
}

// Open are the groups that wait for an answer, those that most sessions asked
// for first. They are copies.
func (q *Questions) Open() []Group { return q.list("") }

// Resolved are the groups that were answered or dismissed.
func (q *Questions) Resolved() []Group {
	return append(q.list(Answered), q.list(Dismissed)...)
}

func (q *Questions) list(how string) []Group {
	var out []Group
	for _, g := range q.groups {
		if g.How == how {
			one := g.Group
			one.Names = slices.Clone(g.Names)
			out = append(out, one)
		}
	}
	slices.SortStableFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(b.Count, a.Count), a.First.Compare(b.First))
	})
	return out
}

// Resolve ends an open group, named by its Question: Answered by the FAQ whose
// id source is, or Dismissed.
func (q *Questions) Resolve(question, how, source string) ([]event.Event, error) {
	at := slices.IndexFunc(q.groups, func(g *group) bool { return g.Question == clip(question) })
	switch {
	case at < 0:
		return nil, fmt.Errorf("there is no such unanswered question: %w", fault.NotFound)
	case how != Answered && how != Dismissed:
		return nil, fmt.Errorf("a question is answered or dismissed, not %q: %w", how, fault.Invalid)
	case how == Answered && source == "":
		return nil, fmt.Errorf("name the FAQ that answers the question: %w", fault.Invalid)
	case q.groups[at].How != "":
		return nil, fmt.Errorf("the question was %s before: %w", q.groups[at].How, fault.Conflict)
	}
	return []event.Event{event.QuestionResolved{Question: event.P(q.groups[at].Question), How: how, Source: source}}, nil
}
