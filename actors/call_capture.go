package actors

import (
	"fmt"
	"time"

	"flametree/engine/fault"
)

// capture gives the call's packets away for a while.
func (c *Call) capture(m *Capture, reply func(any)) {
	if _, able := c.leg.(Tapped); !able {
		reply(fmt.Errorf("the packets of this call cannot be seen: %w", fault.Unavailable))
		return
	}
	for _, o := range c.watch.all {
		if o.capture != nil {
			reply(fmt.Errorf("%s captures this call already: %w", o.by, fault.Conflict))
			return
		}
	}
	o := c.onlook(onCapture, m.By, reply)
	if o == nil {
		return
	}
	o.capture, o.kept = m, m.Kept
	c.tap()
	c.observed(o, true)
	tell, of := teller(c.root, c.self), o.id
	timer := time.AfterFunc(m.For, func() { tell(&onlookerGone{of: of}) })
	o.stop = func() { timer.Stop() }
	o.answers(&Capturing{})
}

// tap sees to it that all legs of the call are captured, or none.
func (c *Call) tap() {
	var take func(Packet)
	for _, o := range c.watch.all {
		if o.capture != nil {
			t, to := c.watch.tee, o.capture.Take
			take = func(p Packet) {
				if !t.secret.Load() {
					to(p)
				}
			}
		}
	}
	legs := []Leg{c.leg}
	if c.pass != nil && c.pass.joined {
		legs = append(legs, c.pass.second.leg)
	}
	for _, o := range c.watch.all {
		legs = append(legs, o.second.leg)
	}
	for _, leg := range legs {
		if t, ok := leg.(Tapped); ok {
			t.Tap(take)
		}
	}
}
