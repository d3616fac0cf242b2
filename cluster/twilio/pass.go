package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/gateway/hooks"
	"flametree/media/twilio"
)

// wire is a call as the actors see it: an actors.Line and an actors.Referrer.
type wire struct {
	*twilio.Line
	call *call
}

// pass is a transfer under way.
type pass struct {
	progress func(int)
	over     chan error
	once     sync.Once
	failed   error // set while the socket is awaited again
}

func (p *pass) finish(err error) { p.once.Do(func() { p.over <- err }) }

// ringPass is how long the person who is to take a call may ring, where the
// caller of Refer does not give up before.
const ringPass = 30 * time.Second

// Refer implements actors.Referrer by Twilio's Dial. When it returns nil the
// call belongs to whoever answered; otherwise the caller hears the leg again.
func (w *wire) Refer(ctx context.Context, target string, progress func(code int)) error {
	c := w.call
	to, err := c.trunk.number(target)
	if err != nil {
		return notReached(err)
	}
	p := &pass{progress: progress, over: make(chan error, 1)}
	sid, err := c.lend(p)
	if err != nil {
		return err
	}
	dial := hooks.DialAnswer{
		Number: to, From: c.trunk.state.Setting("phone_number"), Ring: ringPass,
		Action: c.t.address(c.trunk, hookDialled, c.key), Status: c.t.address(c.trunk, hookPassed, c.key),
	}
	if err := c.trunk.api.update(ctx, sid, url.Values{"Twiml": {dial.TwiML()}}); err != nil {
		c.unpass(err)
		return notReached(err)
	}
	select {
	case err := <-p.over:
		return err
	case <-ctx.Done():
	}
	c.takeBack(sid, p)
	return fmt.Errorf("transfer given up: %w: %w", fault.Cancelled, ctx.Err())
}

// ReferTo implements actors.Referrer: Twilio cannot put one call in the place of
// another, so the two are joined here.
func (w *wire) ReferTo(context.Context, actors.Line, func(int)) error {
	return &actors.NotReached{Status: event.Failed, Reason: "unsupported", Err: errors.Join(fault.Unavailable, errNoReplace)}
}

var errNoReplace = errors.New("twilio does not replace calls")

// lend notes a transfer, if the call can be passed on now.
func (c *call) lend(p *pass) (sid string, err error) {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	switch {
	case c.over || c.sid == "":
		return "", fmt.Errorf("the call is over: %w", fault.NotFound)
	case c.pass != nil || c.passed:
		return "", fmt.Errorf("the call is being passed on: %w", fault.Conflict)
	}
	c.pass, c.dialled = p, ""
	return c.sid, nil
}

// unpass ends a transfer that came to nothing.
func (c *call) unpass(err error) {
	c.t.mu.Lock()
	p := c.pass
	c.pass = nil
	c.t.mu.Unlock()
	if p != nil {
		p.finish(err)
	}
}

// takeBack brings the call's socket back from a Dial that is no longer wanted.
func (c *call) takeBack(sid string, p *pass) {
	c.t.mu.Lock()
	mine := c.pass == p
	if mine {
		p.failed = fault.Cancelled
	}
	over := c.over
	c.t.mu.Unlock()
	if mine && !over {
		c.t.later("call not taken back", func(ctx context.Context) error {
			return c.trunk.api.update(ctx, sid, url.Values{"Twiml": {c.connect()}})
		})
	}
}

// dialling takes how a Dial goes.
func (c *call) dialling(status string) {
	c.t.mu.Lock()
	p := c.pass
	answered := p != nil && p.failed == nil && status == "in-progress"
	if answered {
		c.pass, c.passed = nil, true
	}
	c.t.mu.Unlock()
	switch {
	case p == nil:
	case answered:
		p.finish(nil)
	case status == "ringing" && p.progress != nil:
		p.progress(180)
	}
}

// afterDial says what follows a Dial: the end, where somebody took the call, or
// our socket again. Asked again, it answers the same.
func (c *call) afterDial(status string) string {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if c.dialled != "" {
		return c.dialled
	}
	p := c.pass
	switch {
	case p == nil:
		c.dialled = hooks.Hangup()
	case status == "completed" || status == "answered": // its callback was lost on the way
		c.pass, c.passed, c.dialled = nil, true, hooks.Hangup()
		p.finish(nil)
	default:
		end, ok := outcome(status)
		if !ok {
			end = ending{event.Failed, "failed"}
		}
		p.failed = &actors.NotReached{Status: end.status, Reason: end.reason}
		c.dialled = c.connect()
		time.AfterFunc(socketWithin, func() { // the caller is gone, or Twilio is
			c.unpassIf(p)
		})
	}
	return c.dialled
}

// unpassIf ends the call whose socket did not come back.
func (c *call) unpassIf(p *pass) {
	c.t.mu.Lock()
	mine := c.pass == p
	c.t.mu.Unlock()
	if mine {
		c.unpass(p.failed)
		c.finish(event.NetworkError, "media_lost")
	}
}
