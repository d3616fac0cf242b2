package sip

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/media/sip/register"
)

// lineParam is the parameter of our Contact that says which account a call came
// by; registrars give it back untouched (RFC 3261 10.3, 16.5).
const lineParam = "line"

// send starts one REGISTER. last is the exchange before it, whose challenge it
// answers when do says so.
func (r *Registration) send(do register.Do, last flight) flight {
	ctx, cancel := context.WithCancel(context.Background()) // ended by run
	f := flight{done: make(chan exchanged, 1), cancel: cancel, expires: do.Expires}
	if do.Auth {
		f.challenge = last.challenge
	}
	r.mu.Lock()
	way := r.link
	r.mu.Unlock()
	done := f.done
	started := r.e.start(func() {
		var out exchanged
		out.res, out.link, out.err = r.exchange(ctx, way, do.Expires, f.challenge)
		done <- out
	})
	if !started {
		f.done <- exchanged{err: errCallOver()}
	}
	return f
}

// exchange sends a REGISTER where the last one went well, else to the addresses
// of the registrar or its proxy.
func (r *Registration) exchange(ctx context.Context, way link, expires time.Duration, challenge *sip.Response) (*sip.Response, link, error) {
	header, err := r.auth(string(sip.REGISTER), r.registrar.String(), challenge)
	if err != nil {
		if challenge != nil { // the machine reads it as refused
			return challenge, way, nil
		}
		return nil, nil, err
	}
	build := func(l link) *sip.Request { return r.request(l, expires, header) }
	if way != nil {
		res, err := r.e.ask(way, build(way))
		if err == nil || ctx.Err() != nil {
			return res, way, err
		}
	}
	to := r.registrar
	if r.proxy != nil {
		to = *r.proxy
	}
	hops, err := r.e.hops(ctx, to, r.account.Transport)
	if err != nil {
		return nil, nil, err
	}
	return r.e.askHops(ctx, hops, build)
}

// request builds the next REGISTER: one Call-ID and a rising number for the life
// of the registration (RFC 3261 10.2).
func (r *Registration) request(l link, expires time.Duration, auth sip.Header) *sip.Request {
	r.mu.Lock()
	r.seq++
	seq := r.seq
	r.mu.Unlock()
	req := sip.NewRequest(sip.REGISTER, r.registrar)
	req.SetTransport(l.network())
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: l.network(),
		Host: r.e.face(l).String(), Port: r.e.contactPort(l),
	}
	via.Params.Add("branch", newBranch())
	via.Params.Add("rport", "")
	req.AppendHeader(via)
	if r.proxy != nil {
		req.AppendHeader(&sip.RouteHeader{Address: looseRoute(*r.proxy)})
	}
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(&sip.FromHeader{Address: r.aor, Params: sip.HeaderParams{{K: "tag", V: newTag()}}})
	req.AppendHeader(&sip.ToHeader{Address: r.aor})
	id := sip.CallIDHeader(r.callID)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: sip.REGISTER})
	contact := r.e.ownURI(l, r.aor.User)
	if r.aor.IsEncrypted() && isSecure(l.network()) {
		contact.Scheme = "sips"
	}
	contact.UriParams = append(contact.UriParams, sip.HeaderKV{K: lineParam, V: r.line})
	req.AppendHeader(&sip.ContactHeader{Address: contact})
	req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(int(expires.Seconds()))))
	req.AppendHeader(sip.NewHeader("Supported", "path"))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("User-Agent", "flametree"))
	if auth != nil {
		req.AppendHeader(auth)
	}
	req.SetBody(nil)
	return req
}

// looseRoute is a proxy as a Route names it.
func looseRoute(proxy sip.Uri) sip.Uri {
	out := *proxy.Clone()
	if !out.UriParams.Has("lr") {
		out.UriParams = append(out.UriParams, sip.HeaderKV{K: "lr"})
	}
	return out
}

// mostRoutes bounds a Service-Route; a longer one is not taken.
const mostRoutes = 8

// readRoutes reads the values of Service-Route (RFC 3608 5); nil when one of them
// is no SIP URI in angle brackets, for half a route leads nowhere.
func readRoutes(headers []sip.Header) []sip.Uri {
	var out []sip.Uri
	for _, h := range headers {
		for rest := h.Value(); rest != ""; {
			_, after, ok := strings.Cut(rest, "<")
			text, tail, closed := strings.Cut(after, ">")
			if !ok || !closed {
				return nil
			}
			uri, err := readTarget(text)
			if err != nil || len(out) == mostRoutes {
				return nil
			}
			out = append(out, uri)
			_, rest, _ = strings.Cut(tail, ",")
		}
	}
	return out
}

// hold keeps a link for the next REGISTER and lets go of the one before.
func (r *Registration) hold(l link) {
	r.mu.Lock()
	old := r.link
	r.link = l
	r.mu.Unlock()
	if old == l {
		return
	}
	if t, ok := old.(*stream); ok {
		t.kept.Add(-1)
	}
	if t, ok := l.(*stream); ok {
		t.kept.Add(1)
	}
}

// lost is closed when the connection of the registration is gone; nil over UDP.
func (r *Registration) lost() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.link.(*stream); ok {
		return t.gone
	}
	return nil
}

// Times of keep-alives (RFC 5626 4.4.1, RFC 6223): a NAT forgets UDP after 30 s.
const (
	keepUDP    = 25 * time.Second
	keepStream = 110 * time.Second
	pongWait   = 10 * time.Second
)

// rearm sets the time of the next keep-alive, up to a fifth early by chance.
func (r *Registration) rearm(t *time.Timer) {
	r.mu.Lock()
	l := r.link
	r.mu.Unlock()
	every := r.account.KeepAlive
	if l == nil || every < 0 {
		t.Stop()
		return
	}
	if every == 0 {
		every = keepStream
		if l.network() == netUDP {
			every = keepUDP
		}
	}
	t.Reset(every - time.Duration(rand.Float64()*0.2*float64(every))) // spreads load, keeps no secret
}

// ping keeps the way back open. A connection must answer within pongWait, else
// it is closed and the registration made anew (RFC 5626 4.4.1).
func (r *Registration) ping() {
	r.mu.Lock()
	l := r.link
	r.mu.Unlock()
	if l == nil {
		return
	}
	before := time.Now()
	err := l.raw([]byte("\r\n\r\n"), l.source())
	t, ok := l.(*stream)
	if !ok || t.ws != nil { // a WebSocket is pinged by its reader
		return
	}
	if err != nil {
		_ = t.conn.Close()
		return
	}
	r.e.start(func() {
		wait := time.NewTimer(pongWait)
		defer wait.Stop()
		select {
		case <-wait.C:
			if t.last.Load() < before.UnixNano() {
				_ = t.conn.Close()
			}
		case <-t.gone:
		case <-r.e.closing:
		}
	})
}

// accountOf finds the account a request came by: the line of our Contact names
// it; a registrar that writes its own URI is known by its address and our user.
func (e *Endpoint) accountOf(req *sip.Request, l link) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.accounts[req.Recipient.UriParams.GetOr(lineParam, "")]; r != nil {
		return r.account.Name
	}
	for _, r := range e.accounts {
		if (r.aor.User == req.Recipient.User || r.aor.User == req.To().Address.User) && r.from(l) {
			return r.account.Name
		}
	}
	return ""
}

// from reports whether a link leads to the registrar of a live registration.
func (r *Registration) from(l link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.link != nil && r.link.source().Addr() == l.source().Addr()
}
