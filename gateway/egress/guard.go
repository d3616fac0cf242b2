// Package egress is the one way out to addresses that a tenant chose: tools,
// servers of tools, websites, hooks. It resolves a name once, looks at every
// address behind it, and dials the very address it looked at, so that a name
// cannot change its meaning in between. What is not on the public internet is
// refused unless the house itself named it.
//
// It refuses to be a proxy or a filter of contents: it knows no tenants, keeps
// no cookies, reads no environment and looks into no body.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"flametree/engine/fault"
)

// The limits of the guard.
const (
	DefaultTimeout = 30 * time.Second
	MaxRedirects   = 5
	maxHeader      = 64 << 10 // bytes of an answer's header
	maxTried       = 4        // addresses of one name
	spelling       = "an address is written as four decimal numbers or as IPv6"
)

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options say what a guard lets through. The zero value lets through the public
// internet, on any port.
type Options struct {
	// Allow names single addresses, "host:port", that may be reached though
	// they are not public. The host is compared as the request spells it, so a
	// name that merely leads there is still refused. An entry that CheckAllow
	// refuses allows nothing.
	Allow []string
	// Ports are those that may be dialled beside Allow; empty = all.
	Ports []uint16
	// Resolver is the system's if nil.
	Resolver Resolver
	// Timeout bounds each of connecting (resolving included), the TLS handshake
	// and the wait for an answer's header; 0 = DefaultTimeout. The body is the
	// caller's to bound, by its context and by Limit.
	Timeout time.Duration
}

// Guard dials and fetches. It is safe for concurrent use.
type Guard struct {
	allow     map[string]bool
	ports     []uint16
	resolver  Resolver
	timeout   time.Duration
	dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	transport *http.Transport
}

// New returns a guard. Close it at the end.
func New(o Options) *Guard {
	g := &Guard{
		allow:    make(map[string]bool, len(o.Allow)),
		ports:    slices.Clone(o.Ports),
		resolver: o.Resolver,
		timeout:  o.Timeout,
	}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	if g.timeout <= 0 {
		g.timeout = DefaultTimeout
	}
	for _, entry := range o.Allow {
		if key, err := allowed(entry); err == nil {
			g.allow[key] = true
		}
	}
	g.dial = (&net.Dialer{Timeout: g.timeout}).DialContext
	g.transport = &http.Transport{
		Proxy:                  nil, // never from the environment: a proxy would dial for us, unchecked
		DialContext:            g.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    g.timeout,
		ResponseHeaderTimeout:  g.timeout,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    4,
		MaxIdleConns:           256,
	}
	return g
}

// CheckAllow says which entry of Options.Allow cannot be read; fault.Invalid.
func CheckAllow(entries []string) error {
	for _, e := range entries {
		if _, err := allowed(e); err != nil {
			return err
		}
	}
	return nil
}

// allowed is the form in which an entry of Allow is compared.
func allowed(entry string) (string, error) {
	host, port, err := net.SplitHostPort(strings.TrimSpace(entry))
	if err == nil && host != "" {
		if n, bad := strconv.ParseUint(port, 10, 16); bad == nil && n > 0 {
			return key(host, port), nil
		}
	}
	return "", fmt.Errorf("egress: %q is not host:port, such as 10.1.2.3:8080: %w", entry, fault.Invalid)
}

func key(host, port string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	return net.JoinHostPort(host, port)
}

// Client returns a client that goes through the guard. Copies of it do too, as
// long as they keep its Transport. It has no total timeout; give each request a
// context that ends.
func (g *Guard) Client() *http.Client {
	return &http.Client{Transport: (*gate)(g), CheckRedirect: redirect}
}

// Close gives idle connections back. The guard may be used afterwards.
func (g *Guard) Close() { g.transport.CloseIdleConnections() }

// gate is the guard as a transport. A redirect passes it like a first request.
type gate Guard

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := CheckURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of a RoundTripper
		}
		return nil, err
	}
	return g.transport.RoundTrip(r)
}

// CloseIdleConnections lets http.Client find the transport's own.
func (g *gate) CloseIdleConnections() { g.transport.CloseIdleConnections() }

