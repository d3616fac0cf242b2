package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/sip/sdp"
)

// DialOptions are what a call we place can choose. The zero value is usable.
type DialOptions struct {
	From      string   // user part of our URI; "" is caller
	Display   string   // our display name, without quotes
	Transport string   // UDP or TCP; "" follows the target, else UDP
	Codecs    []string // offered, the preferred first; nil is PCMU, PCMA
}

// Dial places a call to a SIP URI and returns when it was answered and
// acknowledged; media is made before and told the answer by then. When ctx ends
// first the call is cancelled. A refusal is a *Refused.
func (e *Endpoint) Dial(ctx context.Context, target string, o DialOptions) (*Call, error) {
	codecs, err := checkCodecs(o.Codecs)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	uri, at, err := resolve(ctx, target, &o)
	if err != nil {
		return nil, fmt.Errorf("dial %q: %w", target, err)
	}
	l, err := e.linkTo(ctx, o.Transport, at)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c, err := e.callerSide(uri, l, o)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c.choice, c.shape = sdp.Offered(codecs)
	c.local = sdp.Local{ID: randomID(), Version: 1, Addr: e.face(l)}
	if c.media, err = e.opt.NewMedia(c.params()); err != nil {
		c.facts.hush()
		c.end()
		return nil, fmt.Errorf("dial: media: %w", err)
	}
	c.local.Port = mediaPort(c.media)
	if err := c.place(ctx, l, sdp.Offer(codecs, sdp.SendRecv, c.local)); err != nil {
		c.facts.hush()
		c.end()
		return nil, fmt.Errorf("dial: %w", err)
	}
	e.stats.calls.Add(1)
	life := context.WithoutCancel(ctx) // the call outlives its dialling
	if !e.start(func() { defer c.end(); c.run(life) }) {
		c.end()
		return nil, fmt.Errorf("dial: %w", errCallOver())
	}
	return c, nil
}

// resolve reads the target and finds its address.
func resolve(ctx context.Context, target string, o *DialOptions) (sip.Uri, netip.AddrPort, error) {
	var uri sip.Uri
	if err := sip.ParseUri(target, &uri); err != nil || uri.Scheme != "sip" || uri.Host == "" {
		return uri, netip.AddrPort{}, fmt.Errorf("not a sip uri: %w", fault.Invalid)
	}
	if o.Transport == "" {
		o.Transport = uri.UriParams.GetOr("transport", "UDP")
	}
	o.Transport = strings.ToUpper(o.Transport)
	if o.Transport != "UDP" && o.Transport != "TCP" {
		return uri, netip.AddrPort{}, fmt.Errorf("transport %q: %w", o.Transport, fault.Invalid)
	}
	port := uint16(sip.DefaultUdpPort)
	if uri.Port > 0 && uri.Port < 1<<16 {
		port = uint16(uri.Port)
	}
	host := trimBrackets(uri.Host)
	if addr, err := netip.ParseAddr(host); err == nil {
		return uri, netip.AddrPortFrom(addr.Unmap(), port), nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return uri, netip.AddrPort{}, fmt.Errorf("resolve: %w: %w", err, fault.Unavailable)
	}
	return uri, netip.AddrPortFrom(addrs[0].Unmap(), port), nil
}

// callerSide registers a call of ours, so that requests from the other side find it.
func (e *Endpoint) callerSide(uri sip.Uri, l link, o DialOptions) (*Call, error) {
	user := orDefault(o.From, "caller")
	if strings.ContainsAny(user, "\"\\\r\n<>@ ") || strings.ContainsAny(o.Display, "\"\\\r\n") {
		return nil, fmt.Errorf("name of the caller: %w", fault.Invalid)
	}
	tag := newTag()
	c := newCall(e, newTag()+"@"+e.face(l).String(), tag)
	c.dlg = dialog{
		callID: c.id, contact: user, target: uri,
		local: sip.FromHeader{
			DisplayName: o.Display,
			Address:     sip.Uri{Scheme: "sip", User: user, Host: e.face(l).String()},
			Params:      sip.HeaderParams{{K: "tag", V: tag}},
		},
		remote: sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: uri.User, Host: uri.Host, Port: uri.Port}},
		peer:   peer{network: l.network(), addr: l.source()},
	}
	c.seen(c.dlg.peer)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errCallOver()
	}
	e.calls[tag] = c
	return c, nil
}

