package actors

import (
	"time"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/spoken"
)

// call handles what the session's call tells, and reports whether m was such a thing.
func (s *Session) call(m any) bool {
	switch m := m.(type) {
	case *Spoke:
		s.callOn = true // also after a failure, from which the actor woke in the middle of its call
		s.heard(m)
	case *Guess:
		s.prepare(m.Text)
	case *Nudge:
		s.nudge(m)
	case *Played:
		s.played(m)
	case *PassFailed:
		s.passFailed(m)
	case *LegGone:
		s.legGone(m.Status)
	default:
		return false
	}
	return true
}

// greet speaks the greeting: a reply that needs no model.
func (s *Session) greet() {
	s.anew(time.Now())
	s.thought.greeting = true
	s.toCall(&Opened{})
	for _, clause := range s.thought.cutter.Push(s.state.Born.Greeting) {
		s.say(clause)
	}
	s.endSaying(false)
}

// heard takes in what the caller said and starts to reply.
func (s *Session) heard(m *Spoke) {
	if s.state.Seq == 0 || s.state.Ended {
		return
	}
	if err := s.casting(); err != nil {
		s.Log.Warn("agent not available", "err", err, "session", s.id.Name)
		s.toCall(&Said{Turn: s.state.Turn + 1, Failed: true})
		return
	}
	now := time.Now()
	events, err := s.state.Hear(event.UtteranceHeard{
		Message: s.NewID(now).String(), Text: event.P(m.Text), Digits: m.Digits, Unheard: m.Unheard, Offset: m.Offset,
	})
	seq := s.state.Seq
	if err != nil || s.commit(events, nil, nil) != nil || s.state.Open == nil {
		return
	}
	s.toCall(&Opened{Gen: m.Gen, Turn: s.state.Open.Turn})
	switch {
	case m.Unheard:
		s.unguess()
		s.repeat()
	case m.Digits || s.preface != "" || !s.adopt(m.Text, seq, now):
		s.compose(now)
		s.sayPreface()
	}
}

// repeat asks the caller to say it again: no model is needed for that.
func (s *Session) repeat() {
	s.anew(time.Now())
	for _, clause := range s.thought.cutter.Push(s.cast.Revision.Settings.Rephrase) {
		s.say(clause)
	}
	s.endSaying(false)
}

// nudge says something unasked: that nobody was heard.
func (s *Session) nudge(m *Nudge) {
	if s.thought.open || s.commit(s.state.Nudge(s.NewID(time.Now()).String()), nil, nil) != nil || s.state.Open == nil {
		return
	}
	s.anew(time.Now())
	s.toCall(&Opened{Gen: m.Gen, Turn: s.state.Open.Turn})
	for _, clause := range s.thought.cutter.Push(m.Text) {
		s.say(clause)
	}
	s.endSaying(false)
}

func (s *Session) say(clause string) {
	if s.state.Open == nil {
		return
	}
	first := s.thought.clauses == 0
	if first {
		s.thought.stages = append(s.thought.stages, event.Stage{Name: "llm_first_clause", Took: time.Since(s.thought.asked)})
	}
	notice := s.notice()
	if notice != "" && first && !s.thought.greeting {
		s.clause(notice, true)
	}
	s.clause(clause, notice != "" && s.thought.greeting) // which begins with it
}

func (s *Session) clause(text string, notice bool) {
	s.thought.clauses++
	s.toCall(&Say{Turn: s.state.Open.Turn, Clause: s.thought.clauses, Text: text, Notice: notice})
}

// notice is what tells the caller that the call is recorded, "" when nothing
// does or the caller knows already. A greeting that nobody heard leaves it to
// the next reply that has words.
func (s *Session) notice() string {
	if s.noticed || s.cast == nil || !s.cast.Revision.Settings.Record {
		return ""
	}
	return s.cast.Revision.Settings.RecordNotice
}

