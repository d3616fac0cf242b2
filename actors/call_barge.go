package actors

import (
	"errors"
	"fmt"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/turn"
)

// barge calls an operator who is to speak with the customer.
func (c *Call) barge(m *Barge, reply func(any)) {
	if c.Dialler == nil || c.Studio == nil {
		reply(fmt.Errorf("no operator can be called from here: %w", fault.Unavailable))
		return
	}
	if err := c.mayBarge(nil); err != nil {
		reply(err)
		return
	}
	if o := c.onlook(onBarge, m.By, reply); o != nil {
		o.keep = m.Keep
		c.summon(o, m.Dial)
	}
}

// mayBarge says why nobody may speak with the customer now, besides me.
func (c *Call) mayBarge(me *onlooker) error {
	var why error
	switch {
	case c.leg == nil || !c.up || c.screen != nil:
		why = errors.New("the call is not answered yet")
	case c.pass != nil:
		why = errors.New("the call is being passed on to somebody else")
	case c.changing():
		why = errors.New("somebody else takes the place of the customer")
	}
	for _, o := range c.watch.all {
		if o.what == onBarge && o != me {
			why = fmt.Errorf("%s speaks, or is about to speak, with the customer already", o.by)
		}
	}
	if why == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", why, fault.Conflict)
}

// bargeIn puts an operator in the agent's place: the agent falls silent, and
// hears nothing until it is given the call back.
func (c *Call) bargeIn(o *onlooker) {
	o.held = c.machine.Line() == turn.Held
	c.interrupt()
	if c.over {
		return
	}
	c.watch.barged = o
	o.stop = c.Studio.Join(c.leg, o.second.leg)
	c.observed(o, true)
	c.flush()
	c.toSession(&HandOver{Operator: true, Reason: "barge_in"})
	o.answers(&Barged{})
}

// hushAgent takes the voice from the agent, and the machine's hope for it.
func (c *Call) hushAgent() {
	gen := c.machine.Gen()
	if c.reply != nil {
		gen = max(gen, c.reply.gen)
	}
	c.leg.Duck(0)
	played := c.leg.Flush(gen)
	if c.mouth.speech != nil {
		c.mouth.speech.Cancel(gen)
	}
	c.dropWaiting(gen)
	if r := c.reply; r != nil {
		c.interrupted(r, played)
	}
	at := c.now(time.Now())
	c.step(at, turn.Input{Kind: turn.Drained, Gen: gen, Played: played})
	c.step(at, turn.Input{Kind: turn.ReplyEnded, Gen: gen})
}

// takeBack has the agent go on after an operator hung up.
func (c *Call) takeBack(o *onlooker) {
	if c.over {
		return
	}
	if o.keep {
		c.finish(event.Transferred, "hangup", "operator")
		return
	}
	c.toSession(&HandOver{Reason: "operator_left"})
	c.openEars(c.machine.Stream(), 0)
	c.leg.Hear(c.ears.gate.frame, 0)
	if !o.held {
		c.suspend(false)
	}
	c.flush()
}

// attended is what line and leg notice while an operator speaks with the
// customer: of his keys and of holding the line the agent is told nothing.
func (c *Call) attended(f Fact) bool {
	o := c.watch.barged
	if o == nil {
		return false
	}
	at := c.now(f.At)
	switch f.Kind {
	case FactLineHeld:
		o.held = true
		c.write(event.CallHeld{Offset: at})
	case FactLineResumed:
		o.held = false
		c.write(event.CallResumed{Offset: at})
	case FactDigit:
		c.write(event.CallDigit{Digit: event.P(string(f.Digit)), Offset: at})
	default:
		return false
	}
	return true
}
