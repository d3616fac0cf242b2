package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
	"flametree/media/sip/locate"
)

// hop is one address a request may be sent to.
type hop struct {
	network string
	addr    netip.AddrPort
	host    string // the name it was found by, for its certificate; "" is the address
}

func (h hop) secure() bool { return isSecure(h.network) }

// nextAfter is how long a hop may stay silent while there is another to try. Five
// copies of a request over UDP fit into it.
const nextAfter = 8 // times T1

// readTarget reads a URI that we are to call or register with.
func readTarget(target string) (sip.Uri, error) {
	var uri sip.Uri
	if err := sip.ParseUri(target, &uri); err != nil || uri.Scheme != "sip" && uri.Scheme != "sips" || uri.Host == "" || uri.Host == "*" {
		return uri, fmt.Errorf("not a sip uri: %w", fault.Invalid)
	}
	return uri, nil
}

// hops finds where a URI leads, the best first (RFC 3263). transport "" follows
// the URI.
func (e *Endpoint) hops(ctx context.Context, uri sip.Uri, transport string) ([]hop, error) {
	if transport == "" {
		transport = uri.UriParams.GetOr("transport", "")
	}
	transport = strings.ToUpper(transport)
	if transport != "" && !isNetwork(transport) {
		return nil, fmt.Errorf("transport %.20q: %w", transport, fault.Invalid)
	}
	if m := uri.UriParams.GetOr("maddr", ""); m != "" {
		uri.Host = m
	}
	q := locate.Query{
		Host: trimBrackets(uri.Host), Transport: transport, Secure: uri.IsEncrypted(),
		Can: e.canSend(), Roll: rand.IntN, // spreads load, keeps no secret
	}
	if uri.Port > 0 && uri.Port < 1<<16 {
		q.Port = uint16(uri.Port)
	}
	targets, err := locate.Find(ctx, e.opt.Resolver, q)
	if err != nil {
		return nil, err
	}
	var out []hop
	for _, t := range targets {
		out = append(out, hop{network: t.Network, addr: t.Addr, host: t.Host})
	}
	return out, nil
}

// isOurs reports whether a hop leads to a socket of this endpoint.
func (e *Endpoint) isOurs(h hop) bool {
	to := h.addr.Addr().Unmap()
	for _, p := range e.places {
		at := p.addr()
		if at.Port() != h.addr.Port() {
			continue
		}
		if at.Addr().Unmap() == to || e.opt.PublicIP.IsValid() && e.opt.PublicIP.Unmap() == to {
			return true
		}
		if at.Addr().IsUnspecified() && ofThisMachine(to) {
			return true
		}
	}
	return false
}

// ofThisMachine reports whether an address is one of an interface here.
func ofThisMachine(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(all, func(one net.Addr) bool {
		p, err := netip.ParsePrefix(one.String())
		return err == nil && p.Addr().Unmap() == a
	})
}

// canSend are the networks a request of ours may take: connections always,
// datagrams where we have a socket. What we listen for comes first.
func (e *Endpoint) canSend() []string {
	var out []string
	udp, _ := e.Addrs()
	if udp.IsValid() || len(e.places) > 0 && e.places[0].socket != nil {
		out = append(out, netUDP)
	}
	return append(out, netTCP, netTLS, netWS, netWSS)
}

// way opens the link to a hop. While there is another hop after it, the
// transactions over it end early when nobody answers.
func (e *Endpoint) way(ctx context.Context, h hop, last bool) (link, error) {
	l, err := e.reach(ctx, h)
	if err != nil || last {
		return l, err
	}
	return hurried{link: l, within: nextAfter * e.opt.T1}, nil
}

// elsewhere reports whether a failure at one hop is a reason to try the next:
// nobody answered, or 503 (RFC 3263 4.3).
func elsewhere(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused.Code == 503
	}
	return fault.KindOf(err) == fault.Unavailable
}

// askHops is ask over the hops of a URI, one after the other. build makes the
// request anew for each, with the Via and Contact of its link.
func (e *Endpoint) askHops(ctx context.Context, hops []hop, build func(link) *sip.Request) (*sip.Response, link, error) {
	var err error
	for i, h := range hops {
		var l link
		if l, err = e.way(ctx, h, i == len(hops)-1); err == nil {
			var res *sip.Response
			if res, err = e.ask(l, build(l)); err == nil {
				if res.StatusCode != 503 || i == len(hops)-1 {
					plain, _ := plainLink(l)
					return res, plain, nil
				}
				err = &Refused{Code: res.StatusCode, Reason: res.Reason}
			}
		}
		if !elsewhere(ctx, err) {
			break
		}
	}
	return nil, nil, err
}
