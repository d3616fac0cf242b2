package sip

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// Referral is a wish of the other side of a call to be put through to somebody
// else (RFC 3515).
type Referral struct {
	Call *Call
	// Target is the URI to call. It comes from the other side: whether it may be
	// called is for the owner to say.
	Target string
	// Replaces is for DialOptions.Replaces: the call of the target that the new
	// one is to take the place of; "" in a blind transfer.
	Replaces string
	By       string // Referred-By, for DialOptions.ReferredBy
	// Report tells the other side how it goes, as a SIP status: 100 is told
	// already, 180 when it rings, 200 or a refusal is the last, and has to come:
	// until then another REFER of the call is refused with 491. A reason of "" is
	// the usual one. It may be called from any goroutine, never blocks, and does
	// nothing once the call is over.
	Report func(code int, reason string)
}

const (
	// referMost is how long a referral is reported on.
	referMost = 3 * time.Minute
	// mostReferrals bounds what one call may ask for.
	mostReferrals = 16
)

// readReferral reads Refer-To and takes Replaces out of its URI.
func readReferral(req *sip.Request) (r Referral, err error) {
	targets := req.GetHeaders("refer-to")
	if len(targets) == 0 {
		targets = req.GetHeaders("r")
	}
	if len(targets) != 1 {
		return r, fmt.Errorf("%d Refer-To headers, want 1: %w", len(targets), fault.Invalid)
	}
	v := targets[0].Value()
	if open := strings.IndexByte(v, '<'); open >= 0 {
		rest, _, ok := strings.Cut(v[open+1:], ">")
		if !ok {
			return r, fmt.Errorf("malformed Refer-To: %w", fault.Invalid)
		}
		v = rest
	}
	target, headers, _ := strings.Cut(strings.TrimSpace(v), "?")
	var uri sip.Uri
	switch scheme, rest, _ := strings.Cut(target, ":"); {
	case strings.EqualFold(scheme, "tel") && rest != "":
	case !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips"):
		return r, fmt.Errorf("scheme of Refer-To: %w", fault.Denied)
	default:
		if err := sip.ParseUri(target, &uri); err != nil || uri.Host == "" {
			return r, fmt.Errorf("malformed Refer-To: %w", fault.Invalid)
		}
	}
	r.Target = target
	for h := range strings.SplitSeq(headers, "&") {
		name, value, _ := strings.Cut(h, "=")
		if !strings.EqualFold(name, "replaces") {
			continue // what else a stranger wants in our INVITE is not ours to send
		}
		if r.Replaces, err = url.PathUnescape(value); err != nil {
			return r, fmt.Errorf("malformed Replaces in Refer-To: %w", fault.Invalid)
		}
		if _, err := parseReplaces(r.Replaces); err != nil {
			return r, err
		}
	}
	r.By = orDefault(headerOf(req, "Referred-By"), headerOf(req, "b"))
	return r, nil
}

// refer answers a REFER of the other side: whoever owns the call decides.
func (c *Call) refer(ctx context.Context, in *inbound) {
	r, err := readReferral(in.req)
	switch {
	case err == nil:
	case errors.Is(err, fault.Denied):
		in.respond(416, "Unsupported URI Scheme")
		return
	default:
		in.respond(400, "Malformed Refer-To or Replaces")
		return
	}
	decide := c.e.opt.Rules.Refer
	if decide == nil {
		in.respond(603, "Decline")
		return
	}
	if c.referring.Load() {
		in.respond(491, "Request Pending")
		return
	}
	if c.referred >= mostReferrals {
		in.respond(486, "Busy Here", retryAfter(busyRetry))
		return
	}
	c.referring.Store(true)
	c.referred++
	d := c.dlg
	quiet := strings.EqualFold(headerOf(in.req, "Refer-Sub"), "false")
	event := "refer"
	if c.referred > 1 { // the first may do without (RFC 3515 2.4.6)
		event = fmt.Sprintf("refer;id=%d", in.req.CSeq().SeqNo)
	}
	reports := make(chan news, 16)
	r.Call, r.Report = c, c.reporter(reports)
	if !c.e.start(func() {
		if c.permits(ctx, decide, r, in, quiet) && !quiet {
			c.report(ctx, d, event, reports)
		}
	}) {
		in.respond(503, "Service Unavailable")
	}
}

// reporter is a Referral.Report.
func (c *Call) reporter(reports chan<- news) func(code int, reason string) {
	var last atomic.Bool // a second one is of no account, also after the next REFER
	return func(code int, reason string) {
		if code < 100 || code > 699 || strings.ContainsAny(reason, "\r\n") {
			return
		}
		if code >= 200 {
			if !last.CompareAndSwap(false, true) {
				return
			}
			c.referring.Store(false)
		}
		select {
		case reports <- news{code: code, reason: orDefault(reason, phrase(code))}:
		default:
		}
	}
}

// phrase is what a status that is reported is usually called.
func phrase(code int) string {
	switch code {
	case 180:
		return "Ringing"
	case 200:
		return "OK"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 408:
		return "Request Timeout"
	case 482:
		return "Loop Detected"
	case 486:
		return "Busy Here"
	case 487:
		return "Request Terminated"
	case 503:
		return "Service Unavailable"
	case 603:
		return "Decline"
	}
	if code < 200 {
		return "Session Progress"
	}
	return "Refused"
}

// permits asks the owner and answers the REFER.
func (c *Call) permits(ctx context.Context, decide func(context.Context, Referral) error, r Referral, in *inbound, quiet bool) bool {
	err := c.askRefer(ctx, decide, r)
	if err != nil {
		c.referring.Store(false) // before the answer: the next wish may follow it at once
		in.refuse(refuse(err))
		return false
	}
	if quiet {
		in.respond(200, "OK", header{"Refer-Sub", "false"})
		return true
	}
	in.respond(202, "Accepted")
	return true
}

// askRefer contains a panic of the callback.
func (c *Call) askRefer(ctx context.Context, decide func(context.Context, Referral) error, r Referral) (err error) {
	defer func() {
		if x := recover(); x != nil {
			c.e.bug("refer", x)
			err = fault.Bug
		}
	}()
	return decide(ctx, r)
}

// report sends NOTIFY for each report, in order, until the last, the end of the
// call, or the end of our patience (RFC 3515 2.4.4).
func (c *Call) report(ctx context.Context, d dialog, event string, reports <-chan news) {
	end := time.Now().Add(referMost)
	most := time.NewTimer(referMost)
	defer most.Stop()
	n := news{code: 100, reason: "Trying"}
	for {
		state := fmt.Sprintf("active;expires=%d", max(1, int(time.Until(end).Seconds())))
		if n.over = n.code >= 200; n.over {
			state = "terminated;reason=noresource"
		}
		if v := c.view.Load(); v != nil { // the peer may have moved
			d = *v
		}
		res, err := c.exchange(ctx, d, sip.NOTIFY, func(req *sip.Request) {
			req.AppendHeader(sip.NewHeader("Event", event))
			req.AppendHeader(sip.NewHeader("Subscription-State", state))
			req.AppendHeader(sip.NewHeader("Content-Type", sipfrag))
			req.SetBody(fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", n.code, n.reason))
		})
		if n.over || outcome(res, err) != nil {
			return
		}
		select {
		case n = <-reports:
		case <-most.C:
			n = news{code: 408, reason: "Request Timeout"}
		case <-c.gone:
			return
		}
	}
}
