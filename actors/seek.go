package actors

import (
	"context"

	"flametree/engine/knowledge"
)

// Seeker is a Retriever that needs something for a question which no actor may
// wait for, such as its vector from an embedder outside of the program. Where a
// Retriever is one, Seek is called beside the actor and Find after it. It is
// safe for concurrent use.
type Seeker interface {
	// Seek makes ready what Find needs. It returns when that is done, when ctx
	// ends, or after the time that a question is worth.
	Seek(ctx context.Context, q knowledge.Query)
}

// sought goes on with what waited for a question.
type sought struct{ then func() }

// seek calls then inside the actor once a question can be searched for: at once
// where nothing has to be waited for. By then the thought that asked may be
// over; then looks whether it is.
func (s *Session) seek(ctx context.Context, q knowledge.Query, then func()) {
	seeker, ok := s.cast.Knowledge.(Seeker)
	if !ok || q.Text == "" {
		then()
		return
	}
	root, self := s.root, s.self
	go func() {
		seeker.Seek(ctx, q)
		root.Send(self, &sought{then: then})
	}()
}

// seeks handles the end of a Seek, and reports whether m was one.
func (s *Session) seeks(m any) bool {
	f, ok := m.(*sought)
	if ok {
		f.then()
	}
	return ok
}
