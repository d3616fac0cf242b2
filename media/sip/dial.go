package sip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// DialOptions are what a call we place can choose. The zero value is usable.
type DialOptions struct {
	From      string   // user part of our URI; "" is caller
	Domain    string   // host of our URI, as a registrar knows us; "" is our address
	Display   string   // our display name, without quotes
	Transport string   // UDP TCP TLS WS WSS; "" follows the target and its DNS records
	Codecs    []string // offered, the preferred first; nil is those of the endpoint
	Seal      Sealing  // of the packets; "" is that of the endpoint

	// Route is what the INVITE passes before the target, such as
	// Registration.Route (RFC 3608 6.1).
	Route []sip.Uri
	// Ring is how long the callee may ring; zero is 3 minutes. The callee is told
	// by Expires, and the call cancelled after it: no_answer.
	Ring time.Duration
	// Auth answers challenges, also to requests later in the call; nil: none.
	Auth func(method, uri string, challenge *sip.Response) (sip.Header, error)
	// Progress is told what happens before the answer, in order, from the
	// goroutine of the call: it must not block.
	Progress func(Progress)
	// Redirects is how many of the contacts of 301 and 302 are tried in all; with
	// 0 the first such answer is a *Refused that names them.
	Redirects int
	// Identity says who calls, to a trunk that believes it.
	Identity Identity
	// Reliable insists on reliable provisional responses (RFC 3262): 420 from
	// who does not have them.
	Reliable bool
	// Replaces is the value of a Replaces header, of a Referral (RFC 3891).
	Replaces string
	// ReferredBy is the value of a Referred-By header, of a Referral (RFC 3892).
	ReferredBy string
	// Elsewhere fails with 482 rather than call this very endpoint: who may choose
	// the target could otherwise have us talk to ourselves.
	Elsewhere bool
}

// Dial places a call to a SIP URI and returns when it was answered and
// acknowledged; media is made before and told the answer by then. When ctx ends
// first the call is cancelled. The error is a *DialError with the status of the
// call; a refusal is a *Refused within it. The target may have the parameter
// timeout, in seconds, which is Ring.
func (e *Endpoint) Dial(ctx context.Context, target string, o DialOptions) (*Call, error) {
	c, err := e.dial(ctx, target, o)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", dialError(err))
	}
	return c, nil
}

func (e *Endpoint) dial(ctx context.Context, target string, o DialOptions) (*Call, error) {
	codecs, err := checkCodecs(o.Codecs)
	if err != nil {
		return nil, err
	}
	uri, err := o.aim(target)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", target, err)
	}
	p := &placing{e: e, o: &o, seen: map[string]bool{}}
	if err := p.toward(ctx, uri); err != nil {
		return nil, err
	}
	c, err := e.callerSide(uri, p.l, o)
	if err != nil {
		return nil, err
	}
	p.c = c
	c.authorize = o.Auth
	c.local = e.here(p.l, codecs, o.Seal)
	c.choice, c.shape = c.offered()
	if c.media, err = e.opt.NewMedia(c.params()); err != nil {
		c.facts.hush()
		c.end()
		return nil, fmt.Errorf("media: %w", err)
	}
	c.local.Port = mediaPort(c.media)
	p.offer = c.offer()
	if err := p.contained(ctx); err != nil {
		c.facts.hush()
		c.end()
		return nil, &undialled{err, c.Signals()}
	}
	e.stats.calls.Add(1)
	life := context.WithoutCancel(ctx) // the call outlives its dialling
	if !e.start(func() { defer c.end(); c.run(life) }) {
		c.end()
		return nil, errCallOver()
	}
	return c, nil
}

// aim reads the URI to call, takes what it says for us out of it, and checks the
// options.
func (o *DialOptions) aim(target string) (sip.Uri, error) {
	uri, err := readTarget(target)
	if err != nil {
		return uri, err
	}
	if strings.ContainsAny(target, "\r\n<>\" ") {
		return uri, fmt.Errorf("not a sip uri: %w", fault.Invalid)
	}
	uri.Headers = nil // what a URI wants in our request is not ours to send
	if wait, ok := uri.UriParams.Get("timeout"); ok {
		if err := o.parameter("timeout", wait); err != nil {
			return uri, err
		}
		uri.UriParams.Remove("timeout")
	}
	if o.Transport != "" {
		if err := o.parameter("transport", o.Transport); err != nil {
			return uri, err
		}
	}
	if o.Ring < 0 || o.Redirects < 0 {
		return uri, fmt.Errorf("negative limit: %w", fault.Invalid)
	}
	return uri, o.Identity.check()
}

// callerSide registers a call of ours, so that requests from the other side find it.
func (e *Endpoint) callerSide(uri sip.Uri, l link, o DialOptions) (*Call, error) {
	user := orDefault(o.From, "caller")
	if strings.ContainsAny(user, "\"\\\r\n<>@ ") || strings.ContainsAny(o.Display, "\"\\\r\n") {
		return nil, fmt.Errorf("name of the caller: %w", fault.Invalid)
	}
	if strings.ContainsAny(o.Replaces+o.ReferredBy, "\r\n") || strings.ContainsAny(o.Domain, "\r\n<>@\" ;") {
		return nil, fmt.Errorf("value of a header: %w", fault.Invalid)
	}
	tag := newTag()
	c := newCall(e, newTag()+"@"+e.face(l).String(), tag)
	c.dlg = dialog{
		callID: c.id, contact: user, target: uri, routes: slices.Clone(o.Route), seq: new(atomic.Uint32),
		local:  o.Identity.from(user, o.Display, e.face(l)),
		remote: sip.ToHeader{Address: sip.Uri{Scheme: uri.Scheme, User: uri.User, Host: uri.Host, Port: uri.Port}},
		peer:   peer{network: l.network(), addr: l.source()},
	}
	c.dlg.local.Params = sip.HeaderParams{{K: "tag", V: tag}}
	if o.Domain != "" && !o.Identity.Private {
		c.dlg.local.Address.Host = o.Domain
	}
	c.partners()
	c.seen(c.dlg.peer)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errCallOver()
	}
	e.calls[tag] = c
	return c, nil
}
