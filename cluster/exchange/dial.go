package exchange

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/sip"
)

// mostRedirects bounds how many contacts of redirections are tried.
const mostRedirects = 3

// Dial implements actors.Dialler.
func (x *Exchange) Dial(ctx context.Context, d actors.Dialling, progress func(actors.DialProgress)) (actors.Leg, actors.Line, error) {
	x.mu.Lock()
	e := x.endpoint
	x.mu.Unlock()
	if e == nil {
		return nil, nil, refused(event.Failed, "failed", fmt.Errorf("%w: %w", errNoEndpoint, fault.Unavailable))
	}
	l, err := x.choose(d)
	if err != nil {
		return nil, nil, refused(event.Failed, "failed", err)
	}
	to, err := x.address(ctx, l, d.To, d.Owner)
	if err != nil {
		return nil, nil, refused(event.Failed, reasonOf(err), err)
	}
	o, err := x.options(l, d, progress)
	if err != nil {
		return nil, nil, refused(event.Failed, reasonOf(err), err)
	}
	if err := x.wait(ctx, l); err != nil {
		return nil, nil, refused(event.Failed, reasonOf(err), err)
	}
	call, err := x.follow(ctx, e, l, to, o)
	if err != nil {
		x.leave(l)
		return nil, nil, notReached(err)
	}
	return call.Leg(), x.wrap(call, l), nil
}

// follow dials, and dials again where redirections lead, as long as the
// connection may call there.
func (x *Exchange) follow(ctx context.Context, e *sip.Endpoint, l *line, to string, o sip.DialOptions) (*sip.Call, error) {
	queue := []string{to}
	var last error
	for tried := 0; len(queue) > 0 && tried <= mostRedirects; tried++ {
		call, err := e.Dial(ctx, queue[0], o)
		if err == nil {
			return call, nil
		}
		queue, last = queue[1:], err
		r, ok := errors.AsType[*sip.Refused](err)
		if !ok || r.Code < 300 || r.Code > 399 || ctx.Err() != nil {
			continue
		}
		for _, contact := range r.Contacts {
			checked, err := x.address(ctx, l, contact, Host(contact) == Host(to))
			if err != nil {
				x.opt.Log.Warn("redirection not followed", "err", err)
				last = err
				continue
			}
			queue = append(queue, checked)
		}
	}
	return nil, last
}

// choose finds the connection of a call; nil is none, for SIP addresses.
func (x *Exchange) choose(d actors.Dialling) (*line, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d.Connection != "" {
		l := x.lines[d.Tenant.String()+"/"+d.Connection]
		switch {
		case l == nil:
			return nil, fmt.Errorf("the connection is not running: start it: %w", fault.Unavailable)
		case d.Agent != "" && !l.state.Uses(d.Agent):
			return nil, fmt.Errorf("agent %q may not use the connection %q: attach it: %w", d.Agent, l.state.Name, fault.Denied)
		}
		return l, nil
	}
	var best *line
	for _, l := range x.lines {
		if l.id.Tenant != d.Tenant || !l.state.Uses(d.Agent) {
			continue
		}
		if best == nil || l.state.Inbound == d.Agent && best.state.Inbound != d.Agent || l.id.Name < best.id.Name && (l.state.Inbound == d.Agent) == (best.state.Inbound == d.Agent) {
			best = l
		}
	}
	return best, nil
}

// address is the SIP URI of what is to be called, checked against what the
// connection may call.
func (x *Exchange) address(ctx context.Context, l *line, to string, trusted bool) (string, error) {
	to = strings.Trim(strings.TrimSpace(to), "<>")
	scheme, rest, _ := strings.Cut(to, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips":
		uri, host, err := x.uri(l, strings.ToLower(scheme), rest)
		if err == nil && !trusted && (l == nil || !strings.EqualFold(bare(host), bare(l.state.Setting("domain")))) {
			err = x.direct(ctx, strings.ToLower(scheme), host)
		}
		return uri, err
	}
	if l == nil {
		return "", fmt.Errorf("numbers are called through a connection: attach one to the agent, or give a SIP address: %w", fault.Denied)
	}
	n, err := l.plan.Number(to)
	if err != nil {
		return "", err
	}
	return "sip:" + n + "@" + l.state.Setting("domain"), nil
}

