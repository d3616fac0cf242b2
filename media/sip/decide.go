package sip

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
)

// deciding is an incoming call that is not answered yet. It lives on the call's
// goroutine.
type deciding struct {
	c       *Call
	in      *inbound
	old     *Call // that this one is to replace
	offered bool  // the INVITE held an offer
	early   bool  // the caller was sent our SDP
	rseq    uint32
	willing bool // Answer said yes, and the 200 waits for a PRACK
	failed  bool // the caller's answer to our offer was none
}

// firstRSeq is where the numbers of reliable responses begin (RFC 3262 3).
func firstRSeq() uint32 { return rand.Uint32N(1<<30) + 1 }

// run asks Options.Answer and waits for it, for the caller to give up, for a
// Hangup, or for the end; true when the call is to be taken.
func (d *deciding) run(ctx context.Context) bool {
	c := d.c
	verdict := make(chan error, 1)
	inv := c.describeInvite(d.in, d.old)
	if !c.e.start(func() { verdict <- c.e.askAnswer(ctx, inv) }) {
		return false
	}
	ring, most := time.NewTimer(ringAfter), time.NewTimer(patience(d.in.req))
	defer ring.Stop()
	defer most.Stop()
	for !d.failed {
		select {
		case err := <-verdict:
			verdict = nil
			if err != nil {
				return d.refuse(err)
			}
			d.willing = true
		case m := <-c.inbox:
			if d.take(ctx, m) {
				return false
			}
		case f := <-c.outs:
			f()
		case <-ring.C:
			d.ring()
		case <-c.timer.C:
			if !d.again() {
				return d.giveUp(504, "the caller does not confirm our response")
			}
		case <-most.C:
			d.cancelled()
			return false
		case <-c.hang:
			d.in.respond(480, "Temporarily Unavailable")
			return false
		case <-c.e.closing:
			d.in.respond(503, "Service Unavailable", retryAfter(busyRetry))
			return false
		}
		// A 200 must not overtake a response with SDP (RFC 3262 3).
		if d.willing && c.reliable == nil && !d.failed {
			return true
		}
	}
	return d.giveUp(488, "the answer in the PRACK is no answer to our offer")
}

func (d *deciding) refuse(err error) bool {
	a := refuse(err)
	d.c.facts.hush() // whoever refused knows
	d.in.refuse(a)
	d.c.e.log.Info("sip call refused", "call", d.c.id, "kind", a.code)
	if a.code == 500 {
		d.c.e.log.Error("sip answer failed", "call", d.c.id, "err", err)
	}
	return false
}

// giveUp ends a call whose early dialog came to nothing.
func (d *deciding) giveUp(code int, why string) bool {
	d.c.why.Store(&why)
	reason := "Not Acceptable Here"
	if code == 504 {
		reason = "Server Time-out"
	}
	d.in.respond(code, reason)
	d.c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "failed"})
	return false
}

func (d *deciding) cancelled() {
	d.in.respond(487, "Request Terminated")
	d.c.facts.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: "canceled"})
}

// take deals with what comes before the answer; true when the call is over.
func (d *deciding) take(ctx context.Context, m input) bool {
	switch {
	case m.cancel:
		d.cancelled()
		return true
	case m.change != nil:
		d.c.onChange(ctx, m.change)
	case m.early != nil:
		d.onEarly(m.early)
	case m.in != nil:
		return d.request(m.in)
	}
	return false
}

// request answers a request in the early dialog.
func (d *deciding) request(in *inbound) (over bool) {
	c := d.c
	if !c.inOrder(in) || in.badExtension() {
		return false
	}
	switch in.req.Method {
	case sip.BYE: // RFC 3261 15 lets a caller end an early dialog so
		in.respond(200, "OK")
		d.cancelled()
		return true
	case sip.INVITE: // RFC 3261 14.2
		in.respond(500, "Server Internal Error", header{"Retry-After", "2"})
	case sip.PRACK:
		d.onPrack(in)
	case sip.UPDATE:
		if len(in.req.Body()) > 0 && !c.agreed { // RFC 3311 5.2
			in.respond(500, "Server Internal Error", header{"Retry-After", "2"})
			return false
		}
		c.update(in)
	case sip.INFO:
		c.info(in)
	case sip.OPTIONS:
		in.options()
	case sip.REFER, sip.NOTIFY:
		in.respond(403, "Forbidden")
	default:
		in.notAllowed()
	}
	return false
}
