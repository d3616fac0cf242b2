package readmodel

import (
	"cmp"
	"slices"

	"flametree/engine/event"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
)

// Source is one source of knowledge in a tenant's library.
type Source struct {
	Tenant tenant.ID
	ID     string
	library.State
}

// foldSource folds an event of a source. One that was removed is gone.
func (m *Model) foldSource(e event.Envelope) {
	s := m.sources[e.Stream.ID]
	if s == nil {
		s = &Source{Tenant: e.Stream.Tenant, ID: e.Stream.ID}
		m.sources[e.Stream.ID] = s
	}
	s.Apply(e)
	if s.Removed {
		delete(m.sources, e.Stream.ID)
	}
}

// foldQuestion folds what concerns unanswered questions. The lexicon that puts
// them together is made with the first one.
func (m *Model) foldQuestion(e event.Envelope) {
	switch e.Body.(type) {
	case event.QuestionUnanswered, event.QuestionResolved:
	default:
		return
	}
	if m.lexicon == nil {
		m.lexicon = lexis.New()
	}
	q := m.questions[e.Stream.Tenant]
	if q == nil {
		q = library.NewQuestions(m.lexicon)
		m.questions[e.Stream.Tenant] = q
	}
	q.Apply(e)
}

// Source finds a source by its id.
func (m *Model) Source(id string) (Source, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.sources[id]
	if !ok {
		return Source{}, false
	}
	return *s, true
}

// Sources lists the sources that keep accepts, nil = all, oldest first.
func (m *Model) Sources(keep func(Source) bool) []Source {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Source
	for _, s := range m.sources {
		if keep == nil || keep(*s) {
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b Source) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Unanswered are the groups of questions of a tenant that wait for an answer,
// those that most sessions asked for first.
func (m *Model) Unanswered(t tenant.ID) []library.Group {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if q := m.questions[t]; q != nil {
		return q.Open()
	}
	return nil
}

// Resolve decides the end of an open group of questions: it is Questions.Resolve
// and changes nothing here until the events come back from the journal.
func (m *Model) Resolve(t tenant.ID, question, how, source string) ([]event.Event, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	q := m.questions[t]
	if q == nil {
		q = library.NewQuestions(nil)
	}
	return q.Resolve(question, how, source)
}