// uri checks the number in a SIP URI, and gives the host it leads to.
func (x *Exchange) uri(l *line, scheme, rest string) (uri, at string, err error) {
	user, where, found := strings.Cut(rest, "@")
	if !found {
		user, where = "", rest
	}
	host := strings.FieldsFunc(where+" ", func(r rune) bool { return r == ';' || r == '?' || r == ' ' })
	if len(host) == 0 {
		return "", "", fmt.Errorf("%q is not a SIP address: %w", rest, fault.Invalid)
	}
	if number, is := numberOf(user); l != nil && is {
		if user, err = l.plan.Number(number); err != nil {
			return "", "", err
		}
	}
	if user == "" {
		return scheme + ":" + where, host[0], nil
	}
	return scheme + ":" + user + "@" + where, host[0], nil
}

// direct reports whether a host that is no connection's may be called.
func (x *Exchange) direct(ctx context.Context, scheme, host string) error {
	if x.opt.Direct == nil {
		return fmt.Errorf("%s is not the domain of a connection: %w", host, fault.Denied)
	}
	port := "5060"
	if scheme == "sips" {
		port = "5061"
	}
	if _, p, err := net.SplitHostPort(host); err == nil {
		port = p
	}
	return x.opt.Direct(ctx, bare(host), port)
}

// bare is a host without its port.
func bare(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// numberOf is the telephone number in the user of a URI, which may be hidden
// behind escapes, parameters or a password (RFC 3261 19.1.1): whoever gets the
// call reads it without them.
func numberOf(user string) (number string, is bool) {
	if plain, err := url.PathUnescape(user); err == nil {
		user = plain
	}
	user, _, _ = strings.Cut(user, ";")
	user, _, _ = strings.Cut(user, ":")
	user = strings.TrimSpace(user)
	foreign := strings.ContainsFunc(user, func(r rune) bool { return r > 127 && unicode.IsDigit(r) })
	return user, foreign || strings.HasPrefix(user, "+") || strings.HasPrefix(user, "00") ||
		user != "" && strings.Trim(user, "0123456789*#-.() ") == ""
}

// options are how a call of a connection is placed.
func (x *Exchange) options(l *line, d actors.Dialling, progress func(actors.DialProgress)) (sip.DialOptions, error) {
	o := sip.DialOptions{
		From: orElse(d.From, "flametree"), Display: d.Display, Ring: d.Ring,
		Progress: func(p sip.Progress) {
			if p.Kind != sip.Answered {
				progress(actors.DialProgress{Stage: string(p.Kind), Code: p.Code})
			}
		},
	}
	if l != nil {
		s := l.state
		o.From = orElse(d.From, orElse(s.Setting("caller_id"), s.Setting("user")))
		o.Domain = bare(s.Setting("domain"))
		o.Transport = strings.ToUpper(s.Setting("transport"))
		o.Seal = sip.Sealing(s.Setting("srtp"))
		for c := range strings.SplitSeq(s.Setting("codecs"), ",") {
			if c = strings.TrimSpace(c); c != "" {
				o.Codecs = append(o.Codecs, c)
			}
		}
		x.mu.Lock()
		if l.account != nil {
			o.Auth, o.Route = l.account.Auth(), l.account.Route()
		} else if p := s.Secret("password"); p != "" {
			o.Auth = sip.Authorize(sip.Credentials{User: orElse(s.Setting("login"), s.Setting("user")), Password: p})
		}
		x.mu.Unlock()
	}
	if r := d.Referral; r != nil {
		o.Replaces, o.ReferredBy, o.Elsewhere = r.Replaces, r.By, true
	}
	o.From = strings.NewReplacer(" ", "", "(", "", ")", "").Replace(userOf(o.From))
	return o, parameters(d.Parameters, &o)
}

// userOf is the user of a caller id, which may be the URI of whoever calls us
// when his call is passed on.
func userOf(id string) string {
	for _, scheme := range []string{"sip:", "sips:", "tel:"} {
		if len(id) > len(scheme) && strings.EqualFold(id[:len(scheme)], scheme) {
			id = id[len(scheme):]
		}
	}
	id, _, _ = strings.Cut(id, "@")
	id, _, _ = strings.Cut(id, ";")
	return id
}

// parameters reads what a campaign or a command says about one call, such as
// transport=udp;timeout=30.
func parameters(text string, o *sip.DialOptions) error {
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "transport":
			switch v := strings.ToUpper(value); v {
			case "UDP", "TCP", "TLS", "WS", "WSS":
				o.Transport = v
			default:
				return fmt.Errorf("parameter transport=%.20q: want udp, tcp, tls, ws or wss: %w", value, fault.Invalid)
			}
		case "timeout":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 600 {
				return fmt.Errorf("parameter timeout=%.20q: want 1 to 600 seconds: %w", value, fault.Invalid)
			}
			o.Ring = time.Duration(n) * time.Second
		case "srtp":
			switch sip.Sealing(value) {
			case sip.SealOff, sip.SealOptional, sip.SealRequired:
				o.Seal = sip.Sealing(value)
			default:
				return fmt.Errorf("parameter srtp=%.20q: want off, optional or required: %w", value, fault.Invalid)
			}
		case "display":
			o.Display = value
		default:
			return fmt.Errorf("parameter %.20q is not known: there are transport, timeout, srtp and display: %w", key, fault.Invalid)
		}
	}
	return nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// wait takes a place among the connection's calls, and its turn.