// place sends the INVITE and sees it to its end; nil means answered and acknowledged.
func (c *Call) place(ctx context.Context, l link, offer []byte) error {
	req := c.dlg.request(c.e, l, sip.INVITE)
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("Content-Type", acceptable))
	req.SetBody(offer)
	res, tx, err := c.e.invite(ctx, l, req)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return &Refused{Code: res.StatusCode, Reason: res.Reason}
	}
	c.dlg.confirm(res)
	remote := tagOf(c.dlg.remote.Params)
	c.remoteTag.Store(&remote)
	c.acknowledge(ctx, l, tx)
	if err := c.settle(res.Body()); err != nil {
		c.hangNow(ctx, l)
		return fmt.Errorf("answer: %w", err)
	}
	if ctx.Err() != nil { // the 200 crossed our CANCEL (RFC 3261 9.1)
		c.hangNow(ctx, l)
		return ctx.Err()
	}
	c.up = true
	c.facts.tell(actors.Fact{Kind: actors.FactLineUp})
	c.tellHold()
	return nil
}

// acknowledge sends the ACK of a 2xx, and again whenever the 2xx comes again.
func (c *Call) acknowledge(ctx context.Context, l link, tx *inviteTx) {
	ack := c.dlg.request(c.e, l, sip.ACK)
	tx.ack.Store(ack)
	way, err := c.dlg.wayOut(ctx, c.e)
	if err != nil {
		way = l
	}
	tx.way.Store(&way)
	if err := way.WriteMsg(ack); err != nil {
		c.e.log.Debug("sip ack not sent", "call", c.id, "err", err)
	}
}

// hangNow ends a dialog that never became a call.
func (c *Call) hangNow(ctx context.Context, l link) {
	d := c.dlg
	c.e.start(func() {
		way, err := d.wayOut(context.WithoutCancel(ctx), c.e)
		if err != nil {
			way = l
		}
		_, _ = c.e.ask(way, d.request(c.e, way, sip.BYE))
	})
}

// inviteTx is a client INVITE transaction with the ACK its 2xx is repeated for.
type inviteTx struct {
	ack atomic.Pointer[sip.Request]
	way atomic.Pointer[link]
}

// invite runs an INVITE to its final response. When ctx ends it sends CANCEL, as
// soon as the other side has shown itself (RFC 3261 9.1).
func (e *Endpoint) invite(ctx context.Context, l link, req *sip.Request) (*sip.Response, *inviteTx, error) {
	i := &inviteTx{}
	tx, err := e.client(l, req, func() {
		if ack, way := i.ack.Load(), i.way.Load(); ack != nil && way != nil {
			_ = (*way).WriteMsg(ack)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	late := time.NewTimer(time.Hour) // runs from the wish to cancel on
	late.Stop()
	defer late.Stop()
	giveUp, closing := ctx.Done(), (<-chan struct{})(e.closing)
	wanted, shown, sent := false, false, false
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, i, cancelled(ctx, res)
			}
			shown = true
		case <-tx.Done():
			return nil, nil, noAnswer(tx.Err())
		case <-giveUp:
			giveUp, wanted = nil, true
			late.Reset(64 * e.opt.T1)
		case <-closing:
			closing, wanted = nil, true
			late.Reset(64 * e.opt.T1)
		case <-late.C: // no final response to a cancelled INVITE (RFC 3261 9.1)
			tx.Terminate()
			return nil, nil, fmt.Errorf("cancelled: %w", fault.Cancelled)
		}
		if wanted && shown && !sent {
			sent = true
			e.start(func() { _, _ = e.ask(l, cancelFor(req)) })
		}
	}
}

// cancelled is the error of an INVITE whose 487 we asked for ourselves.
func cancelled(ctx context.Context, res *sip.Response) error {
	if res.StatusCode == 487 && ctx.Err() != nil {
		return fmt.Errorf("cancelled: %w: %w", ctx.Err(), fault.Cancelled)
	}
	return nil
}

func noAnswer(err error) error {
	return fmt.Errorf("no answer: %w: %w", errors.Join(err), fault.Unavailable)
}

// cancelFor builds the CANCEL of a request: the same branch, number and route
// (RFC 3261 9.1).
func cancelFor(invite *sip.Request) *sip.Request {
	req := sip.NewRequest(sip.CANCEL, *invite.Recipient.Clone())
	req.SetTransport(invite.Transport())
	req.AppendHeader(sip.HeaderClone(invite.Via()))
	sip.CopyHeaders("Route", invite, req)
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.HeaderClone(invite.From()))
	req.AppendHeader(sip.HeaderClone(invite.To()))
	req.AppendHeader(sip.HeaderClone(invite.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.SetBody(nil)
	return req
}
