package actors

import (
	"time"

	"flametree/engine/provider/realtime"
)

// duplexed is what a call has besides when its agent's model hears and speaks by
// itself. The call and its session go on as ever: such a model is their
// recogniser, their completer and their voice at once (see package realtime).
// Here is only what it has to be told of the call.
type duplexed struct {
	exchange *realtime.Exchange
	call     *realtime.Call
	cast     *Cast // with the ordinary recogniser and voice
}

// beginDuplex gives the call its model before the session begins, because the
// session tells it first what it is to be.
func (c *Call) beginDuplex() {
	x, ok := c.cast.Thinks.(*realtime.Exchange)
	if !ok || c.cast.Hears == nil || c.cast.Speaks == nil {
		return
	}
	c.duplex = duplexed{exchange: x, call: x.Begin(c.session.Name, c.cast.Hears, c.cast.Speaks), cast: c.cast}
	cast := *c.cast // what is shared does not change
	cast.Hears, cast.Speaks = c.duplex.call.Hears(), c.duplex.call.Speaks()
	c.cast = &cast
}

// endDuplex parts with the model; the session goes on with its ordinary one.
func (c *Call) endDuplex() {
	if d := c.duplex; d.call != nil {
		c.duplex = duplexed{}
		d.exchange.End(c.session.Name, d.call)
	}
}

// ordinary is cast with the ordinary voice, for what is said to others than the caller.
func (d duplexed) ordinary(cast *Cast) *Cast {
	if d.cast != nil {
		return d.cast
	}
	return cast
}

// voiceOn tells the model that the caller speaks.
func (d duplexed) voiceOn() {
	if d.call != nil {
		d.call.Voice()
	}
}

// heard tells the model how much of what it says reached the caller's ear.
func (d duplexed) heard(gen uint64, played time.Duration) {
	if d.call != nil {
		d.call.Heard(gen, played)
	}
}

// written reports whether the voice wants clauses as they are written: the
// model's own words are found by their letters.
func (d duplexed) written() bool { return d.call != nil }
