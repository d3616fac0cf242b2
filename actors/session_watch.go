package actors

import (
	"strings"
	"unicode"

	"flametree/engine/event"
	"flametree/engine/session"
)

// observe sends a new watcher the facts it missed and then all that happens.
func (s *Session) observe(m *Watch) any {
	if v, ok := s.look().(*View); !ok || v == nil {
		return s.look()
	}
	for e, err := range s.Journal.Read(s.life, s.id.Stream(), m.After+1) {
		if err != nil {
			return err
		}
		if f, ok := s.factOf(e); ok && !m.Sink(f) {
			return &Watching{}
		}
	}
	if s.watch == nil {
		s.watch = make(map[uint64]func(Frame) bool)
	}
	s.watched++
	s.watch[s.watched] = m.Sink
	return &Watching{ID: s.watched}
}

// show tells the watchers about a stored event.
func (s *Session) show(e event.Envelope) {
	if f, ok := s.factOf(e); ok {
		s.frame(f)
	}
}

// factOf is what a socket shows of an event.
func (s *Session) factOf(e event.Envelope) (Frame, bool) {
	switch b := e.Body.(type) {
	case event.ReplySent:
		return Frame{
			Seq: e.Seq, Type: "message", Role: b.Role, Message: b.Message, Text: b.Text.Text, Options: b.Options, Mode: s.state.Mode,
		}, true
	case event.ReplySpoken:
		return Frame{Seq: e.Seq, Type: "message", Role: session.RoleAI, Message: b.Message, Text: b.Text.Text, Mode: s.state.Mode}, true
	case event.MessageReceived:
		return Frame{
			Seq: e.Seq, Type: "message", Role: session.RoleHuman, Message: b.Message, Text: b.Text.Text,
			Mode: s.state.Mode, Client: b.ExternalID,
		}, true
	case event.UtteranceHeard:
		return Frame{Seq: e.Seq, Type: "message", Role: session.RoleHuman, Message: b.Message, Text: b.Text.Text, Mode: s.state.Mode}, true
	case event.SessionHandedOver:
		return Frame{Seq: e.Seq, Type: "state", Mode: b.Mode}, true
	case event.SuggestionMade:
		return Frame{Seq: e.Seq, Type: "suggestion", Text: b.Text.Text, Mode: s.state.Mode}, true
	case event.ToolCalled:
		if b.Call.Name == "SendWidgetEvent" && b.Refused == "" {
			return Frame{Seq: e.Seq, Type: "custom", Text: b.Call.Args.Text, Mode: s.state.Mode}, true
		}
		return s.musing(e.Seq, b)
	default:
		return Frame{}, false
	}
}

func (s *Session) frame(f Frame) {
	for id, sink := range s.watch {
		if !sink(f) {
			delete(s.watch, id)
		}
	}
}

// musing shows that the agent uses a tool, where the agent wants that seen. It
// is what the tool is called, in words, and nothing it is called with.
func (s *Session) musing(seq uint64, c event.ToolCalled) (Frame, bool) {
	if s.cast == nil || !s.cast.Revision.Settings.ShowThoughts || c.Refused != "" {
		return Frame{}, false
	}
	if _, outside := s.cast.Revision.Tool(c.Call.Name); !outside {
		return Frame{}, false
	}
	var words []string
	start := 0
	for i, r := range c.Call.Name {
		if i > start && (unicode.IsUpper(r) || r == '_' || r == '-') {
			words = append(words, strings.Trim(c.Call.Name[start:i], "_-"))
			start = i
		}
	}
	words = append(words, strings.Trim(c.Call.Name[start:], "_-"))
	text := strings.ToLower(strings.Join(words, " "))
	return Frame{Seq: seq, Type: "thought", Role: session.RoleAI, Text: text, Mode: s.state.Mode}, true
}
