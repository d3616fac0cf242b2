package session

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// Whisper is guidance that somebody of the team gave the agent. The customer is
// not shown it.
type Whisper struct{ By, Text string }

const (
	mostWhispers = 5       // that a model is shown
	longWhisper  = 2 << 10 // bytes of one
	longBy       = 100
)

// Whisper takes in guidance for the agent.
func (s *State) Whisper(by, text string) ([]event.Event, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	by, text = strings.TrimSpace(by), strings.TrimSpace(text)
	switch {
	case by == "" || len(by) > longBy || !utf8.ValidString(by):
		return nil, fmt.Errorf("whisper: say who whispers, in at most %d bytes: %w", longBy, fault.Invalid)
	case text == "" || len(text) > longWhisper || !utf8.ValidString(text):
		return nil, fmt.Errorf("whisper: want a text of 1 to %d bytes: %w", longWhisper, fault.Invalid)
	}
	return []event.Event{event.OperatorWhispered{By: by, Text: event.P(text)}}, nil
}

// whispered keeps the newest.
func (s *State) whispered(b event.OperatorWhispered) {
	if b.Text.Text == "" { // erased
		return
	}
	kept := s.Whispers[max(0, len(s.Whispers)+1-mostWhispers):]
	s.Whispers = append(append(make([]Whisper, 0, mostWhispers), kept...), Whisper{By: b.By, Text: b.Text.Text})
}
