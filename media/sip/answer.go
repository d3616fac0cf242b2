package sip

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip/sdp"
)

const (
	// ringAfter is how long Answer may take before the caller hears it ring.
	ringAfter = 250 * time.Millisecond
	// ringMost ends an INVITE nobody decides about; proxies give up after 3
	// minutes (RFC 3261 16.6, timer C).
	ringMost = 3 * time.Minute
)

// invited opens a call for an INVITE and leaves the reading goroutine. old is the
// call it is to replace, nil for most.
func (e *Endpoint) invited(ctx context.Context, in *inbound, old *Call) {
	tag := tagOf(in.req.To().Params)
	c := newCall(e, in.req.CallID().Value(), tag)
	c.dlg = calleeDialog(in.req, in.link, tag)
	c.called, c.from = true, in.from
	c.stage.Store(stageIn)
	c.canUpdate = slices.Contains(tokens(in.req, "allow"), "update")
	c.partners(tagOf(in.req.From().Params))
	c.seen(c.dlg.peer)
	in.call.Store(c)
	e.mu.Lock()
	e.calls[tag] = c
	e.mu.Unlock()
	started := e.start(func() {
		defer in.call.Store(nil) // its transaction outlives it by 32 s; what it holds need not
		defer c.end()
		if c.invite(ctx, in, old) {
			e.stats.calls.Add(1)
			c.run(ctx)
		}
	})
	if !started {
		c.end()
	}
}

// invite brings an INVITE to its final response; true when that was 200.
func (c *Call) invite(ctx context.Context, in *inbound, old *Call) (taken bool) {
	defer func() {
		if r := recover(); r != nil {
			c.e.bug("invite", r)
			in.respond(500, "Server Internal Error")
			taken = false
		}
	}()
	c.local = c.e.here(in.link, nil, "")
	offered, err := c.firstOffer(in.req.Body())
	if err != nil {
		c.e.log.Debug("sip offer refused", "call", c.id, "err", err)
		c.facts.hush()
		in.respond(488, "Not Acceptable Here", header{"Warning", `304 flametree "no common codec"`})
		return false
	}
	if c.media, err = c.e.opt.NewMedia(c.params()); err != nil {
		c.e.log.Warn("sip media refused", "call", c.id, "err", err)
		c.facts.hush()
		in.refuse(refuse(err))
		return false
	}
	c.local.Port = mediaPort(c.media)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &deciding{c: c, in: in, offered: offered, old: old, rseq: firstRSeq()}
	if !d.run(ctx) {
		return false
	}
	extra := c.expiry.agree(in.req, &c.e.opt.Rules)
	switch {
	case c.agreed: // both sides have the answer (RFC 6337 2.2)
		c.accept(in, nil, false, extra...)
	default:
		c.accept(in, c.describe(offered), !offered, extra...)
	}
	if old != nil {
		old.post(input{replaced: true})
	}
	return true
}

// firstOffer reads the SDP of an INVITE; without any we make the offer.
func (c *Call) firstOffer(body []byte) (offered bool, err error) {
	if len(body) == 0 {
		c.choice, c.shape = c.offered()
		return false, nil
	}
	if c.shape, err = sdp.Parse(body); err != nil {
		return true, err
	}
	c.choice, err = c.agree(c.shape)
	return true, err
}

// describe writes the SDP of a 2xx: the answer to an offer, or our own offer.
func (c *Call) describe(offered bool) []byte {
	if offered {
		return sdp.Answer(c.shape, c.choice, c.local)
	}
	return c.offer()
}

// askAnswer contains a panic of the callback: it becomes 500.
func (e *Endpoint) askAnswer(ctx context.Context, inv Invite) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e.bug("answer", r)
			err = fault.Bug
		}
	}()
	if e.opt.Answer == nil {
		return fmt.Errorf("nobody answers here: %w", fault.NotFound)
	}
	return e.opt.Answer(ctx, inv)
}

// patience is how long the caller is willing to ring (RFC 3261 20.19).
func patience(req *sip.Request) time.Duration {
	if h := req.GetHeader("expires"); h != nil {
		if n, err := strconv.ParseUint(h.Value(), 10, 32); err == nil && n > 0 {
			return min(ringMost, time.Duration(n)*time.Second)
		}
	}
	return ringMost
}

