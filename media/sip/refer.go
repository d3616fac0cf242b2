package sip

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// ReferOptions are what a transfer can choose. The zero value is usable.
type ReferOptions struct {
	// Progress is told each step the other side reports, 100 and 180 too, from
	// the goroutine of Refer; nil: nobody.
	Progress func(code int, reason string)
	// By is the URI of Referred-By (RFC 3892); "" is ours.
	By string
	// Wait is how long the other side may take to reach the target; zero is 60 s.
	Wait time.Duration
	// Blindly asks for no reports (RFC 4488): the transfer counts as done when the
	// other side accepts it.
	Blindly bool
}

// NotTransferred is the error of a transfer the other side or the target turned
// down. The call goes on.
type NotTransferred struct {
	Refused
	Accepted bool // the other side tried, and the target refused
}

// Error implements error.
func (n *NotTransferred) Error() string {
	if n.Accepted {
		return "transfer: the target " + n.Refused.Error()
	}
	return "transfer " + n.Refused.Error()
}

// Unwrap gives the kind of trouble the code stands for.
func (n *NotTransferred) Unwrap() error { return n.Refused.Unwrap() }

// Refer asks the other side to call target instead of us (RFC 3515), and returns
// nil when it says that the target has answered. Hanging up is left to whoever
// transferred: after nil, by Hangup("transferred"); after an error the call goes
// on as before.
func (c *Call) Refer(ctx context.Context, target string, o ReferOptions) error {
	var uri sip.Uri
	err := sip.ParseUri(target, &uri)
	switch scheme, _, _ := strings.Cut(target, ":"); strings.ToLower(scheme) {
	case "tel":
		err = nil
	case "sip", "sips":
	default:
		err = fault.Invalid
	}
	if err != nil || strings.ContainsAny(target, "<>\"\r\n ") {
		return fmt.Errorf("transfer: target %q is not a sip or tel uri: %w", target, fault.Invalid)
	}
	return c.transfer(ctx, "<"+target+">", o)
}

// ReferTo asks the other side to take our place in another call of ours, which
// ends thereby (RFC 3891): the attended transfer. It returns as Refer does; both
// calls are then the owner's to hang up.
func (c *Call) ReferTo(ctx context.Context, other *Call, o ReferOptions) error {
	d := other.view.Load()
	if other == c || other.stage.Load() != stageUp || d == nil {
		return fmt.Errorf("transfer: the other call is not up: %w", fault.Conflict)
	}
	// The tags as the target sees them: to is its own, from is ours.
	replaces := fmt.Sprintf("%s;to-tag=%s;from-tag=%s", d.callID, tagOf(d.remote.Params), tagOf(d.local.Params))
	target := *d.target.Clone()
	target.Headers = nil
	return c.transfer(ctx, "<"+target.String()+"?Replaces="+url.QueryEscape(replaces)+">", o)
}

// referral is a REFER of ours that awaits its outcome.
type referral struct {
	seq  uint32 // of the REFER, sent last
	news chan news
}

// news is what a NOTIFY told.
type news struct {
	code   int
	reason string
	over   bool // nothing follows
}

// referrals are the REFERs of one call. The zero value is ready.
type referrals struct {
	mu   sync.Mutex // guards list
	list []*referral
}

func (r *referrals) add() *referral {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := &referral{news: make(chan news, 32)}
	r.list = append(r.list, one)
	return one
}

func (r *referrals) remove(one *referral) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(x *referral) bool { return x == one })
}

func (r *referrals) number(one *referral, seq uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one.seq = seq
}

// find gives the REFER that a NOTIFY is about: by its number, or the first when
// it names none (RFC 3515 2.4.6).
func (r *referrals) find(id string) *referral {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.list {
		if id == "" || id == strconv.FormatUint(uint64(one.seq), 10) {
			return one
		}
	}
	return nil
}

