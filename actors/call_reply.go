package actors

import (
	"context"
	"time"

	"flametree/engine/agent"
	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/spoken"
	"flametree/engine/turn"
)

// wayToEar is what lies between our socket and the caller's ear: what was sent
// less than this ago was not heard yet.
const wayToEar = 80 * time.Millisecond

// markEvery is how often playout reports its position.
const markEvery = 500 * time.Millisecond

// reply is what the agent says in one turn.
type reply struct {
	turn    uint64 // the session's
	gen     uint64 // the machine's
	clauses []clause
	ended   bool // no further clause comes
	failed  bool
	closed  bool // leg.End was called
	done    bool // the session knows what was heard
	notice  bool // it tells that the call is recorded
	clock   stopwatch
}

type clause struct {
	id     uint64
	text   string
	words  []provider.Word
	start  time.Duration // in the reply's audio
	length time.Duration // rendered so far
	placed time.Duration // of that, in the playout ring
	known  bool          // all of it is rendered
	whole  bool          // and in the ring
	waits  bool          // for the voice of another language
}

// told handles what the session says. Before the line is up nothing of it is
// begun: the machine would miss a sign of life while the peer's ACK is awaited.
func (c *Call) told(m any) {
	if _, over := m.(*Over); over && c.pass != nil && c.pass.joined {
		return // the session is over, and the caller speaks with a person
	} else if !over && !c.up {
		if _, newer := m.(*Opened); newer {
			c.early = nil // the caller spoke first: the session dropped its greeting
		}
		c.early = append(c.early, m)
		return
	}
	switch m := m.(type) {
	case *Opened:
		c.opened(m)
		c.flush() // now, not beside the session's own commit of the turn
	case *Say:
		if r := c.reply; r != nil && r.turn == m.Turn && !r.done {
			if m.Notice {
				c.notice(r)
			}
			c.say(r, m.Clause, m.Text)
		}
	case *Said:
		c.said(m)
	case *Filled:
		c.filled(m)
	case *Over:
		c.flush()
		c.finish(m.Status, string(m.Status), "agent")
	}
}

func (c *Call) opened(m *Opened) {
	gen := m.Gen
	if gen == 0 { // the greeting
		gen = c.machine.Gen() + 1
	}
	if old := c.reply; old != nil && !old.done {
		c.interrupted(old, c.leg.Played(old.gen))
	}
	c.clock.opened = time.Now()
	c.captions.opened(m.Turn)
	c.reply = &reply{turn: m.Turn, gen: gen, clock: c.clock}
	if gen <= c.dead {
		c.interrupted(c.reply, 0)
	}
}

func (c *Call) say(r *reply, id uint64, text string) {
	if r.clock.said.IsZero() {
		r.clock.said = time.Now()
	}
	c.freshMouth()
	l := clause{id: id, text: text, waits: c.mouth.stale}
	r.clauses = append(r.clauses, l)
	c.step(c.now(time.Now()), turn.Input{Kind: turn.SayQueued, Gen: r.gen, Clause: id, Text: text})
	if r.done { // the caller has the floor: the machine yielded at once
		return
	}
	c.utter(c.voiced(r, l))
}

// utter gives a clause to the voice, or keeps it until there is one.
func (c *Call) utter(u utter) {
	if c.mouth.speech == nil || c.mouth.stale {
		c.mouth.waiting = append(c.mouth.waiting, u)
		return
	}
	err := c.mouth.speech.Speak(u.text, u.gen, u.id)
	if err != nil && fault.KindOf(err) != fault.Cancelled { // a voice that has ended says so by itself
		c.Log.Warn("voice refused a clause", "err", err, "call", c.id.Name)
		c.step(c.now(time.Now()), turn.Input{Kind: turn.TTSFailed, Gen: u.gen})
	}
}

// lineUp lets the session's first words through.
func (c *Call) lineUp() {
	c.up = true
	early := c.early
	c.early = nil
	for _, m := range early {
		c.told(m)
	}
}

