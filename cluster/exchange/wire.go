package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/sip"
)

// wire is a call as the actors see it: an actors.Line and an actors.Referrer.
type wire struct {
	*sip.Call
	x     *Exchange
	line  *line // nil for a call without a connection
	owner atomic.Pointer[actors.ID]
}

var (
	_ actors.Referrer = (*wire)(nil)
	_ actors.Owned    = (*wire)(nil)
)

// Own implements actors.Owned.
func (w *wire) Own(by actors.ID) { w.owner.Store(&by) }

// Owner finds the call actor that a call is the line of.
func (x *Exchange) Owner(c *sip.Call) (by actors.ID, ok bool) {
	w, ok := c.Owner().(*wire)
	if !ok {
		return by, false
	}
	id := w.owner.Load()
	if id == nil {
		return by, false
	}
	return *id, true
}

// Referred reads the wish of a call's other end to be put through to somebody
// else: whose call it is, and how its connection calls him. It is fault.Denied
// when the connection does not let others choose whom it calls, and when it may
// not call him.
func (x *Exchange) Referred(ctx context.Context, r sip.Referral) (by actors.ID, d actors.Dialling, err error) {
	by, ok := x.Owner(r.Call)
	w, _ := r.Call.Owner().(*wire)
	if !ok || w.line == nil {
		return by, d, sip.ErrDecline
	}
	x.mu.Lock()
	l := x.lines[name(w.line.id)]
	x.mu.Unlock()
	if l == nil || l.state.Setting("refer") != "true" {
		return by, d, sip.ErrDecline
	}
	d = actors.Dialling{
		Tenant: l.id.Tenant, Connection: l.id.Name, To: number(r.Target),
		Referral: &actors.Referral{Replaces: r.Replaces, By: r.By},
	}
	return by, d, x.Check(ctx, d)
}

// number is a tel URI without what the number does not need.
func number(target string) string {
	scheme, rest, _ := strings.Cut(target, ":")
	if !strings.EqualFold(scheme, "tel") {
		return target
	}
	rest, _, _ = strings.Cut(rest, ";")
	return rest
}

// Refer implements actors.Referrer. A number is completed by the connection the
// call came by.
func (w *wire) Refer(ctx context.Context, target string, progress func(int)) error {
	to, err := w.x.address(ctx, w.line, target, true)
	if err != nil {
		return refused(event.Failed, reasonOf(err), err)
	}
	return referred(w.Call.Refer(ctx, to, options(progress)))
}

// ReferTo implements actors.Referrer.
func (w *wire) ReferTo(ctx context.Context, other actors.Line, progress func(int)) error {
	o, ok := other.(*wire)
	if !ok {
		return fmt.Errorf("the other call is of another kind: %w", fault.Bug)
	}
	return referred(w.Call.ReferTo(ctx, o.Call, options(progress)))
}

func options(progress func(int)) sip.ReferOptions {
	o := sip.ReferOptions{}
	if progress != nil {
		o.Progress = func(code int, _ string) { progress(code) }
	}
	return o
}

// referred says in the words of transfers how a REFER came to nothing. That the
// other end does none at all is told apart: then we dial ourselves.
func referred(err error) error {
	n, ok := errors.AsType[*sip.NotTransferred](err)
	if !ok {
		return err
	}
	out := &actors.NotReached{Status: event.Failed, Reason: "failed", Code: n.Code, Err: err}
	switch {
	case !n.Accepted:
		out.Reason = "refused"
		if n.Code == 405 || n.Code == 420 || n.Code == 489 || n.Code == 501 {
			out.Reason = "unsupported"
		}
	case n.Code == 486 || n.Code == 600:
		out.Status, out.Reason = event.Busy, "busy"
	case n.Code == 408 || n.Code == 480 || n.Code == 487:
		out.Status, out.Reason = event.NoAnswer, "no_answer"
	case n.Code == 403 || n.Code == 603:
		out.Status, out.Reason = event.Declined, "declined"
	}
	return out
}

// Host is where a SIP URI leads, without its port.
func Host(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	host, _, _ := strings.Cut(rest, ";")
	return bare(host)
}
