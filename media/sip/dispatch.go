package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"flametree/media/sip/guard"
)

// receive takes one message from a link. It never blocks for longer than a
// write, and keeps nothing of raw.
func (e *Endpoint) receive(ctx context.Context, l link, raw []byte) {
	defer e.contain("message")
	msg, err := guard.Parse(raw)
	if err != nil {
		if r, ok := errors.AsType[*guard.Refusal](err); ok {
			e.refuseRaw(l, raw, r)
		}
		return
	}
	switch msg := msg.(type) {
	case *sip.Request:
		e.request(ctx, l, msg)
	case *sip.Response:
		e.response(msg)
	}
}

// refuseRaw answers what the guard did not let through, without a transaction.
func (e *Endpoint) refuseRaw(l link, raw []byte, r *guard.Refusal) {
	answer, to := guard.Reply(raw, r, l.source())
	if answer == nil {
		e.stats.dropped.Add(1)
		e.log.Debug("sip message dropped", "err", r.Reason)
		return
	}
	e.stats.refused.Add(1)
	e.log.Debug("sip message refused", "kind", r.Code, "err", r.Reason)
	switch l := l.(type) {
	case *udpLink:
		_, _ = l.socket.WriteToUDPAddrPort(answer, to)
	case *tcpLink:
		_ = l.write(answer)
	}
}

func (e *Endpoint) request(ctx context.Context, l link, req *sip.Request) {
	req.SetTransport(l.network())
	req.SetSource(l.source().String())
	l = stamp(req, l)
	switch req.Method {
	case sip.ACK:
		e.ack(req)
		return
	case sip.CANCEL:
		e.cancel(l, req)
		return
	default:
	}
	in, how := e.begin(l, req)
	switch how {
	case repeated:
		_ = in.tx.Receive(req)
	case overload:
		res := sip.NewResponseFromRequest(req, 503, "Service Unavailable", nil)
		res.AppendHeader(sip.NewHeader("Retry-After", "5"))
		_ = l.WriteMsg(res)
	case mergedIn:
		in.respond(482, "Loop Detected")
	case fresh:
		e.handOver(ctx, in)
	case shutting:
	}
}

// handOver finds who answers a new request: the call its To tag names, or the
// endpoint itself. A panic on the way is answered with 500.
func (e *Endpoint) handOver(ctx context.Context, in *inbound) {
	defer func() {
		if r := recover(); r != nil {
			e.bug(string(in.req.Method), r)
			in.respond(500, "Server Internal Error")
		}
	}()
	if !in.inside {
		e.outside(ctx, in)
		return
	}
	c := e.callOf(in.req)
	if c == nil {
		in.respond(481, "Call/Transaction Does Not Exist")
		return
	}
	if !c.post(input{in: in}) {
		in.respond(500, "Server Internal Error", header{"Retry-After", "1"})
	}
}

// stamp completes the topmost Via with where the request really came from
// (RFC 3261 18.2.1, RFC 3581 4), and points the link where answers belong: over
// UDP the source address with the port of sent-by unless rport was asked for.
func stamp(req *sip.Request, l link) link {
	via, from := req.Via(), l.source()
	if host, err := netip.ParseAddr(via.Host); err != nil || host.Unmap() != from.Addr() {
		via.Params.Add("received", from.Addr().String())
	}
	rport, asked := via.Params.Get("rport")
	if asked && rport == "" {
		via.Params.Add("rport", strconv.Itoa(int(from.Port())))
		via.Params.Add("received", from.Addr().String())
	}
	u, ok := l.(*udpLink)
	if !ok || asked {
		return l
	}
	port := uint16(sip.DefaultUdpPort)
	if via.Port > 0 {
		port = uint16(via.Port)
	}
	return &udpLink{socket: u.socket, from: from, to: netip.AddrPortFrom(from.Addr(), port)}
}

// callOf finds the call a request within a dialog belongs to.
func (e *Endpoint) callOf(req *sip.Request) *Call {
	e.mu.Lock()
	c := e.calls[tagOf(req.To().Params)]
	e.mu.Unlock()
	if c == nil || c.id != req.CallID().Value() {
		return nil
	}
	if remote := c.remoteTag.Load(); remote == nil || *remote != tagOf(req.From().Params) {
		return nil
	}
	return c
}

// ack goes to the INVITE transaction it ends, or, for a 2xx, to its call. It is
// never answered.
func (e *Endpoint) ack(req *sip.Request) {
	e.mu.Lock()
	in := e.servers[serverKey(req, sip.INVITE)]
	e.mu.Unlock()
	if in != nil && in.status.Load() >= 300 {
		_ = in.tx.Receive(req)
		return
	}
	if c := e.callOf(req); c != nil {
		c.post(input{ack: req})
	}
}

// cancel answers a CANCEL, and tells the call of the INVITE it means
// (RFC 3261 9.2).
func (e *Endpoint) cancel(l link, req *sip.Request) {
	in, how := e.begin(l, req)
	if how == repeated {
		_ = in.tx.Receive(req)
		return
	}
	if in == nil {
		return
	}
	e.mu.Lock()
	invite := e.servers[serverKey(req, sip.INVITE)]
	e.mu.Unlock()
	if invite == nil {
		in.respond(481, "Call/Transaction Does Not Exist")
		return
	}
	// Both answers carry the same To tag (RFC 3261 9.2).
	in.req.To().Params.Add("tag", tagOf(invite.req.To().Params))
	in.respond(200, "OK")
	if c := invite.call.Load(); c != nil && !invite.answered() {
		c.post(input{cancel: true})
	}
}

// response goes to the client transaction it answers; strangers are dropped.
// Receive blocks until the transaction's reader took the response, and for
// seconds when a final one is repeated, so it gets a goroutine of its own.
func (e *Endpoint) response(res *sip.Response) {
	key, err := sip.ClientTxKeyMake(res)
	if err != nil {
		e.stats.dropped.Add(1)
		return
	}
	e.mu.Lock()
	tx := e.clients[key]
	e.mu.Unlock()
	if tx == nil {
		e.stats.dropped.Add(1)
		return
	}
	e.start(func() { tx.Receive(res) })
}