// speakOn gives the voice what waited for it.
func (c *Call) speakOn() {
	waiting := c.mouth.waiting
	c.mouth.waiting = nil
	if c.reply != nil {
		for i := range c.reply.clauses {
			c.reply.clauses[i].waits = false
		}
	}
	for _, u := range waiting {
		c.utter(u)
	}
}

func (c *Call) dropWaiting(gen uint64) {
	c.dead = max(c.dead, gen)
	kept := c.mouth.waiting[:0]
	for _, u := range c.mouth.waiting {
		if u.gen > gen {
			kept = append(kept, u)
		}
	}
	c.mouth.waiting = kept
}

func (c *Call) said(m *Said) {
	r := c.reply
	if r == nil || r.turn != m.Turn || r.done {
		return
	}
	r.ended, r.failed = true, m.Failed
	r.clock.session = m.Stages
	kind := turn.ReplyEnded
	if m.Failed {
		kind = turn.ReplyFailed
	}
	c.step(c.now(time.Now()), turn.Input{Kind: kind, Gen: r.gen})
	if len(r.clauses) == 0 && !r.done {
		c.heardAll(r, 0)
		return
	}
	c.maybeEnd(r)
}

// maybeEnd tells the leg that all of a reply has been rendered.
func (c *Call) maybeEnd(r *reply) {
	if r.closed || !r.ended {
		return
	}
	for _, l := range r.clauses {
		if !l.whole {
			return
		}
	}
	r.closed = true
	c.leg.End(r.gen)
}

// spoken handles what the voice tells.
func (c *Call) spoken(m any) {
	switch m := m.(type) {
	case *mouthOpen:
		if m.mouth != c.mouth.n {
			return
		}
		if m.err != nil {
			c.mute(m.err)
			return
		}
		c.mouth.speech = m.speech
		c.changed("tts", &c.mouth.vendor, m.speech)
		c.speakOn()
	case *rendered:
		c.mouth.tries = 0
		c.render(m)
	case *placed:
		c.place(m)
	case *resaid:
		if m.mouth == c.mouth.n {
			c.openMouth()
		}
	case *mouthGone:
		if m.mouth == c.mouth.n {
			c.mute(m.err)
		}
	}
}

func (c *Call) render(m *rendered) {
	r := c.reply
	if r == nil || r.gen != m.gen || r.done {
		return
	}
	if r.clock.audio.IsZero() {
		r.clock.audio = m.at
	}
	for i := range r.clauses {
		l := &r.clauses[i]
		if l.id != m.clause || l.whole {
			continue
		}
		if m.first {
			l.start = r.rendered()
		}
		if len(m.words) > 0 {
			l.words = m.words
		}
		l.length += m.length
		l.known = m.last
		break
	}
}

func (c *Call) place(m *placed) {
	r := c.reply
	if r == nil || r.gen != m.gen || r.done {
		return
	}
	for i := range r.clauses {
		if l := &r.clauses[i]; l.id == m.clause && !l.whole {
			l.placed += m.length
			l.whole = m.last
			break
		}
	}
	c.freshMouth()
	c.maybeEnd(r)
}

func (r *reply) rendered() time.Duration {
	var d time.Duration
	for _, l := range r.clauses {
		d += l.length
	}
	return d
}

// boundary is the start of the word that was being said when a reply was paused.
func (c *Call) boundary(gen uint64) time.Duration {
	at := c.leg.Played(gen)
	r := c.reply
	if r == nil || r.gen != gen {
		return at
	}
	last := time.Duration(0)
	for _, l := range r.clauses {
		if l.length > 0 && l.start <= at {
			last = l.start
		}
		for _, w := range l.words {
			if s := l.start + w.Start; s <= at {
				last = max(last, s)
			}
		}
	}
	return last
}

func (c *Call) drained(gen uint64, played time.Duration) {
	if r := c.reply; r != nil && r.gen == gen && r.closed && !r.done {
		c.heardAll(r, played)
	}
}

func (c *Call) heardAll(r *reply, played time.Duration) {
	r.done = true
	full := r.text()
	c.captions.tell(r.turn, CaptionAgent, full, true)
	c.toSession(&Played{Turn: r.turn, Text: full, Full: full, Played: played, Timed: r.timed(c.clock)})
	c.maybePass()
}

