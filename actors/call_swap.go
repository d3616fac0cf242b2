package actors

import (
	"errors"
	"fmt"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/turn"
)

// Replace puts another leg and line in the place of a call's own (RFC 3891)
// → *Accepted when the new line may be answered, or why not. Once it has accepted
// the call owns both. The old line is given up when it says FactLineReplaced or ends,
// or when the new one is up, whichever is first; until then it is the call's, and
// stays so when the new one ends before.
type Replace struct {
	Leg                        Leg
	Line                       Line
	From, SIPCallID, Transport string
}

// Owned is a Line that knows whose it is, so that what its other end asks for
// finds the call.
type Owned interface{ Own(by ID) }

// How somebody came to be on a call in place of who was, as event.CallReplaced
// has it.
const (
	byReplaces = "replaces"
	byRefer    = "refer"
)

// hands are what passes a call from one line to another.
type hands struct {
	wire   uint64 // the line now; what earlier ones still notice is nobody's
	wires  uint64 // lines so far
	next   *arrival
	since  time.Duration // offset at which it passed last; 0 = never
	past   LegStats      // of legs that were given up
	leaves []*leaving
}

// arrival is who is to take the place of whoever is on the call.
type arrival struct {
	leg   Leg
	line  Line
	wire  uint64
	early []Fact // what his line noticed before
	event.CallReplaced
}

// leaving is a line that was given up and may say goodbye by itself.
type leaving struct {
	line  Line
	timer *time.Timer
}

// changesHands handles what puts somebody else on the call.
func (c *Call) changesHands(m any, reply func(any)) bool {
	switch m := m.(type) {
	case *Replace:
		c.replace(m, reply)
	case *Referred:
		c.referredTo(m, reply)
	case *mayRefer:
		c.bring(m)
	default:
		return false
	}
	return true
}

// maySwap says why nobody may take the place of who is on the call now.
func (c *Call) maySwap() error {
	var why error
	switch {
	case c.leg == nil || !c.taken || c.screen != nil:
		why = errors.New("the call is not answered yet")
	case c.pass != nil:
		why = errors.New("the call is being passed on to somebody else")
	case c.watch.barged != nil:
		why = fmt.Errorf("%s speaks with the customer", c.watch.barged.by)
	case c.hands.next != nil || c.refer != nil:
		why = errors.New("somebody else takes the call over already")
	default:
		return nil
	}
	return fmt.Errorf("%w: %w", why, fault.Conflict)
}

// changing reports whether the other end is about to be somebody else, or gone.
func (c *Call) changing() bool {
	return c.hands.next != nil || c.refer != nil && c.refer.alone != nil
}

// replace takes in who wants the place of the other end.
func (c *Call) replace(m *Replace, reply func(any)) {
	if err := c.maySwap(); err != nil {
		reply(err)
		return
	}
	c.hands.next = c.arrives(m.Leg, m.Line, event.CallReplaced{
		How: byReplaces, From: event.P(m.From), SIPCallID: m.SIPCallID, Transport: m.Transport,
	})
	reply(&Accepted{Session: c.session.Name})
}

// arrives starts a line whose facts are told apart from those of the others.
func (c *Call) arrives(leg Leg, line Line, told event.CallReplaced) *arrival {
	c.hands.wires++
	n := &arrival{leg: leg, line: line, wire: c.hands.wires, CallReplaced: told}
	if o, ok := line.(Owned); ok {
		o.Own(c.id)
	}
	line.Start(c.sink(n.wire))
	return n
}

// sink is where a line and its leg tell what they notice.
func (c *Call) sink(wire uint64) func(Fact) {
	tell := teller(c.root, c.self)
	return func(f Fact) { tell(&facted{f, wire}) }
}

