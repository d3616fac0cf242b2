package actors

import (
	"flametree/engine/event"
	"flametree/engine/session"
)

type (
	// Whisper gives the agent guidance that the customer does not see: the model
	// is shown it from the next turn on → *View.
	Whisper struct{ By, Text string }
	// HandOver says that an operator speaks with the customer, or that the agent
	// does again.
	HandOver struct {
		Operator bool
		Reason   string
	}
)

// whisper takes in guidance of the team's.
func (s *Session) whisper(m *Whisper) any {
	events, err := s.state.Whisper(m.By, m.Text)
	if err == nil {
		s.unguess() // it was made without the guidance
		err = s.commit(events, nil, nil)
	}
	if err != nil {
		return err
	}
	return s.look()
}

// handOver follows an operator who speaks with the customer.
func (s *Session) handOver(m *HandOver) {
	mode := session.ModeRegular
	if m.Operator {
		mode = session.ModeOperator
		s.unguess()
	}
	s.attended = m.Operator
	_ = s.commit(s.state.HandOver(event.SessionHandedOver{Mode: mode, Reason: m.Reason}), nil, nil)
}