// interrupted closes a reply with what the caller heard of it.
func (c *Call) interrupted(r *reply, played time.Duration) {
	if r.done {
		return
	}
	r.done = true
	c.duplex.heard(r.gen, max(0, played-wayToEar))
	heard := dialog.Heard(r.upTo(played - wayToEar))
	c.captions.tell(r.turn, CaptionAgent, heard, true)
	c.toSession(&Played{
		Turn: r.turn, Text: heard, Full: r.text(), Interrupted: true, Played: played, Timed: r.timed(c.clock),
	})
}

func (r *reply) text() string {
	var parts []string
	for _, l := range r.clauses {
		if l.text != "" {
			parts = append(parts, l.text)
		}
	}
	return dialog.Join(parts)
}

// openMouth opens the agent's voice.
func (c *Call) openMouth() {
	if c.mouth.cancel != nil {
		c.mouth.cancel()
	}
	ctx, cancel := context.WithCancel(c.life)
	c.mouth.n++
	c.mouth.cancel, c.mouth.speech = cancel, nil
	if c.cast.Speaks == nil {
		return
	}
	set, lang := c.cast.Revision.Settings, c.language
	p, s := mouthpiece{leg: c.leg, id: c.mouth.n, tell: teller(c.root, c.self)}, c.cast.Speaks
	go func() { p.speak(ctx, s, provider.Voice{Name: set.TTSVoice, Language: lang}) }()
}

// maxMouths bounds how often a voice is opened again in a row, and mouthPace
// how quickly: the second time at once.
const (
	maxMouths = 3
	mouthPace = 300 * time.Millisecond
)

// mute opens another voice for what the last one left unsaid.
func (c *Call) mute(err error) {
	c.Log.Warn("voice gone", "err", err, "call", c.id.Name)
	c.mouth.speech = nil
	c.mouth.vendor.lost(err)
	c.mouth.tries++
	if c.mouth.tries > maxMouths {
		c.vendorGone("tts", c.mouth.vendor.who, "", c.mouth.vendor.fault)
		if c.reply != nil && !c.reply.done {
			c.step(c.now(time.Now()), turn.Input{Kind: turn.TTSFailed, Gen: c.reply.gen})
		}
		c.finish(event.Failed, "voice", "system")
		return
	}
	c.again()
	if c.mouth.tries == 1 {
		c.openMouth()
		return
	}
	tell, n := teller(c.root, c.self), c.mouth.n
	time.AfterFunc(time.Duration(c.mouth.tries-1)*mouthPace, func() { tell(&resaid{mouth: n}) })
}

// again has the next voice say what is not in the playout ring yet. A clause
// that broke off is said anew; what was heard of it stays as a stretch without text.
func (c *Call) again() {
	c.mouth.waiting = nil
	r := c.reply
	if r == nil || r.done {
		return
	}
	var clauses []clause
	for _, l := range r.clauses {
		if !l.whole {
			if l.placed > 0 {
				clauses = append(clauses, clause{id: l.id, start: l.start, length: l.placed, placed: l.placed, known: true, whole: true})
			}
			l = clause{id: l.id, text: l.text}
			c.mouth.waiting = append(c.mouth.waiting, c.voiced(r, l))
		}
		clauses = append(clauses, l)
	}
	r.clauses = clauses
}

// voiced is a clause as the voice is to say it.
func (c *Call) voiced(r *reply, l clause) utter {
	if c.duplex.written() {
		return utter{text: l.text, gen: r.gen, id: l.id}
	}
	return utter{text: spoken.Words(l.text, c.language), gen: r.gen, id: l.id}
}

func (c *Call) prompt(o turn.Output) {
	c.clock = stopwatch{} // it answers nothing
	c.toSession(&Nudge{Gen: o.Gen, Text: inTongue(c.cast.Revision.Settings.NoInputText, agent.Defaults().NoInputText, spoken.StillThere(c.language))})
}

// inTongue is what an agent's file has for a phrase; where it has none, the
// phrase of the language that is spoken.
func inTongue(set, byDefault, phrase string) string {
	if set != byDefault {
		return set
	}
	return phrase
}
