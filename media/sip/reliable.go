package sip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// reliable is a provisional response of ours that its PRACK has not come for
// (RFC 3262 3).
type reliable struct {
	rseq  uint32
	seq   uint32 // of the INVITE
	res   *sip.Response
	link  link
	wait  time.Duration // until the next repetition
	until time.Time
	offer bool // it held our offer: the PRACK must answer it
	ask   *earlyAsk
}

// earlyAsk is an Early on its way to the call's goroutine.
type earlyAsk struct{ done chan error }

// Early lets the caller hear the leg before the call is answered, by a 183 with
// our SDP: an announcement, a tone, a queue. It is meant to be called while
// Options.Answer decides, and returns when the caller is known to have the
// response, or at once when the caller cannot confirm it (RFC 3262). The second
// time it does nothing.
func (c *Call) Early(ctx context.Context) error {
	ask := &earlyAsk{done: make(chan error, 1)}
	if !c.post(input{early: ask}) {
		return errCallOver()
	}
	return c.await(ctx, ask.done)
}

// await waits for the outcome of something asked of the call.
func (c *Call) await(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.gone:
	}
	select { // it may have been told just before the end
	case err := <-done:
		return err
	default:
		return errCallOver()
	}
}

// onEarly sends the 183 with our SDP.
func (d *deciding) onEarly(ask *earlyAsk) {
	c := d.c
	confirms := supports(d.in.req, "100rel")
	switch {
	case d.early:
		ask.done <- nil
		return
	case c.reliable != nil:
		ask.done <- fmt.Errorf("another response awaits its PRACK: %w", fault.Conflict)
		return
	case !d.offered && !confirms: // an offer that may get lost is none (RFC 3261 13.2.1)
		ask.done <- fmt.Errorf("the caller made no offer and cannot confirm ours: %w", fault.Invalid)
		return
	}
	d.early = true
	res := sip.NewResponseFromRequest(d.in.req, 183, "Session Progress", c.describe(d.offered))
	res.AppendHeader(sip.NewHeader("Content-Type", acceptable))
	d.provisional(res, confirms, ask)
}

// ring sends 180, reliably only to a caller who insists.
func (d *deciding) ring() {
	if d.c.reliable != nil || d.early { // what rings is heard already
		return
	}
	res := sip.NewResponseFromRequest(d.in.req, 180, "Ringing", nil)
	d.provisional(res, requires(d.in.req, "100rel"), nil)
}

// provisional sends a response that opens an early dialog; ask is told when it
// has arrived.
func (d *deciding) provisional(res *sip.Response, confirmed bool, ask *earlyAsk) {
	c, in := d.c, d.in
	res.AppendHeader(c.dlg.contactHeader(c.e, in.link))
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	if !confirmed {
		in.send(res)
		if ask != nil {
			ask.done <- nil
		}
		return
	}
	d.rseq++
	res.AppendHeader(sip.NewHeader("Require", "100rel"))
	res.AppendHeader(sip.NewHeader("RSeq", strconv.FormatUint(uint64(d.rseq), 10)))
	c.reliable = &reliable{
		rseq: d.rseq, seq: in.req.CSeq().SeqNo, res: res, link: in.link, ask: ask,
		offer: len(res.Body()) > 0 && !d.offered,
		wait:  c.e.opt.T1, until: time.Now().Add(64 * c.e.opt.T1),
	}
	c.timer.Reset(c.e.opt.T1)
	in.send(res)
}

// again repeats the response until its PRACK comes, twice as late each time;
// false when 64 T1 have passed (RFC 3262 3).
func (d *deciding) again() bool {
	c, r := d.c, d.c.reliable
	if r == nil {
		return true
	}
	left := time.Until(r.until)
	if left <= 0 {
		return false
	}
	if err := r.link.WriteMsg(r.res); err != nil {
		c.e.log.Debug("sip response not sent", "call", c.id, "err", err)
	}
	r.wait *= 2
	c.timer.Reset(min(r.wait, left))
	return true
}

// onPrack confirms a response of ours (RFC 3262 3 and 5): the PRACK may hold the
// answer to our offer, or an offer that its 200 answers.
func (d *deciding) onPrack(in *inbound) {
	c := d.c
	r := c.reliable
	rseq, seq, ok := parseRAck(headerOf(in.req, "RAck"))
	switch {
	case !ok:
		in.respond(400, "Malformed RAck")
		return
	case r == nil || rseq != r.rseq || seq != r.seq:
		in.respond(481, "Call/Transaction Does Not Exist")
		return
	}
	body := in.req.Body()
	if len(body) > 0 && in.badContent() {
		return
	}
	c.reliable = nil
	c.timer.Stop()
	var answer []byte
	var err error
	switch {
	case r.offer:
		if err = c.settle(body); err == nil {
			c.agreed = true
		}
	case len(body) > 0 && d.early:
		answer, err = c.takeOffer(body)
	case len(body) > 0: // a second offer before the first was answered
		err = fmt.Errorf("offer in a PRACK before the answer to the first: %w", fault.Conflict)
	}
	if err == nil && d.early {
		c.agreed = true
	}
	if err != nil {
		c.e.log.Debug("sip prack refused", "call", c.id, "err", err)
		in.respond(488, "Not Acceptable Here")
	} else {
		in.answerWith(answer)
	}
	if r.ask != nil {
		r.ask.done <- err
	}
	if err != nil && r.offer { // there is nothing both sides know to talk by
		d.failed = true
	}
}

// answerWith sends 200, with SDP when there is any.
func (in *inbound) answerWith(body []byte, extra ...header) {
	res := sip.NewResponseFromRequest(in.req, 200, "OK", body)
	if len(body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", acceptable))
	}
	for _, h := range extra {
		res.AppendHeader(sip.NewHeader(h.name, h.value))
	}
	in.send(res)
}

// parseRAck reads "response-num CSeq-num Method" (RFC 3262 7.2).
func parseRAck(v string) (rseq, seq uint32, ok bool) {
	f := strings.Fields(v)
	if len(f) != 3 || f[2] != "INVITE" {
		return 0, 0, false
	}
	a, err1 := strconv.ParseUint(f[0], 10, 32)
	b, err2 := strconv.ParseUint(f[1], 10, 31)
	return uint32(a), uint32(b), err1 == nil && err2 == nil && a > 0
}