func (x *Exchange) wait(ctx context.Context, l *line) error {
	if l == nil {
		return nil
	}
	if l.pace != nil {
		if err := l.pace.Wait(ctx); err != nil {
			return fmt.Errorf("%w: %w", err, fault.Cancelled)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if l.most > 0 && l.live >= l.most {
		return fmt.Errorf("the connection %q has its %d calls: %w", l.state.Name, l.most, fault.Exhausted)
	}
	l.live++
	return nil
}

func (x *Exchange) leave(l *line) {
	if l == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	l.live = max(0, l.live-1)
}

func reasonOf(err error) string {
	switch fault.KindOf(err) {
	case fault.Denied:
		return "forbidden"
	case fault.Cancelled:
		return "canceled"
	case fault.Exhausted:
		return "busy"
	default:
		return "failed"
	}
}

// notReached says in the words of sessions how a call came to nothing.
func notReached(err error) *actors.NotReached {
	out := &actors.NotReached{Status: event.Failed, Reason: reasonOf(err), Err: err}
	if r, ok := errors.AsType[*sip.Refused](err); ok {
		out.Code = r.Code
	}
	d, ok := errors.AsType[*sip.DialError](err)
	if !ok {
		return out
	}
	switch d.Outcome {
	case sip.Busy:
		out.Status, out.Reason = event.Busy, "busy"
	case sip.NoAnswer:
		out.Status, out.Reason = event.NoAnswer, "no_answer"
	case sip.Declined:
		out.Status, out.Reason = event.Declined, "declined"
	case sip.Canceled:
		out.Status, out.Reason = event.Canceled, "canceled"
	case sip.Failed:
	}
	return out
}

// Check reports why a call would not even be tried.
func (x *Exchange) Check(ctx context.Context, d actors.Dialling) error {
	l, err := x.choose(d)
	if err != nil {
		return err
	}
	if _, err := x.address(ctx, l, d.To, d.Owner); err != nil {
		return err
	}
	_, err = x.options(l, d, func(actors.DialProgress) {})
	return err
}
