package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// asRefused finds a request that Twilio did not grant.
func asRefused(err error) (*Refused, bool) { return errors.AsType[*Refused](err) }

// Serves says whether a call can go through a connection to Twilio: the one it
// names, or one that its agent may use. Numbers alone are called this way.
func (t *Trunks) Serves(d actors.Dialling) bool {
	_, err := t.choose(d)
	return err == nil && !isAddress(d.To)
}

// isAddress tells SIP addresses from numbers.
func isAddress(to string) bool {
	return strings.Contains(to, "@") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(to)), "sip")
}

// Check reports why a call would not even be tried.
func (t *Trunks) Check(d actors.Dialling) error {
	tr, err := t.choose(d)
	if err == nil {
		_, err = tr.number(d.To)
	}
	return err
}

// choose finds the connection of a call: the one it names, else the one whose
// calls the agent receives, else the first by id.
func (t *Trunks) choose(d actors.Dialling) (*trunk, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var best *trunk
	for id, tr := range t.trunks {
		switch {
		case tr.id.Tenant != d.Tenant, d.Connection != "" && d.Connection != id:
			continue
		case d.Agent != "" && !tr.state.Uses(d.Agent):
			if d.Connection != "" {
				return nil, fmt.Errorf("agent %q may not use the connection %q: attach it: %w", d.Agent, tr.state.Name, fault.Denied)
			}
			continue
		}
		in, bestIn := tr.state.Inbound == d.Agent, best != nil && best.state.Inbound == d.Agent
		if best == nil || in && !bestIn || in == bestIn && id < best.id.Name {
			best = tr
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no connection to Twilio is running for this call: start it: %w", fault.Unavailable)
	}
	return best, nil
}

// number is what is to be called, checked against what the connection may call.
func (tr *trunk) number(text string) (string, error) {
	if isAddress(text) {
		return "", fmt.Errorf("a connection to Twilio calls numbers, no SIP addresses: %w", fault.Invalid)
	}
	n, err := tr.plan.Number(text)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(n, "+") {
		return "", fmt.Errorf("%s has no country code: write it with + or set the connection's country: %w", n, fault.Denied)
	}
	return n, nil
}

// Dial implements actors.Dialler. Parameters may hold timeout=SECONDS.
func (t *Trunks) Dial(ctx context.Context, d actors.Dialling, progress func(actors.DialProgress)) (actors.Leg, actors.Line, error) {
	tr, err := t.choose(d)
	var to string
	if err == nil {
		to, err = tr.number(d.To)
	}
	if err == nil {
		d.Ring, err = ring(d)
	}
	if err == nil && tr.pace != nil {
		if waitErr := tr.pace.Wait(ctx); waitErr != nil {
			err = fmt.Errorf("%w: %w", waitErr, fault.Cancelled)
		}
	}
	var c *call
	if err == nil {
		c, err = t.enter(tr)
	}
	if err == nil {
		if t.opt.Language != nil {
			c.language = t.opt.Language(d.Tenant, d.Agent)
		}
		err = c.equip()
		c.progress = progress
	}
	if err != nil {
		if c != nil {
			c.finish(event.Failed, "failed")
		}
		return nil, nil, notReached(err)
	}
	if err := c.place(ctx, to, d); err != nil {
		c.finish(event.Failed, "failed")
		_ = c.leg.Close()
		return nil, nil, notReached(err)
	}
	return c.await(ctx)
}

func ring(d actors.Dialling) (time.Duration, error) {
	for part := range strings.SplitSeq(d.Parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "":
		case "timeout":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 600 {
				return 0, fmt.Errorf("parameter timeout=%.20q: want 1 to 600 seconds: %w", value, fault.Invalid)
			}
			d.Ring = time.Duration(n) * time.Second
		default:
			return 0, fmt.Errorf("parameter %.20q is not known: through Twilio there is timeout: %w", key, fault.Invalid)
		}
	}
	return d.Ring, nil
}

// place asks Twilio for the call.
func (c *call) place(ctx context.Context, to string, d actors.Dialling) error {
	from := c.trunk.state.Setting("phone_number")
	if strings.HasPrefix(d.From, "+") {
		from = d.From
	}
	form := url.Values{
		"To": {to}, "From": {from}, "Twiml": {c.connect()},
		"StatusCallback": {c.t.address(c.trunk, hookStatus, c.key)}, "StatusCallbackMethod": {"POST"},
		"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"},
	}
	if d.Ring > 0 {
		form.Set("Timeout", strconv.Itoa(max(1, int(d.Ring/time.Second))))
	}
	made, err := c.trunk.api.create(ctx, form)
	if err != nil {
		return err
	}
	c.t.name(c, made.SID)
	return nil
}

// await waits until the call was answered or is over. A call nobody waits for
// any more is hung up.
func (c *call) await(ctx context.Context) (actors.Leg, actors.Line, error) {
	select {
	case <-c.begun:
		return c.leg, &wire{Line: c.line, call: c}, nil
	case <-c.ended:
	case <-ctx.Done():
		c.hangup("canceled")
	}
	_ = c.leg.Close()
	c.t.mu.Lock()
	out := c.outcome
	c.t.mu.Unlock()
	if ctx.Err() != nil {
		out.Err = fmt.Errorf("%w: %w", fault.Cancelled, ctx.Err())
	}
	return nil, nil, &out
}

// notReached says in the words of sessions how a call came to nothing.
func notReached(err error) *actors.NotReached {
	out := &actors.NotReached{Status: event.Failed, Reason: "failed", Err: err}
	switch fault.KindOf(err) {
	case fault.Denied:
		out.Reason = "forbidden"
	case fault.Cancelled:
		out.Status, out.Reason = event.Canceled, "canceled"
	case fault.Exhausted:
		out.Reason = "busy"
	default: // failed
	}
	return out
}