// transfer sends REFER and waits for what becomes of it.
func (c *Call) transfer(ctx context.Context, to string, o ReferOptions) error {
	if strings.ContainsAny(o.By, "<>\"\r\n ") {
		return fmt.Errorf("transfer: by %q: %w", o.By, fault.Invalid)
	}
	if c.stage.Load() != stageUp {
		return fmt.Errorf("transfer: %w", errCallOver())
	}
	ctx, stop := context.WithTimeout(ctx, orDefault(o.Wait, time.Minute))
	defer stop()
	d := *c.view.Load()
	one := c.refers.add()
	defer c.refers.remove(one)
	by := orDefault(o.By, d.local.Address.String())
	res, err := c.exchange(ctx, d, sip.REFER, func(req *sip.Request) {
		c.refers.number(one, req.CSeq().SeqNo)
		req.AppendHeader(sip.NewHeader("Refer-To", to))
		req.AppendHeader(sip.NewHeader("Referred-By", "<"+by+">"))
		if o.Blindly {
			req.AppendHeader(sip.NewHeader("Refer-Sub", "false"))
		}
	})
	if err := outcome(res, err); err != nil {
		if r, ok := errors.AsType[*Refused](err); ok {
			return &NotTransferred{Refused: *r}
		}
		return fmt.Errorf("transfer: %w", err)
	}
	if strings.EqualFold(headerOf(res, "Refer-Sub"), "false") {
		return nil
	}
	return c.followUp(ctx, one, o)
}

// followUp hears the NOTIFYs of one REFER.
func (c *Call) followUp(ctx context.Context, one *referral, o ReferOptions) error {
	for {
		select {
		case n := <-one.news:
			if o.Progress != nil && n.code > 0 {
				o.Progress(n.code, n.reason)
			}
			switch {
			case n.code >= 300:
				return &NotTransferred{Refused: Refused{Code: n.code, Reason: n.reason}, Accepted: true}
			case n.code >= 200:
				return nil
			case n.over:
				return fmt.Errorf("transfer: the other side ended its reports without an outcome: %w", fault.Unavailable)
			}
		case <-ctx.Done():
			return fmt.Errorf("transfer: no outcome: %w", errors.Join(ctx.Err(), fault.Unavailable))
		case <-c.gone:
			return c.lastNews(one)
		}
	}
}

// lastNews is the outcome of a transfer whose call ended: the other side may have
// told it just before.
func (c *Call) lastNews(one *referral) error {
	for {
		select {
		case n := <-one.news:
			if n.code >= 300 {
				return &NotTransferred{Refused: Refused{Code: n.code, Reason: n.reason}, Accepted: true}
			}
			if n.code >= 200 {
				return nil
			}
		default:
			return fmt.Errorf("transfer: the other side left without an outcome: %w", fault.Unavailable)
		}
	}
}

// notified takes a NOTIFY about a REFER of ours (RFC 3515 2.4.4).
func (c *Call) notified(in *inbound) {
	kind, params, _ := strings.Cut(orDefault(headerOf(in.req, "Event"), headerOf(in.req, "o")), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "refer") {
		in.respond(489, "Bad Event", header{"Allow-Events", "refer"})
		return
	}
	one := c.refers.find(parameterOf(params, "id"))
	if one == nil {
		in.respond(481, "Subscription does not exist")
		return
	}
	state, _, _ := strings.Cut(headerOf(in.req, "Subscription-State"), ";")
	n := news{over: strings.EqualFold(strings.TrimSpace(state), "terminated")}
	if len(in.req.Body()) > 0 {
		ctype := in.req.ContentType()
		if ctype == nil || mediaType(ctype.Value()) != sipfrag {
			in.respond(415, "Unsupported Media Type", header{"Accept", sipfrag})
			return
		}
		var ok bool
		if n.code, n.reason, ok = parseFrag(string(in.req.Body())); !ok {
			in.respond(400, "Malformed message/sipfrag")
			return
		}
	}
	in.respond(200, "OK")
	select {
	case one.news <- n:
	default: // told more often than anybody listens
	}
}

// parameterOf reads one of ";"-separated parameters, "" when it is not there.
func parameterOf(params, name string) string {
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// parseFrag reads the status line a sipfrag begins with (RFC 3420).
func parseFrag(body string) (code int, reason string, ok bool) {
	line, _, _ := strings.Cut(body, "\n")
	rest, ok := strings.CutPrefix(strings.TrimRight(line, "\r "), "SIP/2.0 ")
	if !ok {
		return 0, "", false
	}
	number, reason, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(number)
	if err != nil || len(number) != 3 || code < 100 || code > 699 {
		return 0, "", false
	}
	return code, reason, true
}
