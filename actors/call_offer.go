package actors

import (
	"fmt"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// journalFailed is why a call ends whose events cannot be written.
const journalFailed = "journal"

// accepted is the session's answer: it exists, or it refuses.
func (c *Call) accepted(b *begun) {
	if c.over { // whoever offered it was told
		return
	}
	if err, ok := b.answer.(error); ok {
		c.refuseOffer(err)
		return
	}
	if c.dial == nil {
		if err := c.answer(); err != nil {
			c.toSession(&LegGone{Status: event.Failed}) // it has begun already
			c.refuseOffer(err)
			return
		}
	}
	// Nobody is told, or rung, before the journal knows of the call.
	tell := teller(c.root, c.self)
	if !c.log.after(func() { tell(&lasting{}) }) {
		c.finish(event.Failed, journalFailed, "system")
	}
}

// known tells whoever offered the call that it was taken, or calls whom it is
// for: the journal has it.
func (c *Call) known() {
	if c.offerer == nil || c.over {
		return
	}
	c.offerer(&Accepted{Session: c.session.Name})
	c.offerer = nil
	if c.dial != nil {
		c.ring()
	}
}

// refuseOffer refuses the call to whoever offered it.
func (c *Call) refuseOffer(err error) {
	tell := c.offerer
	c.offerer = nil
	c.refuse(err, tell)
}

// notTaken tells whoever offered the call, and waits yet, that it is over.
func (c *Call) notTaken(reason string) {
	if c.offerer == nil {
		return
	}
	kind := fault.Cancelled
	if reason == journalFailed {
		kind = fault.Unavailable
	}
	c.offerer(fmt.Errorf("call is over: %w", kind))
	c.offerer = nil
}