// noticed sorts what lines and legs notice by whose they are.
func (c *Call) noticed(m *facted) {
	n := c.hands.next
	switch {
	case m.wire == c.hands.wire && n != nil && (m.Kind == FactLineReplaced || m.Kind == FactLineEnded):
		c.swap(n)
	case m.wire == c.hands.wire && c.refer != nil && m.Kind == FactLineEnded:
		c.leftAlone(m.Fact)
	case m.wire == c.hands.wire:
		c.fact(m.Fact)
	case n == nil || m.wire != n.wire: // of a line that was given up
	case m.Kind == FactLineEnded: // he has thought better of it
		c.hands.next = nil
		c.watch.lines = append(c.watch.lines, n.line)
		abandon(n.leg, n.line)
	case m.Kind == FactLineUp:
		c.swap(n)
		c.noticed(m)
	default:
		n.early = append(n.early, m.Fact)
	}
}

// swap has the call go on with who arrives. What the agent was saying was for
// somebody else, and so is what was heard and not answered yet.
func (c *Call) swap(n *arrival) {
	c.hands.next = nil
	c.interrupt()
	if c.over {
		abandon(n.leg, n.line)
		return
	}
	old := second{leg: c.leg, line: c.line}
	c.release(old)
	c.connect(n)
	c.step(c.now(time.Now()), turn.Input{Kind: turn.NoPackets}) // until some come from there
	c.suspend(false)
	c.flush()
	if n.How == byRefer {
		c.awaitBye(old.line)
	} else {
		old.line.Hangup(string(event.Transferred))
	}
	_ = old.leg.Close() // nobody hears it
	for _, f := range n.early {
		c.noticed(&facted{f, n.wire})
	}
}

// foregone is a turn of who was on the call before: its answer is not for who is
// now.
func (c *Call) foregone(o turn.Output) bool {
	if c.hands.since == 0 || o.Ended > c.hands.since {
		return false
	}
	c.dead = max(c.dead, o.Gen)
	c.step(c.now(time.Now()), turn.Input{Kind: turn.ReplyEnded, Gen: o.Gen})
	return true
}

// interrupt silences the agent and shuts its ears, for somebody leaves.
func (c *Call) interrupt() {
	c.hushAgent()
	if c.ears.cancel != nil {
		c.ears.cancel()
	}
	c.ears.gate.shut()
	c.ears.n++ // what the recogniser still says is nobody's
	c.ears.stream, c.ears.tries = nil, 0
	c.suspend(true)
}

// release takes the call's own from a leg that is given up.
func (c *Call) release(old second) {
	old.leg.Hear(nil, 0)
	if c.watch.tee.fed {
		old.leg.Record(nil)
		c.watch.tee.fed = false
	}
	if t, ok := old.leg.(Tapped); ok {
		t.Tap(nil)
	}
	c.watch.lines = append(c.watch.lines, old.line)
	c.hands.past = c.hands.past.plus(old.leg.Stats())
}

// connect puts who arrives on the call.
func (c *Call) connect(n *arrival) {
	c.leg, c.line, c.hands.wire = n.leg, n.line, n.wire
	stats := c.leg.Stats()
	n.Codec, n.BandHz, n.Offset = stats.Codec, uint32(stats.RateHz), c.now(time.Now())
	c.hands.since = n.Offset
	c.write(n.CallReplaced)
	offer := *c.offer // who calls now is who a transfer is for
	offer.From = n.From.Text
	c.offer = &offer
	c.captions.to, _ = c.leg.(Captioned)
	c.leg.Tune(c.cfg.VADStart, c.cfg.VADStop)
	c.retape()
	c.tap()
	c.openMouth()
	c.openEars(c.machine.Stream(), 0)
	c.leg.Hear(c.ears.gate.frame, 0)
	c.leg.Start(c.sink(n.wire))
}

// plus adds the packets of another leg; how they came is that of the later one.
func (s LegStats) plus(later LegStats) LegStats {
	later.Received += s.Received
	later.Lost += s.Lost
	later.Late += s.Late
	later.Sent += s.Sent
	later.Concealed += s.Concealed
	later.Refused += s.Refused
	return later
}
