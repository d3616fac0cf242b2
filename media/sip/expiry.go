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

// expiry is the session timer of a call (RFC 4028).
type expiry struct {
	timer    *time.Timer
	interval time.Duration // 0: none
	least    time.Duration // the greatest Min-SE heard
	ours     bool          // we refresh
	asking   bool          // a refresh is under way
	deadline time.Time     // when the call ends unless it is refreshed
}

// mostExpires bounds what a peer may ask for: a day.
const mostExpires = 24 * 60 * 60

// sessionExpires is the value of a Session-Expires header.
type sessionExpires struct {
	interval  time.Duration
	refresher string // uac, uas or ""
}

func (s sessionExpires) String() string {
	v := strconv.Itoa(int(s.interval / time.Second))
	if s.refresher != "" {
		v += ";refresher=" + s.refresher
	}
	return v
}

// readExpires reads Session-Expires, also in its compact form x; ok is false when
// there is none.
func readExpires(msg headed) (s sessionExpires, ok bool, err error) {
	v := headerOf(msg, "Session-Expires")
	if v == "" {
		v = headerOf(msg, "x")
	}
	if v == "" {
		return s, false, nil
	}
	number, params, _ := strings.Cut(v, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
	if err != nil || n == 0 {
		return s, false, fmt.Errorf("malformed Session-Expires: %w", fault.Invalid)
	}
	s.interval = time.Duration(min(n, mostExpires)) * time.Second
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(key), "refresher") {
			continue
		}
		switch s.refresher = strings.ToLower(strings.TrimSpace(value)); s.refresher {
		case "uac", "uas":
		default:
			return s, false, fmt.Errorf("malformed Session-Expires: refresher %.20q: %w", value, fault.Invalid)
		}
	}
	return s, true, nil
}

// readMinSE is the Min-SE of a message, 0 when there is none or it is nonsense.
func readMinSE(msg headed) time.Duration {
	number, _, _ := strings.Cut(headerOf(msg, "Min-SE"), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, mostExpires)) * time.Second
}

// badExpiry refuses a session timer we cannot keep: nonsense with 400, too short
// with 422 (RFC 4028 9).
func (in *inbound) badExpiry() bool {
	s, ok, err := readExpires(in.req)
	if err != nil {
		in.respond(400, "Malformed Session-Expires")
		return true
	}
	least := in.e.opt.Rules.MinSE
	if !ok || s.interval >= least || !supports(in.req, "timer") {
		return false
	}
	in.respond(422, "Session Interval Too Small", header{"Min-SE", strconv.Itoa(int(least / time.Second))})
	return true
}

// agree settles the session timer with who sent a request, and gives the headers
// of its 2xx (RFC 4028 9). The request has passed badExpiry.
func (x *expiry) agree(req *sip.Request, rules *Rules) []header {
	s, asked, _ := readExpires(req)
	knows := supports(req, "timer")
	if !asked {
		if rules.SessionExpires <= 0 {
			x.none()
			return nil
		}
		s.interval = max(rules.SessionExpires, readMinSE(req))
	} else if ours := max(rules.SessionExpires, readMinSE(req), rules.MinSE); rules.SessionExpires > 0 {
		s.interval = min(s.interval, ours)
	}
	switch {
	case !knows:
		s.refresher = "uas"
	case s.refresher == "":
		s.refresher = "uac"
	}
	x.set(s.interval, s.refresher == "uas")
	extra := []header{{"Session-Expires", s.String()}}
	if knows {
		extra = append(extra, header{"Require", "timer"})
	}
	return extra
}

// request puts the wish for a session timer into a request of ours; refresher is
// "" for the other side to choose.
func (x *expiry) request(req *sip.Request, rules *Rules, refresher string) {
	interval := x.interval
	if interval == 0 {
		interval = rules.SessionExpires
	}
	if interval <= 0 {
		return
	}
	interval = max(interval, x.least)
	req.AppendHeader(sip.NewHeader("Session-Expires", sessionExpires{interval, refresher}.String()))
	req.AppendHeader(sip.NewHeader("Min-SE", strconv.Itoa(int(max(x.least, rules.MinSE)/time.Second))))
}

// role is ours in a refresh we send: who sends a request is its uac.
func (x *expiry) role() string {
	switch {
	case x.interval == 0:
		return ""
	case x.ours:
		return "uac"
	}
	return "uas"
}

// taken reads the 2xx to a request of ours: without Session-Expires there is no
// timer (RFC 4028 7.2). A 2xx that says nonsense is one without.
func (x *expiry) taken(res *sip.Response) {
	s, ok, err := readExpires(res)
	if !ok || err != nil {
		x.none()
		return
	}
	x.set(s.interval, s.refresher != "uas")
}

func (x *expiry) none() {
	x.interval, x.asking = 0, false
	x.timer.Stop()
}

// set starts the interval anew. Who refreshes does so at half of it; who waits
// gives up a little before its end (RFC 4028 10).
func (x *expiry) set(interval time.Duration, ours bool) {
	x.interval, x.ours, x.asking = interval, ours, false
	wait := interval - min(32*time.Second, interval/3)
	x.deadline = time.Now().Add(wait)
	if ours {
		wait = interval / 2
	}
	x.timer.Reset(wait)
}

// onExpiry refreshes the session, or ends a call that was not refreshed.
func (c *Call) onExpiry(ctx context.Context) {
	x := &c.expiry
	left := time.Until(x.deadline)
	switch {
	case x.interval == 0 || c.leaving:
		return
	case left <= 0:
		c.fail(ctx, "the session timer expired")
		return
	case !x.ours || x.asking:
		x.timer.Reset(left)
		return
	case c.offering || c.unacked != nil: // another request in flight refreshes too, or soon leaves room
		x.timer.Reset(min(left, 5*time.Second))
		return
	}
	x.asking = true
	x.timer.Reset(left)
	if !c.canUpdate {
		c.onChange(ctx, &change{refresh: true, ctx: ctx, done: make(chan error, 1), direction: c.choice.Direction})
		return
	}
	d, want := c.dlg, c.expiry
	c.beside(func() func() {
		res, err := c.exchange(ctx, d, sip.UPDATE, func(req *sip.Request) {
			want.request(req, &c.e.opt.Rules, want.role())
		})
		return func() { c.onRefreshed(ctx, res, err) }
	})
}

// onRefreshed takes the answer to a refresh of ours.
func (c *Call) onRefreshed(ctx context.Context, res *sip.Response, err error) {
	x := &c.expiry
	x.asking = false
	if c.leaving {
		return
	}
	err = outcome(res, err)
	switch code := codeOf(res); {
	case err == nil:
		c.dlg.refresh(res.Contact())
		c.publish()
		x.taken(res)
		return
	case dead(err):
		c.fail(ctx, "the refresh of the session was not answered")
		return
	case code == 422:
		x.interval = max(x.interval, readMinSE(res))
		x.least = max(x.least, readMinSE(res))
	case code == 405 || code == 501:
		c.canUpdate = false
	}
	left := time.Until(x.deadline)
	x.timer.Reset(max(0, min(left, x.interval/16)))
}
