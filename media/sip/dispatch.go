package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync"

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
	defer e.heard(l, msg, raw)()
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
	_ = l.raw(answer, to)
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
		if e.admit(in) {
			e.outside(ctx, in)
		}
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
	if !c.speaksTo(tagOf(req.From().Params)) {
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
		in.again(req)
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
// seconds when a final one is repeated, so it gets a goroutine of its own; the
// responses to one request keep their order.
func (e *Endpoint) response(res *sip.Response) {
	key, err := sip.ClientTxKeyMake(res)
	if err != nil {
		e.stats.dropped.Add(1)
		return
	}
	e.mu.Lock()
	out := e.clients[key]
	e.mu.Unlock()
	if out == nil {
		e.stats.dropped.Add(1)
		return
	}
	out.seen.Store(true)
	first, ok := e.lanes.enter(key, res)
	if !ok {
		e.stats.dropped.Add(1)
	}
	if !first {
		return
	}
	if !e.start(func() { e.lanes.serve(key, out.tx.Receive) }) {
		e.lanes.clear(key)
	}
}

// serve hands on what is in line, until the line is over.
func (s *lanes) serve(key string, receive func(*sip.Response)) {
	served := false
	defer func() {
		if !served { // a panic on the way
			s.clear(key)
		}
	}()
	for res := s.next(key); res != nil; res = s.next(key) {
		receive(res)
	}
	served = true
}

// mostWaiting bounds the responses one request may have in line: a peer that
// repeats itself faster than we read is heard later.
const mostWaiting = 64

// lanes keep the responses to one request in order. The zero value is ready.
type lanes struct {
	mu      sync.Mutex // guards waiting
	waiting map[string][]*sip.Response
}

// enter puts a response in line; first says that nobody serves the line yet.
func (s *lanes) enter(key string, res *sip.Response) (first, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, served := s.waiting[key]
	if len(line) >= mostWaiting {
		return false, false
	}
	if s.waiting == nil {
		s.waiting = make(map[string][]*sip.Response)
	}
	s.waiting[key] = append(line, res)
	return !served, true
}

// next takes the first response out of its line, nil when the line is over.
func (s *lanes) next(key string) *sip.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.waiting[key]
	if len(line) == 0 {
		delete(s.waiting, key)
		return nil
	}
	s.waiting[key] = line[1:]
	return line[0]
}

func (s *lanes) clear(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, key)
}
