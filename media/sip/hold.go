package sip

import (
	"context"
	"fmt"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
	"flametree/media/sip/sdp"
)

// holdAsk is a Hold or Resume on its way to the call's goroutine.
type holdAsk struct {
	direction sdp.Direction
	done      chan error // buffered
}

// asked is the outcome of a re-INVITE of ours.
type asked struct {
	ask *holdAsk
	res *sip.Response
	tx  *inviteTx
	err error
	way link
}

// Hold asks the other side by re-INVITE to send nothing to us; it hears what we
// send. When both sides ask at once the error is of kind fault.Conflict.
func (c *Call) Hold(ctx context.Context) error { return c.redirect(ctx, sdp.SendOnly) }

// Resume takes the other side off hold.
func (c *Call) Resume(ctx context.Context) error { return c.redirect(ctx, sdp.SendRecv) }

func (c *Call) redirect(ctx context.Context, d sdp.Direction) error {
	ask := &holdAsk{direction: d, done: make(chan error, 1)}
	if !c.post(input{hold: ask}) {
		return errCallOver()
	}
	select {
	case err := <-ask.done:
		return err
	case <-c.gone:
		return errCallOver()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onHold starts the re-INVITE; its outcome comes by c.asked.
func (c *Call) onHold(ctx context.Context, ask *holdAsk) {
	switch {
	case c.leaving || !c.up:
		ask.done <- errCallOver()
		return
	case c.asked != nil || c.unacked != nil:
		ask.done <- fmt.Errorf("another offer is in flight: %w", fault.Conflict)
		return
	}
	l, err := c.dlg.wayOut(ctx, c.e)
	if err != nil {
		ask.done <- err
		return
	}
	c.local.Version++
	choice := c.choice
	choice.Direction = ask.direction
	req := c.dlg.request(c.e, l, sip.INVITE)
	req.AppendHeader(sip.NewHeader("Content-Type", acceptable))
	req.SetBody(sdp.Answer(c.shape, choice, c.local))
	out := make(chan asked, 1)
	started := c.e.start(func() {
		res, tx, err := c.e.invite(ctx, l, req)
		out <- asked{ask: ask, res: res, tx: tx, err: err, way: l}
	})
	if !started {
		ask.done <- errCallOver()
		return
	}
	c.asked = out
}

// onAsked takes the answer to our re-INVITE. A refusal leaves the session as it
// was, except 481 and 408: the other side knows of no call (RFC 3261 12.2.1.2).
func (c *Call) onAsked(ctx context.Context, a asked) {
	if a.err != nil {
		a.ask.done <- a.err
		return
	}
	if a.res.StatusCode >= 300 {
		a.ask.done <- &Refused{Code: a.res.StatusCode, Reason: a.res.Reason}
		if code := a.res.StatusCode; code == 481 || code == 408 {
			c.fail(ctx)
		}
		return
	}
	c.dlg.refresh(a.res.Contact())
	// The ACK has the number of its INVITE, and nothing was sent since.
	c.acknowledge(ctx, a.way, a.tx)
	if err := c.settle(a.res.Body()); err != nil {
		a.ask.done <- err
		c.fail(ctx)
		return
	}
	a.ask.done <- nil
	c.tellHold()
}
