package actors

import (
	"cmp"
	"context"
	"time"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/session"
	"flametree/engine/turn"
)

type (
	// Fill asks the session for a phrase that bridges the reply to Turn, which
	// will speak as Gen, within Limit; the answer is a Filled. Pick comes back.
	Fill struct {
		Turn, Gen, Pick uint64
		Limit           time.Duration
	}
	// Filled is that phrase; "" when none was made in time.
	Filled struct {
		Turn, Gen, Pick uint64
		Text            string
	}
	// bridged brings a phrase that the model made: for the call, or for a chat.
	bridged struct {
		to   *Fill // nil in a chat
		gen  uint64
		n    int
		text string
	}
	// lateReply says that a written reply has been awaited for a while.
	lateReply struct {
		gen uint64
		n   int
	}
)

// maxFiller bounds how long a model may think about a filler: one that comes
// much later bridges nothing.
const maxFiller = 1500 * time.Millisecond

// filler says something while the reply is late.
func (c *Call) filler(o turn.Output) {
	r := c.reply
	if r == nil || r.gen != o.Gen || r.done {
		return
	}
	if limit := made(c.cfg, o.N); limit > 0 && c.cast.Revision.Settings.FillersChained {
		c.toSession(&Fill{Turn: r.turn, Gen: r.gen, Pick: o.Pick, Limit: limit})
		return
	}
	c.say(r, 0, dialog.Filler(c.language, o.Pick))
}

// made is how long filler n may take to be made: until the next one is due.
func made(cfg turn.Config, n int) time.Duration {
	if n == 1 {
		return min(maxFiller, cfg.FillerRepeat-cfg.FillerAfter)
	}
	return maxFiller
}

// filled says a phrase that the session had made, unless the reply itself came
// first.
func (c *Call) filled(m *Filled) {
	r := c.reply
	if r == nil || r.turn != m.Turn || r.gen != m.Gen || r.done || r.ended {
		return
	}
	for _, l := range r.clauses {
		if l.id > 0 {
			return
		}
	}
	if m.Text == "" {
		m.Text = dialog.Filler(c.language, m.Pick)
	}
	c.say(r, 0, m.Text)
}

// fills handles what belongs to fillers, and reports whether m was such a thing.
func (s *Session) fills(m any) bool {
	switch m := m.(type) {
	case *Fill:
		if s.state.Open == nil || s.state.Open.Turn != m.Turn || s.casting() != nil {
			s.toCall(&Filled{Turn: m.Turn, Gen: m.Gen, Pick: m.Pick})
			return true
		}
		s.bridge(m.Limit, bridged{to: m})
	case *lateReply:
		s.tarry(m)
	case *bridged:
		if f := m.to; f != nil {
			s.toCall(&Filled{Turn: f.Turn, Gen: f.Gen, Pick: f.Pick, Text: m.text})
			return true
		}
		s.interject(m.gen, m.n, m.text)
	default:
		return false
	}
	return true
}

// bridge has the model make a filler, outside of the actor; back brings it.
func (s *Session) bridge(limit time.Duration, back bridged) {
	req := dialog.Bridge(&s.state, s.cast.Revision, limit)
	judge := dialog.Bridging(&s.state, s.cast.Revision)
	root, self, model := s.root, s.self, s.cast.Thinks
	ctx, cancel := context.WithTimeout(s.life, limit)
	go func() {
		defer cancel()
		back.text = judge(completed(ctx, model, req))
		root.Send(self, &back)
	}()
}

// await has a written reply bridged when it is late, as a spoken one is.
func (s *Session) await() {
	if s.state.Voice() || !s.cast.Revision.Settings.Fillers {
		return
	}
	cfg, err := Floor(s.cast)
	if err != nil {
		return
	}
	s.remind(cfg.FillerAfter, 1)
}

func (s *Session) remind(after time.Duration, n int) {
	root, self, gen := s.root, s.self, s.thought.gen
	s.thought.late = time.AfterFunc(after, func() { root.Send(self, &lateReply{gen: gen, n: n}) })
}

// waits reports whether nothing of the written reply of a thought was to be seen yet.
func (s *Session) waits(gen uint64) bool {
	return gen == s.thought.gen && !s.thought.seen && s.state.Open != nil && s.state.Mode == session.ModeRegular && s.cast != nil
}

func (s *Session) tarry(m *lateReply) {
	cfg, err := Floor(s.cast)
	if !s.waits(m.gen) || err != nil {
		return
	}
	if m.n == 1 {
		s.remind(max(0, cfg.FillerRepeat-cfg.FillerAfter), 2)
	}
	if limit := made(cfg, m.n); limit > 0 && s.cast.Revision.Settings.FillersChained {
		s.bridge(limit, bridged{gen: m.gen, n: m.n})
		return
	}
	s.interject(m.gen, m.n, "")
}

// interject writes a filler into a chat: a message of its own, which closes no
// reply and which no model is shown.
func (s *Session) interject(gen uint64, n int, text string) {
	if !s.waits(gen) {
		return
	}
	if text == "" {
		text = dialog.Filler(cmp.Or(s.state.Born.Language, s.cast.Revision.Settings.Language), s.state.Seq)
	}
	_ = s.commit([]event.Event{event.ReplySent{
		Turn: s.state.Open.Turn, Message: session.FillerID(s.state.Open.Message, n), Role: session.RoleAI, Text: event.P(text),
	}}, nil, nil)
}
