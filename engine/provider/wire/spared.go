package wire

import (
	"errors"
	"sync"
)

// maxSpared bounds the memory of a Spared; beyond it nothing more is learnt.
const maxSpared = 512

// Spared remembers which optional fields a server refused, by model, so that
// they are left out from then on. The zero value knows of none. It is safe for
// concurrent use.
type Spared struct {
	mu    sync.Mutex
	known map[spare]bool
}

type spare struct{ model, field string }

// Has reports whether field is to be left out for model.
func (s *Spared) Has(model, field string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[spare{model, field}]
}

// Learn takes the first of fields that err blames, and reports whether there is
// one: then asking again, without it, makes sense. fields are those that were
// sent; another request may have learnt of one meanwhile.
func (s *Spared) Learn(model string, err error, fields ...string) bool {
	for _, f := range fields {
		if s.LearnAs(model, err, f, f) {
			return true
		}
	}
	return false
}

// LearnAs is Learn of one field that is remembered under another name: the
// second step where a server refuses a field in two forms.
func (s *Spared) LearnAs(model string, err error, field, as string) bool {
	r := (*Refusal)(nil)
	if !errors.As(err, &r) || !r.Names(field) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := spare{model, as}
	if s.known[k] {
		return true
	}
	if len(s.known) >= maxSpared {
		return false
	}
	if s.known == nil {
		s.known = map[spare]bool{}
	}
	s.known[k] = true
	return true
}
