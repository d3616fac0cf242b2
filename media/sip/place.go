package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
	"flametree/engine/fault"
)

// placing is a call of ours that is not answered yet. It lives on the goroutine
// of Dial, which is the call's until then.
type placing struct {
	e     *Endpoint
	c     *Call
	o     *DialOptions
	l     link
	left  []hop // to try when nobody is at l
	offer []byte

	tx      *inviteTx
	seq     uint32 // of the INVITE
	forks   []*early
	pass    pass
	longer  int // times we were asked for a longer session timer
	moves   int // contacts tried
	seen    map[string]bool
	ring    *time.Timer
	asked   time.Time // when the last INVITE was sent
	giveUp  error     // why we cancel, nil while we wait
	shown   bool      // the other side has answered something
	stopped bool      // CANCEL was sent
}

// mostLonger bounds how often a call asks for the session timer it is told to.
const mostLonger = 2

// toward finds the way to a URI.
func (p *placing) toward(ctx context.Context, uri sip.Uri) error {
	if len(p.o.Route) > 0 { // the request goes to its topmost Route (RFC 3261 8.1.2)
		uri = p.o.Route[0]
	}
	hops, err := p.e.hops(ctx, uri, p.o.Transport)
	if err != nil {
		return err
	}
	if p.o.Elsewhere {
		if hops = slices.DeleteFunc(hops, p.e.isOurs); len(hops) == 0 {
			return &Refused{Code: 482, Reason: "Loop Detected"}
		}
	}
	p.left = hops
	return p.nextHop(ctx)
}

// nextHop takes the next address that can be reached.
func (p *placing) nextHop(ctx context.Context) error {
	err := error(nil)
	for len(p.left) > 0 {
		h := p.left[0]
		p.left = p.left[1:]
		var l link
		if l, err = p.e.way(ctx, h, len(p.left) == 0); err == nil {
			p.l = l
			if p.c != nil {
				p.c.seen(peer{network: l.network(), addr: l.source()})
			}
			return nil
		}
	}
	return err
}

// contained is run with its panics contained.
func (p *placing) contained(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			p.e.bug("dial", r)
			err = fmt.Errorf("dial: %w", fault.Bug)
		}
	}()
	return p.run(ctx)
}

// run sends the INVITE, as often as challenges, session timers and redirections
// ask for, and sees it to its end; nil means answered and acknowledged.
func (p *placing) run(ctx context.Context) error {
	p.ring = time.NewTimer(orDefault(p.o.Ring, ringMost))
	defer p.ring.Stop()
	for {
		res, err := p.attempt(ctx)
		switch {
		case len(p.left) > 0 && p.giveUp == nil && !p.shown && elsewhere(ctx, err):
			if err := p.nextHop(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		case res.StatusCode < 300:
			return p.answered(ctx, res)
		default:
			again, err := p.another(ctx, res)
			if err != nil {
				return err
			}
			if !again {
				return refusedBy(res)
			}
		}
	}
}

// another prepares the next INVITE when a refusal leaves room for one.
func (p *placing) another(ctx context.Context, res *sip.Response) (bool, error) {
	if p.giveUp != nil {
		if res.StatusCode == 487 {
			return false, p.giveUp
		}
		return false, nil
	}
	switch res.StatusCode {
	case 487: // our Expires ran out there before our own clock did (RFC 3261 13.3.1)
		if p.o.Ring > 0 && time.Since(p.asked) >= p.o.Ring-crossing {
			return false, errRang
		}
		return false, nil
	case 401, 407:
		return p.c.answers(&p.pass, p.tx.req, res), nil
	case 422: // RFC 4028 7.4
		least := readMinSE(res)
		p.longer++
		if least <= p.c.expiry.least || p.longer > mostLonger {
			return false, nil
		}
		p.c.expiry.least = least
		return true, nil
	case 301, 302:
		return p.redirect(ctx, res)
	case 503: // RFC 3263 4.3
		return len(p.left) > 0, p.nextHop(ctx)
	}
	return false, nil
}

// redirect goes to the best contact that was not tried (RFC 3261 8.1.3.4).
func (p *placing) redirect(ctx context.Context, res *sip.Response) (bool, error) {
	p.seen[p.c.dlg.target.String()] = true
	for _, contact := range contactsOf(res) {
		uri := *contact.Address.Clone()
		uri.Headers = nil
		if p.moves >= p.o.Redirects || p.seen[uri.String()] || !p.mayGo(uri) {
			continue
		}
		p.seen[uri.String()] = true
		p.moves++
		p.o.Transport = ""
		if err := p.toward(ctx, uri); err != nil {
			p.e.log.Debug("sip contact not reached", "call", p.c.id, "err", err)
			continue
		}
		p.c.dlg.target = uri
		p.c.publish()
		p.tell(Redirected, res.StatusCode)
		return true, nil
	}
	return false, nil
}

// mayGo reports whether a redirection may lead to a URI: to SIP only, and never
// out of the sealed way.
func (p *placing) mayGo(uri sip.Uri) bool {
	switch {
	case uri.Host == "":
		return false
	case p.c.dlg.target.Scheme == "sips":
		return uri.Scheme == "sips"
	}
	return uri.Scheme == "sip" || uri.Scheme == "sips"
}

// contactsOf are the contacts of a response, those with the highest q first
// (RFC 3261 20.10).
func contactsOf(res *sip.Response) []*sip.ContactHeader {
	var out []*sip.ContactHeader
	for _, h := range res.GetHeaders("contact") {
		if contact, ok := h.(*sip.ContactHeader); ok {
			out = append(out, contact)
		}
	}
	rank := func(c *sip.ContactHeader) float64 {
		q, err := strconv.ParseFloat(c.Params.GetOr("q", "1"), 64)
		if err != nil {
			return 0
		}
		return q
	}
	slices.SortStableFunc(out, func(a, b *sip.ContactHeader) int { return cmp.Compare(rank(b), rank(a)) })
	return out
}

// invitation builds the INVITE.
func (p *placing) invitation() *sip.Request {
	req := p.c.dlg.request(p.e, p.l, sip.INVITE)
	p.seq = req.CSeq().SeqNo
	req.AppendHeader(sip.NewHeader("Content-Type", acceptable))
	p.c.expiry.request(req, &p.e.opt.Rules, "")
	p.o.Identity.apply(req, p.o.Display)
	if p.o.Ring > 0 {
		req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(int((p.o.Ring+time.Second-1)/time.Second))))
	}
	if p.o.Reliable {
		req.AppendHeader(sip.NewHeader("Require", "100rel"))
	}
	if p.o.Replaces != "" {
		req.AppendHeader(sip.NewHeader("Replaces", p.o.Replaces))
		req.AppendHeader(sip.NewHeader("Require", "replaces"))
	}
	if p.o.ReferredBy != "" {
		req.AppendHeader(sip.NewHeader("Referred-By", p.o.ReferredBy))
	}
	p.pass.apply(req)
	req.SetBody(p.offer)
	return req
}

