package actors

import (
	"context"
	"time"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/session"
)

// guess is a reply that is prepared on what the caller will probably have
// said. Nothing of it is committed or leaves the session before the caller's
// turn is closed with the very same words.
type guess struct {
	text   string
	seq    uint64 // of the state it was made on
	gen    uint64
	cancel context.CancelFunc
	deltas []string
	whole  *modelAnswered
}

// prepare starts a guess; an empty text only ends the one in progress.
func (s *Session) prepare(text string) {
	s.unguess()
	if s.cast != nil && s.duplex() != nil { // it was told by voice, and cannot forget
		return
	}
	if text == "" || s.state.Seq == 0 || s.state.Ended || s.state.Open != nil || s.thought.open || s.labour.skills > 0 || s.casting() != nil {
		return
	}
	s.renew()
	now := time.Now()
	ahead := s.ahead(text, now)
	if ahead.Open == nil {
		return
	}
	q := dialog.Ask(&ahead, s.cast.Revision)
	ctx, cancel := context.WithTimeout(s.life, s.patience())
	gen := s.gen()
	s.guess = &guess{text: text, seq: s.state.Seq, gen: gen, cancel: cancel}
	s.seek(ctx, q, func() {
		guessed := s.guess != nil && s.guess.gen == gen
		if !guessed && (s.thought.gen != gen || !s.thought.open) {
			return // given up before it was begun
		}
		hits := s.cast.Knowledge.Find(q)
		req := dialog.Compose(&ahead, s.cast.Revision, hits, now)
		t := s.thinker(&ahead, gen, hits)
		answer := s.answerTo(&ahead, req)
		go func() { t.run(ctx, req, answer) }()
	})
}

// ahead is the state as it would be if the caller had said text.
func (s *Session) ahead(text string, now time.Time) session.State {
	ahead := s.state
	ahead.Lines = append([]session.Line(nil), s.state.Lines...)
	events, err := ahead.Hear(event.UtteranceHeard{Message: "ahead", Text: event.P(text)})
	if err != nil {
		return ahead
	}
	for _, e := range events {
		ahead.Apply(event.Envelope{Seq: ahead.Seq + 1, Time: now, Body: e})
	}
	return ahead
}

func (s *Session) unguess() {
	if s.guess != nil {
		s.guess.cancel()
		s.guess = nil
	}
}

// guessed keeps what comes back from a guess, and reports whether it was one.
func (s *Session) guessed(m any) bool {
	if s.guess == nil {
		return false
	}
	switch m := m.(type) {
	case *delta:
		if m.gen == s.guess.gen {
			s.guess.deltas = append(s.guess.deltas, m.text)
			return true
		}
	case *modelAnswered:
		if m.gen == s.guess.gen {
			s.guess.whole = m
			return true
		}
	}
	return false
}

// adopt makes a guess the reply to the turn that was just opened, if it was
// made on these words and nothing else has happened since. seq is the state's
// before the turn was opened.
func (s *Session) adopt(text string, seq uint64, now time.Time) bool {
	g := s.guess
	if g == nil || g.text != text || g.seq != seq || s.state.Open == nil || g.whole != nil && g.whole.event.Fault != "" {
		s.unguess()
		return false
	}
	s.guess = nil // or hush would end it
	s.anew(now)
	s.thought.gen, s.thought.quiet, s.thought.open = g.gen, g.cancel, true
	ctx, cancel := context.WithTimeout(s.life, s.patience())
	s.thought.cancel = func() { cancel(); g.cancel() }
	s.read(ctx)
	for _, d := range g.deltas {
		s.stream(d)
	}
	if g.whole != nil {
		s.thoughtOut(g.whole)
	}
	return true
}
