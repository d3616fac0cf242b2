package actors

import (
	"strings"
	"sync"
	"time"

	"flametree/engine/event"
	"flametree/engine/turn"
)

// screening is an answered call of which it is not known yet who answered.
type screening struct {
	Screener
	heard   []string // finals
	last    string   // a hypothesis
	verdict Screened
	voice   bool // the other end speaks
	up      bool // the line is
	message *recital
	patient *time.Timer
}

// screened brings what the Screener found; patience ends the wait for a beep.
type (
	screened  struct{ Screened }
	outwaited struct{}
	recited   struct{ err error }
)

// beepPatience is how long a message waits for its beep.
const beepPatience = 60 * time.Second

// screens begins to find out who answered, if the agent wants to know.
func (c *Call) screens() {
	if c.dial == nil || c.Screen == nil || !c.cast.Revision.Settings.AMD {
		return
	}
	judge := c.Screen(c.cfg.AMDHuman, c.cfg.AMDCap, c.cast.Revision.Settings.Language)
	if judge == nil {
		return
	}
	c.screen = &screening{Screener: judge}
	tell := teller(c.root, c.self)
	var mu sync.Mutex
	var last Screened
	tap := func(frame []int16) {
		s := judge.Frame(frame)
		mu.Lock()
		defer mu.Unlock()
		if s != last {
			last = s
			tell(&screened{s})
		}
	}
	c.ears.gate.also.Store(&tap)
	c.suspend(true)
}

// understood gives the screener what the recogniser heard.
func (c *Call) understood(text string, final bool) {
	s := c.screen
	if s.last = text; final {
		s.heard, s.last = append(s.heard, text), ""
	}
	c.judged(s.Words(s.text()))
}

func (s *screening) text() string {
	return strings.TrimSpace(strings.Join(s.heard, " ") + " " + s.last)
}

// status is how a session ends whose call the other end hangs up now.
func (s *screening) status(reason string) event.Status {
	if s.verdict.Verdict == "machine" {
		return event.NoAnswer
	}
	return ended(reason)
}

func (s *screening) drained(gen uint64) {
	if s.message != nil {
		s.message.drained(gen)
	}
}

// judged acts on what the screener found.
func (c *Call) judged(v Screened) {
	s := c.screen
	if s == nil || v.Verdict == "" {
		return
	}
	fresh := s.verdict.Verdict == ""
	s.verdict = v
	if fresh {
		c.write(event.CallScreened{Verdict: v.Verdict, Why: v.Why, Heard: event.P(s.text()), Took: v.Took, Beep: v.Beep})
	}
	switch v.Verdict {
	case "machine":
		c.mailbox(fresh)
	case "menu":
		c.lift(false)
	default:
		c.lift(true)
	}
}

// lift lets the conversation begin: with the greeting, or, where a menu talks,
// with what it said.
func (c *Call) lift(greet bool) {
	s := c.screen
	c.ears.gate.also.Store(nil)
	c.screen = nil
	c.suspend(false)
	early := c.early
	if !greet {
		c.early = nil
	}
	at := c.now(time.Now())
	if s.up {
		c.step(at, turn.Input{Kind: turn.LineUp})
		c.lineUp()
	}
	if s.voice {
		c.step(at, turn.Input{Kind: turn.VoiceOn})
	}
	if greet {
		return
	}
	for _, m := range early {
		if o, ok := m.(*Opened); ok { // nobody will hear the greeting
			c.opened(o)
			c.interrupted(c.reply, 0)
		}
	}
	if text := s.text(); text != "" {
		c.step(at, turn.Input{Kind: turn.Final, Gen: c.ears.gen, Text: text})
	}
}

// mailbox is what happens to an answering machine.
func (c *Call) mailbox(fresh bool) {
	set, s := c.cast.Revision.Settings, c.screen
	if set.VoicemailAction != "message" || strings.TrimSpace(set.VoicemailMessage) == "" || c.cast.Speaks == nil {
		c.finish(event.NoAnswer, "machine", "agent")
		return
	}
	if fresh {
		// Rendered before it is time, so that it begins when it is.
		tell := teller(c.root, c.self)
		s.message = recite(c.life, c.leg, c.duplex.ordinary(c.cast), utter{gen: c.machine.Gen() + 1, text: set.VoicemailMessage}, func(err error) {
			tell(&recited{err: err})
		})
		root, self := c.root, c.self
		s.patient = time.AfterFunc(beepPatience, func() { root.Send(self, &outwaited{}) })
	}
	if s.verdict.Speak {
		s.message.begin()
	}
}

// messageLeft ends a call to a mailbox.
func (c *Call) messageLeft(m *recited) {
	s := c.screen
	if s == nil || s.message == nil {
		return
	}
	if m.err != nil {
		c.Log.Warn("message not left", "err", m.err, "call", c.id.Name)
	}
	c.write(event.VoicemailLeft{
		Text: event.P(c.cast.Revision.Settings.VoicemailMessage), Beep: s.verdict.Beep > 0, Whole: m.err == nil, Offset: c.now(time.Now()),
	})
	c.finish(event.NoAnswer, "voicemail", "agent")
}
