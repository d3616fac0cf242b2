package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
	"flametree/media/sip/sdp"
)

// change is an offer of ours on its way to the call's goroutine, and on the line.
type change struct {
	ctx       context.Context //nolint:containedctx // of who asks; nobody offers for who went away
	direction sdp.Direction
	anew      bool       // offer codecs, not the one in use
	codecs    []string   // with anew
	before    []string   // the codecs of the call, should the offer be refused
	refresh   bool       // of the session timer, nothing else is new
	tries     int        // that met an offer of the other side
	done      chan error // buffered
}

// mostGlares bounds how often one offer is made again after 491.
const mostGlares = 5

// Hold asks the other side to send nothing to us; it hears what we send, such as
// music. An offer that crosses one of the other side is made again
// (RFC 3261 14.1); when that goes on, the error is of kind fault.Conflict.
func (c *Call) Hold(ctx context.Context) error {
	return c.propose(ctx, &change{direction: sdp.SendOnly})
}

// Silence is Hold in both directions: nobody sends.
func (c *Call) Silence(ctx context.Context) error {
	return c.propose(ctx, &change{direction: sdp.Inactive})
}

// Resume takes the other side off hold.
func (c *Call) Resume(ctx context.Context) error {
	return c.propose(ctx, &change{direction: sdp.SendRecv})
}

// Renegotiate offers other codecs, the preferred first; nil offers those of the
// endpoint. A refusal leaves the call as it was.
func (c *Call) Renegotiate(ctx context.Context, codecs []string) error {
	codecs, err := checkCodecs(codecs)
	if err != nil {
		return fmt.Errorf("renegotiate: %w", err)
	}
	if codecs == nil {
		codecs = c.e.opt.Codecs
	}
	return c.propose(ctx, &change{direction: sdp.SendRecv, anew: true, codecs: codecs})
}

func (c *Call) propose(ctx context.Context, ch *change) error {
	ch.ctx, ch.done = ctx, make(chan error, 1)
	if !c.post(input{change: ch}) {
		return errCallOver()
	}
	return c.await(ctx, ch.done)
}

// onChange sends the offer: by re-INVITE once the call is up, before that by
// UPDATE when an answer is known to both sides (RFC 3311 5.1).
func (c *Call) onChange(ctx context.Context, ch *change) {
	method := sip.INVITE
	switch {
	case c.leaving || ch.ctx.Err() != nil:
		ch.done <- errCallOver()
		return
	case c.offering || c.unacked != nil || c.reliable != nil:
		ch.done <- fmt.Errorf("another offer is in flight: %w", fault.Conflict)
		return
	case !c.up && (!c.agreed || !c.canUpdate):
		ch.done <- fmt.Errorf("no change before the answer: %w", fault.Conflict)
		return
	case !c.up:
		method = sip.UPDATE
	}
	body := c.redescribe(ch)
	d, want := c.dlg, c.expiry
	fill := func(req *sip.Request) {
		req.AppendHeader(sip.NewHeader("Content-Type", acceptable))
		want.request(req, &c.e.opt.Rules, want.role())
		req.SetBody(body)
	}
	c.offering = true
	started := c.beside(func() func() {
		var res *sip.Response
		var err error
		if method == sip.INVITE {
			res, err = c.reinvitation(ctx, d, fill)
		} else {
			res, err = c.exchange(ctx, d, sip.UPDATE, fill)
		}
		return func() { c.onChanged(ctx, ch, res, err) }
	})
	if !started {
		c.offering = false
		ch.done <- errCallOver()
	}
}

// redescribe writes our new offer: the streams of a call may not become fewer
// (RFC 3264 8). A refresh repeats the last one, version and all.
func (c *Call) redescribe(ch *change) []byte {
	if !ch.refresh {
		c.local.Version++
	}
	choice := c.choice
	choice.Direction = ch.direction
	if !ch.anew {
		return sdp.Answer(c.shape, choice, c.local)
	}
	ch.before, c.local.Codecs = c.local.Codecs, ch.codecs
	if len(c.shape.Streams) == 1 {
		return sdp.Offer(ch.direction, c.local)
	}
	// Among other streams an offer names one codec only.
	only, _ := c.offered()
	only.Index, only.Direction, only.Mux = choice.Index, choice.Direction, choice.Mux
	only.Crypto, only.Fingerprint, only.Active = choice.Crypto, choice.Fingerprint, choice.Active
	return sdp.Answer(c.shape, only, c.local)
}

// reinvitation sends a re-INVITE and acknowledges its answer at once: that is
// due whatever the call thinks of it.
func (c *Call) reinvitation(ctx context.Context, d dialog, fill func(*sip.Request)) (*sip.Response, error) {
	l, err := d.wayOut(ctx, c.e)
	if err != nil {
		return nil, err
	}
	var keys pass
	for {
		req := d.request(c.e, l, sip.INVITE)
		fill(req)
		keys.apply(req)
		res, tx, err := c.e.invite(ctx, l, req, d)
		if err != nil {
			return nil, err
		}
		if res.StatusCode < 300 {
			d.refresh(res.Contact())
			tx.acknowledge(ctx, d, res)
		}
		if !c.answers(&keys, req, res) {
			return res, nil
		}
	}
}

// onChanged takes the answer to our offer. A refusal leaves the session as it
// was, except 481 and 408: the other side knows of no call (RFC 3261 12.2.1.2).
func (c *Call) onChanged(ctx context.Context, ch *change, res *sip.Response, err error) {
	c.offering = false
	if c.leaving {
		ch.done <- errCallOver()
		return
	}
	err = outcome(res, err)
	if err != nil && ch.anew {
		c.local.Codecs = ch.before
	}
	switch {
	case ch.refresh:
		defer c.onRefreshed(ctx, res, err)
	case err != nil && dead(err):
		defer c.fail(ctx, "an offer of ours was not answered")
	case codeOf(res) == 491 && ch.tries < mostGlares:
		ch.tries++
		c.retryLater(ctx, ch)
		return
	}
	if err != nil {
		ch.done <- err
		return
	}
	c.dlg.refresh(res.Contact())
	c.publish()
	c.expiry.taken(res)
	if err := c.settle(res.Body()); err != nil {
		ch.done <- err
		c.fail(ctx, "an offer of ours was answered with nonsense")
		return
	}
	ch.done <- nil
	c.tellHold()
}

// retryLater makes an offer again after the wait of RFC 3261 14.1, which is
// longer for who made the call, so that the two do not meet again.
func (c *Call) retryLater(ctx context.Context, ch *change) {
	wait := time.Duration(rand.Int64N(201)) * 10 * time.Millisecond // spreads load, keeps no secret
	if !c.called {
		wait += 2100 * time.Millisecond
	}
	wait = time.Duration(float64(wait) * c.e.opt.T1.Seconds() / 0.5) // in the scale of this endpoint
	started := c.beside(func() func() {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.gone:
		case <-c.e.cut:
		}
		return func() { c.onChange(ctx, ch) }
	})
	if !started {
		ch.done <- errCallOver()
	}
}
