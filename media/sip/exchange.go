package sip

import (
	"context"
	"errors"
	"fmt"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// mostChallenges bounds how often one request is sent again with credentials: a
// proxy, the peer, and a nonce that went stale.
const mostChallenges = 3

// exchange sends a request within the dialog d and gives its final response;
// fill completes the request. A challenge is answered with what the call's
// Authorizer gives. It may run on any goroutine, with a copy of the dialog.
func (c *Call) exchange(ctx context.Context, d dialog, method sip.RequestMethod, fill func(*sip.Request)) (*sip.Response, error) {
	l, err := d.wayOut(ctx, c.e)
	if err != nil {
		return nil, err
	}
	var keys pass
	for {
		req := d.request(c.e, l, method)
		fill(req)
		keys.apply(req)
		res, err := c.e.ask(l, req)
		if err != nil || !c.answers(&keys, req, res) {
			return res, err
		}
	}
}

// pass holds the answers to the challenges one request has met.
type pass struct {
	headers []sip.Header
	met     int
}

func (k *pass) apply(req *sip.Request) {
	for _, h := range k.headers {
		req.AppendHeader(h)
	}
}

// answers reports whether res is a challenge that keys now hold an answer to.
func (c *Call) answers(keys *pass, req *sip.Request, res *sip.Response) bool {
	if res.StatusCode != 401 && res.StatusCode != 407 || c.authorize == nil || keys.met == mostChallenges {
		return false
	}
	keys.met++
	h, err := c.credential(string(req.Method), req.Recipient.String(), res)
	if err != nil || h == nil {
		c.e.log.Debug("sip challenge not answered", "call", c.id, "err", err)
		return false
	}
	kept := keys.headers[:0]
	for _, old := range keys.headers {
		if old.Name() != h.Name() {
			kept = append(kept, old)
		}
	}
	keys.headers = append(kept, h)
	return true
}

// credential asks the Authorizer; a panic of its is an error.
func (c *Call) credential(method, uri string, res *sip.Response) (h sip.Header, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.e.bug("authorizer", r)
			err = fault.Bug
		}
	}()
	return c.authorize(method, uri, res)
}

// outcome turns a final response into an error, nil for 2xx.
func outcome(res *sip.Response, err error) error {
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return refusedBy(res)
	}
	return nil
}

// codeOf is the status of a response, 0 when there is none.
func codeOf(res *sip.Response) int {
	if res == nil {
		return 0
	}
	return res.StatusCode
}

// refusedBy is the error of a final response other than 2xx.
func refusedBy(res *sip.Response) *Refused {
	r := &Refused{Code: res.StatusCode, Reason: res.Reason}
	if res.StatusCode < 400 {
		for _, contact := range contactsOf(res) {
			r.Contacts = append(r.Contacts, contact.Address.String())
		}
	}
	return r
}

// dead reports whether an outcome says that the other side knows of no call, or
// is not there any more (RFC 3261 12.2.1.2).
func dead(err error) bool {
	if r, ok := errors.AsType[*Refused](err); ok {
		return r.Code == 481 || r.Code == 408
	}
	return err != nil && !errors.Is(err, context.Canceled)
}

func errCallOver() error { return fmt.Errorf("call is over: %w", fault.Unavailable) }
