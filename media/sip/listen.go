package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// place is one socket we listen on.
type place struct {
	network  string
	socket   datagrams    // of UDP
	listener net.Listener // of the others
}

// Listening is one address an endpoint is reached at.
type Listening struct {
	Network string // UDP TCP TLS WS WSS
	Addr    netip.AddrPort
}

func (p place) addr() netip.AddrPort {
	if p.socket != nil {
		return addrPort(p.socket.LocalAddr())
	}
	return addrPort(p.listener.Addr())
}

func (p place) close() {
	if p.socket != nil {
		_ = p.socket.Close()
		return
	}
	_ = p.listener.Close()
}

// addresses are all listen addresses of the options as network and host:port.
func (o *Options) addresses() ([][2]string, error) {
	var out [][2]string
	if o.UDP != "" {
		out = append(out, [2]string{netUDP, o.UDP})
	}
	if o.TCP != "" {
		out = append(out, [2]string{netTCP, o.TCP})
	}
	var errs []error
	for _, text := range o.Listen {
		scheme, at, ok := strings.Cut(text, "://")
		network := strings.ToUpper(scheme)
		at = strings.TrimSuffix(at, "/")
		switch {
		case !ok || !isNetwork(network):
			errs = append(errs, fmt.Errorf("listen %q: want udp, tcp, tls, ws or wss, then ://address:port", text))
		case isSecure(network) && (o.TLS == nil || o.TLS.Cert == "" || o.TLS.Key == ""):
			errs = append(errs, fmt.Errorf("listen %q: no certificate and key", text))
		default:
			out = append(out, [2]string{network, at})
		}
	}
	if len(out) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("no address to listen on"))
	}
	return out, errors.Join(errs...)
}

func isNetwork(s string) bool {
	switch s {
	case netUDP, netTCP, netTLS, netWS, netWSS:
		return true
	}
	return false
}

func isSecure(network string) bool { return network == netTLS || network == netWSS }

// openPlaces opens every listen address, or none.
func openPlaces(ctx context.Context, o *Options, side *tlsSide) ([]place, error) {
	addresses, err := o.addresses()
	if err != nil {
		return nil, fmt.Errorf("sip options: %w: %w", err, fault.Invalid)
	}
	var out []place
	for _, a := range addresses {
		p, err := openPlace(ctx, a[0], a[1], side)
		if err != nil {
			for _, p := range out {
				p.close()
			}
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func openPlace(ctx context.Context, network, at string, side *tlsSide) (place, error) {
	if network == netUDP {
		addr, err := net.ResolveUDPAddr("udp", at)
		if err != nil {
			return place{}, fmt.Errorf("sip udp address %q: %w: %w", at, err, fault.Invalid)
		}
		conn, err := net.ListenUDP("udp", addr)
		if err != nil {
			return place{}, fmt.Errorf("listen for sip: %w: %w", err, fault.Unavailable)
		}
		// A burst of calls must survive the time one goroutine takes to read it.
		_ = conn.SetReadBuffer(4 << 20)
		return place{network: network, socket: conn}, nil
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", at)
	if err != nil {
		return place{}, fmt.Errorf("listen for sip: %w: %w", err, fault.Unavailable)
	}
	if isSecure(network) {
		l = tls.NewListener(l, side.server)
	}
	return place{network: network, listener: l}, nil
}

// Addrs reports where the endpoint listens for plain SIP, the first address of
// each kind; what is off is not valid.
func (e *Endpoint) Addrs() (udp, tcp netip.AddrPort) {
	for _, p := range e.places {
		switch {
		case p.network == netUDP && !udp.IsValid():
			udp = p.addr()
		case p.network == netTCP && !tcp.IsValid():
			tcp = p.addr()
		}
	}
	return udp, tcp
}

// Listening reports every address the endpoint listens on, in the order of the
// options.
func (e *Endpoint) Listening() []Listening {
	var out []Listening
	for _, p := range e.places {
		out = append(out, Listening{Network: p.network, Addr: p.addr()})
	}
	return out
}

// socketFor is the UDP socket to send to an address from: one of its family, a
// loopback one only for loopback. nil when there is none.
func (e *Endpoint) socketFor(to netip.Addr) datagrams {
	var second datagrams
	for _, p := range e.places {
		if p.network != netUDP {
			continue
		}
		own := p.addr().Addr()
		switch {
		case !own.IsValid():
			second = p.socket // a socket in memory
		case own.IsUnspecified() && (own.Is6() || to.Is4()):
			return p.socket
		case own.Is4() != to.Is4():
		case own.IsLoopback() == to.IsLoopback():
			return p.socket
		case second == nil:
			second = p.socket
		}
	}
	return second
}

// contactPort is the port peers reach us at over a link: that of the socket, or
// of the listener of the same kind. A connection of a kind we do not listen for
// is the only way to us, then its own port is as good as any.
func (e *Endpoint) contactPort(l link) int {
	own := addrPort(l.LocalAddr())
	if l.network() == netUDP {
		return int(own.Port())
	}
	port := 0
	for _, p := range e.places {
		if p.network != l.network() {
			continue
		}
		at := p.addr()
		if at.Addr() == own.Addr() || at.Addr().IsUnspecified() {
			return int(at.Port())
		}
		if port == 0 && at.Addr().Is4() == own.Addr().Is4() {
			port = int(at.Port())
		}
	}
	return orDefault(port, int(own.Port()))
}

// ownURI is where a peer reaches us: the Contact of what we send over a link.
func (e *Endpoint) ownURI(l link, user string) sip.Uri {
	uri := sip.Uri{Scheme: "sip", User: user, Host: e.face(l).String(), Port: e.contactPort(l)}
	switch n := l.network(); n {
	case netUDP:
	case netWSS: // one word for both (RFC 7118 5.2.4)
		uri.UriParams = sip.HeaderParams{{K: "transport", V: "ws"}}
	default:
		uri.UriParams = sip.HeaderParams{{K: "transport", V: strings.ToLower(n)}}
	}
	return uri
}