// crossing is by how much the clocks of two ends of a call may differ when it has
// rung for long enough.
const crossing = 250 * time.Millisecond

// attempt runs one INVITE to its final response, or to the end of our patience:
// then it is cancelled, as soon as the other side has shown itself
// (RFC 3261 9.1).
func (p *placing) attempt(ctx context.Context) (*sip.Response, error) {
	p.dropForks()
	p.asked = time.Now()
	var err error
	if p.tx, err = p.e.sendInvite(ctx, p.l, p.invitation(), p.c.dlg); err != nil {
		return nil, err
	}
	late := time.NewTimer(time.Hour) // runs from the wish to cancel on
	late.Stop()
	defer late.Stop()
	w := waits{done: ctx.Done(), hang: p.c.hang, closing: p.e.closing, ring: p.ring.C}
	for {
		select {
		case res := <-p.tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
			p.shown = true
			p.provisional(ctx, res)
		case <-p.tx.Done():
			return nil, errors.Join(p.giveUp, noAnswer(p.tx.Err()))
		case f := <-p.c.outs: // only a change of the dialog that is heard
			if g := p.heard(); g != nil {
				p.as(g, f)
			} else {
				f()
			}
		case m := <-p.c.inbox:
			if p.take(ctx, m) {
				p.stop(errHungUp, late, &w)
			}
		case <-w.done:
			p.stop(fmt.Errorf("cancelled: %w: %w", ctx.Err(), fault.Cancelled), late, &w)
		case <-w.ring:
			p.stop(errRang, late, &w)
		case <-w.hang:
			p.stop(errHungUp, late, &w)
		case <-w.closing:
			p.stop(fmt.Errorf("the endpoint closes: %w", fault.Cancelled), late, &w)
		case <-late.C: // no final response to a cancelled INVITE (RFC 3261 9.1)
			p.tx.Terminate()
			return nil, p.giveUp
		}
		if p.giveUp != nil && p.shown && !p.stopped {
			p.stopped = true
			cancel := cancelFor(p.tx.req)
			p.e.start(func() { _, _ = p.e.ask(p.l, cancel) })
		}
	}
}

// waits are the reasons to give up that have not come yet.
type waits struct {
	done, hang, closing <-chan struct{}
	ring                <-chan time.Time
}

// stop notes why we give up, once.
func (p *placing) stop(why error, late *time.Timer, w *waits) {
	*w = waits{}
	p.giveUp = why
	late.Reset(64 * p.e.opt.T1)
}

func (p *placing) tell(kind ProgressKind, code int) {
	if p.o.Progress != nil {
		p.o.Progress(Progress{Kind: kind, At: time.Now(), Code: code, Call: p.c})
	}
}

// answered makes the call of a 2xx.
func (p *placing) answered(ctx context.Context, res *sip.Response) error {
	c := p.c
	f := p.forkOf(res)
	c.dlg = f.dlg
	c.dlg.confirm(res)
	c.partners(tagOf(c.dlg.remote.Params))
	c.publish()
	c.canUpdate = f.canUpdate || slices.Contains(tokens(res, "allow"), "update")
	p.tx.acknowledge(ctx, c.dlg, res)
	err := p.settle(f, res.Body())
	if err != nil {
		err = fmt.Errorf("answer: %w", err)
	} else if err = p.giveUp; err == nil { // or the 200 crossed our CANCEL (RFC 3261 9.1)
		err = ctx.Err()
	}
	if err != nil {
		p.e.byeTo(ctx, c.dlg)
		return err
	}
	c.up, c.agreed = true, true
	c.stage.Store(stageUp)
	c.expiry.taken(res)
	p.tell(Answered, res.StatusCode)
	c.facts.tell(actors.Fact{Kind: actors.FactLineUp})
	c.tellHold()
	return nil
}

// settle takes the answer of the fork that is the call: in its 2xx, or already in
// a provisional response.
func (p *placing) settle(f *early, body []byte) error {
	switch {
	case f.agreed || len(body) == 0 && f.answer != nil:
		if f == p.heard() {
			return nil
		}
		return p.c.settle(f.answer)
	case string(body) == string(f.answer) && f == p.heard():
		return nil
	}
	return p.c.settle(body)
}
