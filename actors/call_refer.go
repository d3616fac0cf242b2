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

// Referred has a call ring somebody who is to take the place of its other end,
// because that end asked for it (RFC 3515) → *Accepted, or why not. Report is told
// how it goes, as a SIP status: 180, then 200 or a refusal as the last. When
// nobody takes the call it goes on as before.
type Referred struct {
	Dial   Dialling
	Report func(code int)
}

// goodbyes is how long who asked us to call another may take to hang up.
const goodbyes = 2 * time.Second

// referred is a wish of the other end that is being carried out.
type referred struct {
	Referred
	cancel context.CancelFunc
	alone  *Fact // how the other end left meanwhile
}

type (
	// mayRefer says that a referral is in the journal.
	mayRefer struct{ of *referred }
	// brought brings who was called for a referral, or why nobody.
	brought struct {
		of *referred
		fetched
	}
)

// referredTo takes the wish of the other end.
func (c *Call) referredTo(m *Referred, reply func(any)) {
	if c.Dialler == nil {
		reply(fmt.Errorf("no calls are placed here: %w", fault.Unavailable))
		return
	}
	if err := c.maySwap(); err != nil {
		reply(err)
		return
	}
	r := &referred{Referred: *m}
	c.refer = r
	tell := teller(c.root, c.self)
	if !c.log.after(func() { tell(&mayRefer{of: r}) }, event.TransferBegun{
		Mode: "referred", Target: event.P(m.Dial.To), Offset: c.now(time.Now()),
	}) {
		c.refer = nil
		reply(fmt.Errorf("the call's journal is stuck: %w", fault.Unavailable))
		return
	}
	reply(&Accepted{Session: c.session.Name})
}

// bring calls whoever is wanted, once that is in the journal.
func (c *Call) bring(m *mayRefer) {
	r := c.refer
	if r == nil || r != m.of {
		return
	}
	ctx, cancel := context.WithCancel(c.life)
	r.cancel = cancel
	d := r.Dial
	d.Agent = c.offer.Born.Agent // who must still be allowed to use the connection
	if d.Ring == 0 {
		d.Ring = c.cfg.TransferTimeout
	}
	tell, report := teller(c.root, c.self), r.Report
	var rang atomic.Bool
	c.fetch(ctx, d, func(p DialProgress) {
		if p.Code >= 180 && rang.CompareAndSwap(false, true) {
			report(180)
		}
	}, func(f fetched) { tell(&brought{r, f}) })
}

// broughtTo takes in who answered, or that nobody did.
func (c *Call) broughtTo(m *brought) {
	r := m.of
	mine := c.refer == r && !c.over
	if mine {
		c.refer = nil
	}
	if m.err != nil {
		c.watch.lost = append(c.watch.lost, signalled(m.err)...)
		if mine {
			c.notBrought(r, whyNot(m.err))
		}
		return
	}
	if !m.taken.CompareAndSwap(false, true) {
		return
	}
	if !mine {
		c.watch.lines = append(c.watch.lines, m.second.line)
		abandon(m.second.leg, m.second.line)
		return
	}
	if err := c.maySwap(); err != nil { // an operator or the agent was quicker
		c.watch.lines = append(c.watch.lines, m.second.line)
		abandon(m.second.leg, m.second.line)
		c.notBrought(r, &NotReached{Status: event.Failed, Reason: "busy", Code: 486, Err: err})
		return
	}
	c.swap(c.arrives(m.second.leg, m.second.line, event.CallReplaced{How: byRefer, From: event.P(r.Dial.To)}))
	r.Report(200)
}

// notBrought has the call go on with who asked, who is told why.
func (c *Call) notBrought(r *referred, n *NotReached) {
	code := n.statusCode()
	c.write(event.TransferFailed{Reason: n.Reason, Code: uint32(code), Offset: c.now(time.Now())})
	r.Report(code)
	if r.alone != nil {
		c.step(c.now(time.Now()), turn.Input{Kind: turn.LineEnded, Reason: r.alone.Reason})
		c.finish(ended(r.alone.Reason), r.alone.Reason, "peer")
	}
}

// statusCode is the SIP status that tells why somebody was not reached.
func (n *NotReached) statusCode() int {
	if n.Code >= 300 && n.Code <= 699 {
		return n.Code
	}
	switch n.Reason {
	case "busy":
		return 486
	case "no_answer", "timeout":
		return 408
	case "declined":
		return 603
	case "forbidden":
		return 403
	case "canceled":
		return 487
	}
	return 503
}

// leftAlone has a call wait for who is being called: whoever asked for him hung
// up without waiting, as telephones do.
func (c *Call) leftAlone(f Fact) {
	if c.refer.alone != nil {
		return
	}
	c.refer.alone = &f
	c.interrupt()
	c.hands.wires++
	c.hands.wire = c.hands.wires // nothing follows on this one
	c.flush()
}

// awaitBye lets a line that asked for another hang up by itself.
func (c *Call) awaitBye(line Line) {
	l := &leaving{line: line}
	l.timer = time.AfterFunc(goodbyes, func() { line.Hangup(string(event.Transferred)) })
	c.hands.leaves = append(c.hands.leaves, l)
}

// dropHands ends what passes the call to somebody else: it is over.
func (c *Call) dropHands() {
	if n := c.hands.next; n != nil {
		c.hands.next = nil
		c.watch.lines = append(c.watch.lines, n.line)
		abandon(n.leg, n.line)
	}
	if r := c.refer; r != nil {
		c.refer = nil
		if r.cancel != nil {
			r.cancel()
		}
		r.Report(487)
	}
	for _, l := range c.hands.leaves {
		if l.timer.Stop() {
			l.line.Hangup(string(event.Transferred))
		}
	}
	c.hands.leaves = nil
}