// sayRest says what the cutter still holds, and what only the tools said.
func (s *Session) sayRest(rest string) {
	if rest != "" {
		for _, clause := range s.thought.cutter.Push(" " + rest) {
			s.say(clause)
		}
	}
	s.endSaying(s.state.Closing)
}

func (s *Session) endSaying(farewell bool) {
	for _, clause := range s.thought.cutter.Flush() {
		s.say(clause)
	}
	if s.state.Open != nil {
		s.toCall(&Said{Turn: s.state.Open.Turn, Close: farewell, Stages: s.thought.stages})
		if to, summary, ok := dialog.Passing(&s.state, s.cast.Revision); ok {
			s.toCall(&Transfer{Name: to.Key, Target: to.Value, Mode: s.cast.Revision.Settings.TransferMode, Summary: summary})
		}
	}
}

// played closes a turn with what the caller heard of it.
func (s *Session) played(m *Played) {
	if m.Interrupted {
		s.hushReply()
	}
	if m.Played > 0 { // the first that is heard begins with the notice
		s.noticed = true
	}
	events := s.state.Spoke(event.ReplySpoken{
		Turn: m.Turn, Text: event.P(m.Text), Full: event.P(m.Full), Interrupted: m.Interrupted, Played: m.Played,
	})
	if len(events) == 0 {
		return
	}
	m.Timed.Turn = m.Turn
	if s.commit(append(events, m.Timed), nil, nil) == nil {
		s.prime()
	}
}

// hushReply ends the reply but lets the reading of results go on.
func (s *Session) hushReply() {
	if !s.thought.reading {
		s.hush()
		return
	}
	if s.thought.open {
		if s.thought.quiet != nil {
			s.thought.quiet()
		}
		s.thought.open = false
	}
}

// onCall tells the call what else follows from events: keys to press, and
// whether what is said now may be recorded.
func (s *Session) onCall(from string, events []event.Event) {
	if !s.state.Voice() {
		return
	}
	if tag, ok := dialog.Switched(events); ok {
		s.toCall(&Tongue{Language: tag})
	}
	if keys := dialog.Keys(events); keys != "" {
		s.toCall(&Press{Digits: keys})
	}
	if on, ok := dialog.Masking(events); ok {
		s.toCall(&Sensitive{On: on, Asked: true})
	}
	if s.state.Flow == from {
		return
	}
	secret := func(state string) bool {
		st, ok := s.cast.Revision.Flow.State(state)
		return ok && st.Sensitive
	}
	if on := secret(s.state.Flow); on != secret(from) {
		s.toCall(&Sensitive{On: on})
	}
}

// passFailed has the agent say that nobody took the call, which needs no model.
func (s *Session) passFailed(m *PassFailed) {
	if s.state.Ended || s.state.Seq == 0 || s.casting() != nil {
		return
	}
	phrase := spoken.NotReached
	if m.Reason == "busy" {
		phrase = spoken.TargetBusy
	}
	text := phrase.Of(s.cast.Revision.Settings.Language)
	if m.Gen == 0 {
		s.preface = text
		return
	}
	s.nudge(&Nudge{Gen: m.Gen, Text: text})
}

func (s *Session) sayPreface() {
	if s.preface == "" {
		return
	}
	text := s.preface
	s.preface = ""
	s.say(text)
}

// legGone ends the session with its call.
func (s *Session) legGone(status event.Status) {
	s.callOn = false
	if s.state.Ended || s.state.Seq == 0 {
		return
	}
	s.hushReply()
	if open := s.state.Open; open != nil { // the call never began to speak it, or it would have said how far it came
		unheard := event.ReplySpoken{Turn: open.Turn, Interrupted: true}
		if s.commit(s.state.Spoke(unheard), nil, nil) != nil {
			return
		}
	}
	if end, err := s.state.End(status); err == nil {
		_ = s.commit(end, nil, nil)
	}
}

func (s *Session) toCall(m any) {
	s.send(ID{Kind: event.CallStream, Tenant: s.id.Tenant, Name: s.state.Born.Call}, m)
}
