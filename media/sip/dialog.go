package sip

import (
	"context"
	"crypto/rand"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/emiago/sipgo/sip"
)

// dialog is what two user agents share (RFC 3261 12). It belongs to the
// goroutine of its call; a copy may be used elsewhere to send requests, for the
// copies count their requests together.
type dialog struct {
	callID    string
	local     sip.FromHeader // us, with our tag
	remote    sip.ToHeader   // them, with their tag
	contact   string         // user of our Contact
	target    sip.Uri
	routes    []sip.Uri
	seq       *atomic.Uint32 // of our last request
	remoteSeq uint32         // of theirs
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
		peer: peer{network: l.network(), addr: l.source()}, seq: new(atomic.Uint32),
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

// fork is the dialog that a response to request seq opens beside others
// (RFC 3261 12.1.2): requests within it are counted on their own.
func (d *dialog) fork(res *sip.Response, seq uint32) dialog {
	f := *d
	f.remoteSeq, f.seq = 0, new(atomic.Uint32)
	f.seq.Store(seq)
	f.confirm(res)
	return f
}

// request builds the next request of the dialog (RFC 3261 12.2.1.1).
func (d *dialog) request(e *Endpoint, l link, method sip.RequestMethod) *sip.Request {
	return d.numbered(e, l, method, d.seq.Add(1))
}

// ack builds the ACK of a 2xx, which has the number of its INVITE
// (RFC 3261 13.2.2.4).
func (d *dialog) ack(e *Endpoint, l link, seq uint32) *sip.Request {
	return d.numbered(e, l, sip.ACK, seq)
}

func (d *dialog) numbered(e *Endpoint, l link, method sip.RequestMethod, seq uint32) *sip.Request {
	target, routes := d.target, d.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router of RFC 2543
		target, routes = routes[0], append(append([]sip.Uri{}, routes[1:]...), d.target)
	}
	req := sip.NewRequest(method, target)
	req.SetTransport(l.network())
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: l.network(),
		Host: e.face(l).String(), Port: e.contactPort(l),
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
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	req.AppendHeader(d.contactHeader(e, l))
	switch method {
	case sip.INVITE, sip.UPDATE, sip.REFER:
		req.AppendHeader(sip.NewHeader("Supported", extensions))
		req.AppendHeader(sip.NewHeader("Allow", allowed))
	default:
	}
	req.SetBody(nil)
	return req
}

// contactHeader is where we are reached within the dialog.
func (d *dialog) contactHeader(e *Endpoint, l link) *sip.ContactHeader {
	return &sip.ContactHeader{Address: e.ownURI(l, d.contact)}
}

// wayOut finds the link for our next request in the dialog: the first route, or
// the remote target, says where and over which transport. A connection to the
// peer that is still open is used as it is.
func (d *dialog) wayOut(ctx context.Context, e *Endpoint) (link, error) {
	next := d.target
	if len(d.routes) > 0 {
		next = d.routes[0]
	}
	network := networkOf(next, d.peer.network)
	if network == d.peer.network && network != netUDP {
		if t := e.opened(network, d.peer.addr); t != nil {
			return t, nil
		}
	}
	return e.linkTo(ctx, network, nextHop(next, d.peer.addr))
}

// networkOf is the transport a URI asks for; one that does not say is reached
// the way the peer came.
func networkOf(uri sip.Uri, usual string) string {
	if asked := strings.ToUpper(uri.UriParams.GetOr("transport", "")); asked != "" {
		switch {
		case asked == netTCP && uri.Scheme == "sips":
			return netTLS
		case asked == netWS && usual == netWSS: // one word for both (RFC 7118 5.2.4)
			return usual
		case isNetwork(asked):
			return asked
		}
		return usual
	}
	if uri.Scheme == "sips" && !isSecure(usual) {
		return netTLS
	}
	return usual
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
