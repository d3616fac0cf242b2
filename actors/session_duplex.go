package actors

import (
	"time"

	"flametree/engine/dialog"
	"flametree/engine/provider"
	"flametree/engine/provider/realtime"
)

// thinks is who answers in this session: the model that its call is held with,
// or the agent's.
func (s *Session) thinks() provider.Completer {
	if x, ok := s.cast.Thinks.(*realtime.Exchange); ok && s.state.Voice() {
		return x.Thinks(s.id.Name)
	}
	return s.cast.Thinks
}

// duplex is the model that the session's call is held with; nil = none.
func (s *Session) duplex() *realtime.Call {
	if x, ok := s.cast.Thinks.(*realtime.Exchange); ok {
		return x.Of(s.id.Name)
	}
	return nil
}

// prime tells such a model what the next turn begins with, while nobody waits.
func (s *Session) prime() {
	if s.cast == nil || !s.state.Voice() || s.state.Ended {
		return
	}
	if d := s.duplex(); d != nil {
		d.Prime(dialog.Compose(&s.state, s.cast.Revision, nil, time.Now()))
	}
}