func (c *Call) describeInvite(in *inbound, old *Call) Invite {
	req := in.req
	user, err := url.PathUnescape(req.Recipient.User)
	if err != nil { // the guard checked the escapes
		user = req.Recipient.User
	}
	inv := Invite{
		CallID: c.id, From: req.From().Address.String(), To: req.To().Address.String(), User: user,
		Display: req.From().DisplayName, Source: c.dlg.peer.addr, Transport: in.link.network(),
		Trunk: in.from.trunk, Account: in.from.account, Login: in.from.user,
		Media: c.params(), Leg: c.media.Leg(), Line: c, Call: c, Replaces: old,
	}
	if h := req.GetHeader("user-agent"); h != nil {
		inv.UserAgent = h.Value()
	}
	return inv
}

// accept answers an INVITE with 200 and keeps it for repetition until its ACK
// comes, also over TCP (RFC 3261 13.3.1.4).
func (c *Call) accept(in *inbound, body []byte, offer bool, extra ...header) {
	res := sip.NewResponseFromRequest(in.req, 200, "OK", body)
	res.AppendHeader(c.dlg.contactHeader(c.e, in.link))
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("Supported", extensions))
	for _, h := range extra {
		res.AppendHeader(sip.NewHeader(h.name, h.value))
	}
	if len(body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", acceptable))
	}
	c.unacked = &unacked{
		seq: in.req.CSeq().SeqNo, res: res, link: in.link, offer: offer,
		wait: c.e.opt.T1, until: time.Now().Add(64 * c.e.opt.T1),
	}
	c.timer.Reset(c.e.opt.T1)
	// Before it is sent: whoever has it may ask another to take this call's place.
	c.stage.CompareAndSwap(stageIn, stageUp)
	in.send(res)
}

// repeat sends the 200 again, twice as late each time up to T2, and gives the
// call up after 64 T1.
func (c *Call) repeat(ctx context.Context) {
	u := c.unacked
	if u == nil {
		return
	}
	left := time.Until(u.until)
	if left <= 0 {
		c.unacked = nil
		c.fail(ctx, "our answer was not acknowledged")
		return
	}
	if err := u.link.WriteMsg(u.res); err != nil {
		c.e.log.Debug("sip response not sent", "call", c.id, "err", err)
	}
	u.wait = min(2*u.wait, 8*c.e.opt.T1)
	c.timer.Reset(min(u.wait, left))
}

// onAck confirms the dialog, and reads the late answer when the 2xx held our offer.
func (c *Call) onAck(ctx context.Context, ack *sip.Request) {
	u := c.unacked
	if u == nil || ack.CSeq().SeqNo != u.seq {
		return
	}
	c.unacked = nil
	c.timer.Stop()
	if u.offer {
		if err := c.settle(ack.Body()); err != nil {
			c.e.log.Warn("sip late answer refused", "call", c.id, "err", err)
			c.fail(ctx, "the answer in the ACK is no answer to our offer")
			return
		}
	}
	c.agreed = true
	if !c.up {
		c.up = true
		c.facts.tell(actors.Fact{Kind: actors.FactLineUp})
		c.e.log.Info("sip call up", "call", c.id, "codec", c.choice.Codec)
	}
	if c.leaving {
		c.sendBye(ctx)
		return
	}
	c.tellHold()
}

// settle takes the answer to an offer of ours.
func (c *Call) settle(body []byte) error {
	answer, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	choice, err := sdp.Settle(answer, c.choice.Index, c.local.Policy)
	if err != nil {
		return err
	}
	c.choice = choice
	return c.media.Renegotiate(c.params())
}

// tellHold reports a change in whether the peer listens.
func (c *Call) tellHold() {
	held := !c.choice.Direction.Sends()
	if held == c.held {
		return
	}
	c.held = held
	kind := actors.FactLineResumed
	if held {
		kind = actors.FactLineHeld
	}
	c.facts.tell(actors.Fact{Kind: kind})
}

var errNoMediaPort = errors.New("media has no port")

func mediaPort(m Media) uint16 {
	port := m.Port()
	if port <= 0 || port > 65535 {
		panic(errNoMediaPort) // a media without a port cannot be answered with
	}
	return uint16(port)
}

// randomID is a session id that fits the signed numbers some peers read it into.
func randomID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return binary.BigEndian.Uint64(b[:]) >> 2
}
