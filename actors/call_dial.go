package actors

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/turn"
)

// dial is a call that we place, until it was answered.
type dial struct {
	Dialling
	cancel context.CancelFunc
	asked  time.Time
}

type (
	// dialled brings what became of dialling. Whoever takes the call out of it
	// says so by taken: a call that nobody took is hung up where it was placed.
	dialled struct {
		leg   Leg
		line  Line
		err   error
		taken *atomic.Bool
	}
	// progressed brings how dialling goes on.
	progressed struct{ DialProgress }
)

// callOut starts an outbound call: its session is made first, and when that is
// durable somebody is dialled.
func (c *Call) callOut(p *Place, reply func(any)) {
	if c.offer != nil {
		reply(fmt.Errorf("call exists: %w", fault.Conflict))
		return
	}
	if c.Dialler == nil {
		c.offer, c.over = &Offer{}, true
		c.stay.Leave(c.id, c.self)
		reply(fmt.Errorf("no calls are placed here: %w", fault.Unavailable))
		return
	}
	c.offer = &Offer{Born: p.Born, Session: p.Session, From: p.Dial.From, To: p.Dial.To, SIPCallID: p.Dial.CallID}
	c.dial = &dial{Dialling: p.Dial}
	c.begin("outbound", reply)
}

// ring dials. The actor goes on meanwhile: it may be told to give up.
func (c *Call) ring() {
	ctx, cancel := context.WithCancel(c.life)
	c.dial.cancel, c.dial.asked = cancel, time.Now()
	if c.dial.Ring == 0 {
		c.dial.Ring = c.cfg.RingTimeout
	}
	tell, d, dialler, life := teller(c.root, c.self), c.dial.Dialling, c.Dialler, c.life
	go func() {
		leg, line, err := dialler.Dial(ctx, d, func(p DialProgress) { tell(&progressed{p}) })
		m := &dialled{leg: leg, line: line, err: err, taken: new(atomic.Bool)}
		tell(m)
		if err != nil {
			return
		}
		<-life.Done() // by then the actor has taken it, or it never will
		if m.taken.CompareAndSwap(false, true) {
			abandon(leg, line)
		}
	}()
}

// abandon gives up a call that nobody wants any more.
func abandon(leg Leg, line Line) {
	if line != nil {
		line.Hangup(string(event.Canceled))
	}
	if leg != nil {
		_ = leg.Close() // nobody heard it
	}
}

// reached goes on with a call that was answered, or ends one that was not.
func (c *Call) reached(m *dialled) {
	switch {
	case m.err != nil && !c.over:
		n := notReached(m.err)
		c.watch.lost = append(c.watch.lost, signalled(m.err)...)
		c.finish(n.Status, n.Reason, "peer")
	case m.err != nil:
	case !m.taken.CompareAndSwap(false, true):
	case c.over:
		abandon(m.leg, m.line)
	default:
		c.leg, c.line = m.leg, m.line
		c.born, c.last = time.Now(), 0
		if err := c.answer(); err != nil {
			c.Log.Error("outbound call", "err", err, "call", c.id.Name)
			c.finish(event.Failed, "failed", "system")
		}
	}
}

func (c *Call) progress(p DialProgress) {
	if c.leg != nil {
		return
	}
	c.write(event.CallProgressed{Stage: p.Stage, Code: uint32(max(0, p.Code)), Offset: time.Since(c.dial.asked)})
}

// hushed is what a call's line and leg notice while nobody's turn is judged:
// while it is found out who answered, or when the caller was passed on.
func (c *Call) hushed(f Fact) bool {
	switch {
	case c.attended(f):
		return true
	case c.pass != nil && c.pass.joined:
		if f.Kind == FactLineEnded {
			c.finish(event.Transferred, f.Reason, "peer")
		}
		return true
	case c.screen == nil:
		return false
	}
	switch f.Kind {
	case FactVoiceOn, FactVoiceOff:
		c.screen.voice = f.Kind == FactVoiceOn
	case FactLineUp:
		c.screen.up = true
	case FactLineEnded:
		c.finish(c.screen.status(f.Reason), f.Reason, "peer")
	case FactPackets, FactNoPackets: // a line may die while it is screened, too
		return false
	case FactDrained:
		c.screen.drained(f.Gen)
	case FactDigit:
		c.write(event.CallDigit{Digit: event.P(string(f.Digit)), Offset: c.now(f.At)})
	case FactRawOn, FactRawOff, FactTalking, FactMark, FactLineHeld, FactLineResumed, FactLineEarly, FactLineReplaced, FactNone:
	}
	return true
}

// press presses keys for the agent.
func (c *Call) press(m *Press) {
	keys, ok := c.leg.(interface {
		Press(digit byte, length time.Duration) error
	})
	if !ok {
		return
	}
	life, log, name := c.life, c.Log, c.id.Name
	go func() {
		for i := range len(m.Digits) {
			if m.Digits[i] == 'w' || m.Digits[i] == 'W' {
				select {
				case <-time.After(halfSecond):
				case <-life.Done():
					return
				}
				continue
			}
			if err := keys.Press(m.Digits[i], 0); err != nil {
				log.Warn("key not pressed", "err", err, "call", name)
				return
			}
		}
	}()
}

const halfSecond = 500 * time.Millisecond

// suspend stops the machine's clocks while a call is screened.
func (c *Call) suspend(on bool) {
	kind := turn.LineResumed
	if on {
		kind = turn.LineHeld
	}
	c.step(c.now(time.Now()), turn.Input{Kind: kind})
}
