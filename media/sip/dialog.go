package sip

import (
	"context"
	"crypto/rand"
	"net/netip"

	"github.com/emiago/sipgo/sip"
)

// dialog is what two user agents share (RFC 3261 12). It belongs to the
// goroutine of its call.
type dialog struct {
	callID    string
	local     sip.FromHeader // us, with our tag
	remote    sip.ToHeader   // them, with their tag
	contact   string         // user of our Contact
	target    sip.Uri
	routes    []sip.Uri
	seq       uint32 // of our last request
	remoteSeq uint32 // of theirs
	peer      peer
}

// peer is where the other side sends from.
type peer struct {
	network string // UDP or TCP
	addr    netip.AddrPort
}

func newTag() string { return rand.Text()[:16] }

func newBranch() string { return sip.RFC3261BranchMagicCookie + rand.Text() }

// calleeDialog is the dialog an INVITE opens, seen by who is called
// (RFC 3261 12.1.1). Without a Contact, as in RFC 2543, requests go to From.
func calleeDialog(req *sip.Request, l link, tag string) dialog {
	from, to := req.From(), req.To()
	d := dialog{
		callID: req.CallID().Value(), contact: req.Recipient.User,
		local:  sip.FromHeader{DisplayName: to.DisplayName, Address: to.Address, Params: to.Params.Clone()},
		remote: sip.ToHeader{DisplayName: from.DisplayName, Address: from.Address, Params: from.Params.Clone()},
		target: from.Address, remoteSeq: req.CSeq().SeqNo,
		peer: peer{network: l.network(), addr: l.source()},
	}
	d.local.Params.Add("tag", tag)
	d.refresh(req.Contact())
	for _, h := range req.GetHeaders("record-route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	return d
}

// confirm completes the dialog of a caller by the 2xx (RFC 3261 12.1.2).
func (d *dialog) confirm(res *sip.Response) {
	if to := res.To(); to != nil {
		d.remote = sip.ToHeader{DisplayName: to.DisplayName, Address: to.Address, Params: to.Params.Clone()}
	}
	d.refresh(res.Contact())
	d.routes = nil
	for _, h := range res.GetHeaders("record-route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			d.routes = append([]sip.Uri{*rr.Address.Clone()}, d.routes...)
		}
	}
}

// refresh takes a new remote target (RFC 3261 12.2.1.2).
func (d *dialog) refresh(contact *sip.ContactHeader) {
	if contact != nil && contact.Address.Host != "" {
		d.target = *contact.Address.Clone()
	}
}

// request builds the next request of the dialog; ACK keeps the number of its
// INVITE (RFC 3261 12.2.1.1, 13.2.2.4).
func (d *dialog) request(e *Endpoint, l link, method sip.RequestMethod) *sip.Request {
	if method != sip.ACK {
		d.seq++
	}
	target, routes := d.target, d.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router of RFC 2543
		target, routes = routes[0], append(append([]sip.Uri{}, routes[1:]...), d.target)
	}
	req := sip.NewRequest(method, target)
	req.SetTransport(l.network())
	host := e.face(l).String()
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: l.network(),
		Host: host, Port: e.contactPort(l),
	}
	via.Params.Add("branch", newBranch())
	via.Params.Add("rport", "")
	req.AppendHeader(via)
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.HeaderClone(&d.local))
	req.AppendHeader(sip.HeaderClone(&d.remote))
	id := sip.CallIDHeader(d.callID)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: d.seq, MethodName: method})
	req.AppendHeader(d.contactHeader(e, l))
	req.SetBody(nil)
	return req
}

// contactHeader is where we are reached within the dialog.
func (d *dialog) contactHeader(e *Endpoint, l link) *sip.ContactHeader {
	h := &sip.ContactHeader{Address: sip.Uri{
		Scheme: "sip", User: d.contact, Host: e.face(l).String(), Port: e.contactPort(l),
	}}
	if l.network() == "TCP" {
		h.Address.UriParams = sip.HeaderParams{{K: "transport", V: "tcp"}}
	}
	return h
}

// wayOut finds the link for our next request in the dialog. A connection that is
// still open is used as it is.
func (d *dialog) wayOut(ctx context.Context, e *Endpoint) (link, error) {
	if d.peer.network == "TCP" {
		e.mu.Lock()
		t := e.conns[d.peer.addr]
		e.mu.Unlock()
		if t != nil {
			return t, nil
		}
	}
	next := d.target
	if len(d.routes) > 0 {
		next = d.routes[0]
	}
	return e.linkTo(ctx, d.peer.network, nextHop(next, d.peer.addr))
}

// nextHop is where a URI leads when the peer was last seen at source. Names are
// not resolved, and private addresses of a peer that comes from elsewhere are
// behind a NAT: both are answered where the peer came from.
func nextHop(uri sip.Uri, source netip.AddrPort) netip.AddrPort {
	addr, err := netip.ParseAddr(trimBrackets(uri.Host))
	if err != nil {
		return source
	}
	addr = addr.Unmap()
	if addr != source.Addr() && (addr.IsPrivate() || addr.IsLoopback() || addr.IsUnspecified() || addr.IsLinkLocalUnicast()) {
		return source
	}
	port := uint16(sip.DefaultUdpPort)
	if uri.Port > 0 && uri.Port < 1<<16 {
		port = uint16(uri.Port)
	}
	return netip.AddrPortFrom(addr, port)
}

func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