// CheckURL refuses a URL for what can be seen without the network: scheme, user
// part, spelling of the host. The error is fault.Denied.
func CheckURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse(u.Hostname(), "only http and https lead out")
	case u.User != nil:
		return refuse(u.Hostname(), "a URL carries no user and password")
	case u.Hostname() == "":
		return refuse("", "the URL names no host")
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil
	}
	// The transport dials what IDNA makes of a name (RFC 5891): letters that only
	// look like digits and dots are digits and dots by then.
	ascii := u.Hostname()
	if strings.ContainsFunc(ascii, func(r rune) bool { return r >= utf8.RuneSelf }) {
		var err error
		if ascii, err = idna.Lookup.ToASCII(ascii); err != nil {
			return refuse(u.Hostname(), "it is no name of a host")
		}
	}
	if _, err := netip.ParseAddr(ascii); err == nil || odd(ascii) {
		return refuse(u.Hostname(), spelling)
	}
	return nil
}

// redirect is http.Client.CheckRedirect. The target's address is checked when
// it is dialled; here it is kept from learning what was meant for another.
func redirect(r *http.Request, via []*http.Request) error {
	if len(via) > MaxRedirects {
		return refuse(r.URL.Hostname(), fmt.Sprintf("it is the end of more than %d redirects", MaxRedirects))
	}
	if err := CheckURL(r.URL); err != nil {
		return err
	}
	if origin(r.URL) != origin(via[0].URL) {
		for _, h := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Cookie2", "Www-Authenticate", "Referer"} {
			r.Header.Del(h)
		}
	}
	return nil
}

// origin is what may be told the same secrets (RFC 6454, section 4).
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + key(u.Hostname(), port)
}

// DialContext connects to "host:port" over TCP. It refuses with fault.Denied,
// and says fault.Unavailable when the host cannot be reached; neither names an
// address that the caller did not.
func (g *Guard) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return nil, refuse(addr, "it is not host:port")
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	ips, err := g.vetted(ctx, host, port)
	if err != nil {
		return nil, err
	}
	for _, ip := range ips[:min(len(ips), maxTried)] {
		var c net.Conn
		if c, err = g.dial(ctx, "tcp", net.JoinHostPort(ip.String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, unreachable(ctx, host, err)
}

// Vet reports whether host may be reached at port by something that is not TCP,
// such as SIP over UDP; errors are those of DialContext. What is dialled later is
// resolved anew: a name whose address changes in between is not caught, so whoever
// can should be given the address.
func (g *Guard) Vet(ctx context.Context, host, port string) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	_, err := g.vetted(ctx, host, port)
	return err
}

// vetted resolves once and gives only addresses that may be dialled. One bad
// address spoils the name: who mixes them wants us to pick the wrong one.
func (g *Guard) vetted(ctx context.Context, host, port string) ([]netip.Addr, error) {
	named := g.allow[key(host, port)]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 ||
		(!named && len(g.ports) > 0 && !slices.Contains(g.ports, uint16(n))) {
		return nil, refuse(host, "port "+strconv.Quote(port)+" is not open")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if why := forbidden(ip); why != "" && !named {
			return nil, refuse(host, why)
		}
		return []netip.Addr{ip}, nil
	}
	if odd(host) {
		return nil, refuse(host, spelling)
	}
	ips, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return nil, unreachable(ctx, host, err)
	}
	for i, ip := range ips {
		ips[i] = ip.Unmap()
		if why := forbidden(ip); why != "" && !named {
			return nil, refuse(host, why)
		}
	}
	return ips, nil
}

func refuse(host, why string) error {
	return fmt.Errorf("egress: %q is refused: %s: %w", host, why, fault.Denied)
}

// unreachable tells why a host did not answer, without the address dialled,
// which the text of a net.OpError would give away.
func unreachable(ctx context.Context, host string, err error) error {
	var (
		no  syscall.Errno
		dns *net.DNSError
		why = "no connection"
	)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("egress: %q: nobody waits any more: %w", host, fault.Cancelled)
	case ctx.Err() != nil:
		why = "no answer in time"
	case errors.As(err, &no):
		why = no.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		why = "no such name"
	case errors.As(err, &dns):
		why = "the name cannot be looked up now"
	}
	return fmt.Errorf("egress: %q cannot be reached: %s: %w", host, why, fault.Unavailable)
}
