package turnd

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"

	"flametree/engine/fault"
)

// Peer is an address of our WebRTC port.
type Peer struct {
	Shown netip.AddrPort // as the browser knows it from our candidates
	At    netip.AddrPort // where it is reached from here; zero = Shown
}

// Options of a Server. Address and Peers have no default.
type Options struct {
	Address string     // host:port for UDP and TCP; port 0 = a free one
	TLS     *TLS       // nil = none
	Peers   []Peer     // nothing else is ever relayed to
	Public  netip.Addr // how browsers reach us when it is not Address's host; zero = that
	Secret  []byte     // of the credentials; empty = one drawn now, so that they end with the process
	Realm   string     // "" = flametree

	TTL        time.Duration // of credentials, at most 10 min; 0 = 10 min
	Life       time.Duration // the longest an allocation lives, however often refreshed; 0 = 4 h
	PerSession int           // allocations of one session; 0 = 16: a browser opens one for each interface and transport, and again at an ICE restart
	Total      int           // allocations in all; 0 = 2000
	Rate       int           // bytes a second of one allocation and direction; 0 = 64000
	Streams    int           // TCP connections in all, a quarter of them from one address; 0 = 2000
	Idle       time.Duration // how long a TCP connection may say nothing; 0 = 30 s
}

// TLS is where the relay speaks TLS, for visitors whose network lets nothing else
// out (RFC 8656 2.1, RFC 7065).
type TLS struct {
	Address string      // host:port; port 0 = a free one
	Name    string      // in URLs, as the certificate has it; "" = the address browsers reach us by
	Config  *tls.Config // with a certificate
}

const (
	mostTTL = 10 * time.Minute
	// life of an allocation between refreshes, by RFC 8656 3.2.
	refreshed = 10 * time.Minute
)

// Counters are what happened since the start, except Allocations and Streams,
// which are now.
type Counters struct {
	Allocations, Streams int
	Opened               uint64 // allocations, ever
	Denied               uint64 // requests with bad credentials
	Exhausted            uint64 // allocations and streams over a quota
	Forbidden            uint64 // permissions and channels for others than our peers
	Strayed              uint64 // packets to or from others than our peers
	Throttled            uint64 // packets over Rate
	BytesUp, BytesDown   uint64 // towards the peers, towards the browsers
	Malformed            uint64 // streams ended because they were none of TURN
}

// Server is a running TURN server. Its methods are safe for concurrent use.
type Server struct {
	o     Options
	turn  *turn.Server
	addr  netip.AddrPort
	urls  []string
	safe  netip.AddrPort // of TLS; zero = none
	peers peers
	bind  netip.Addr

	ended atomic.Bool
	going sync.WaitGroup // streams and relayed sockets

	opened, denied, exhausted, forbidden, strayed, throttled, up, down, malformed atomic.Uint64

	mu      sync.Mutex // guards what follows
	relays  map[*relay]struct{}
	streams map[*stream]struct{}
	gone    map[string]time.Time // forgotten sessions, until no credentials of theirs are valid
}

// Listen starts a server. Errors are fault.Invalid for Options, all at once,
// and fault.Unavailable when the address cannot be had.
func Listen(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Server{o: o, relays: map[*relay]struct{}{}, streams: map[*stream]struct{}{}, gone: map[string]time.Time{}}
	pc, l, err := listen(o.Address)
	if err != nil {
		return nil, err
	}
	s.addr = l.Addr().(*net.TCPAddr).AddrPort()
	s.addr = netip.AddrPortFrom(s.addr.Addr().Unmap(), s.addr.Port())
	s.bind = s.addr.Addr()
	s.peers = newPeers(o.Peers)
	host := s.bind.String()
	if o.Public.IsValid() {
		host = o.Public.String()
	}
	shown := url(host, s.addr)
	s.urls = []string{"turn:" + shown + "?transport=udp", "turn:" + shown + "?transport=tcp"}
	streams := []net.Listener{l}
	if o.TLS != nil {
		safe, err := s.secure(host)
		if err != nil {
			return nil, errors.Join(err, pc.Close(), l.Close())
		}
		streams = append(streams, safe)
	}
	if err := s.serve(pc, streams); err != nil {
		_ = pc.Close()
		for _, l := range streams {
			_ = l.Close()
		}
		return nil, err
	}
	return s, nil
}

func url(host string, at netip.AddrPort) string {
	return net.JoinHostPort(host, strconv.Itoa(int(at.Port())))
}

// secure listens for TLS.
func (s *Server) secure(host string) (net.Listener, error) {
	l, err := net.Listen("tcp", s.o.TLS.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for turn on tls %s: %w: %w", s.o.TLS.Address, fault.Unavailable, err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	s.safe = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	s.urls = append(s.urls, "turns:"+url(cmp.Or(s.o.TLS.Name, host), s.safe)+"?transport=tcp")
	return tls.NewListener(l, s.o.TLS.Config), nil
}

// serve begins to answer on a port and on streams.
func (s *Server) serve(pc net.PacketConn, streams []net.Listener) (err error) {
	var listeners []turn.ListenerConfig
	for _, l := range streams {
		listeners = append(listeners, turn.ListenerConfig{
			Listener: &listener{Listener: l, server: s}, RelayAddressGenerator: s, PermissionHandler: s.permit,
		})
	}
	s.turn, err = turn.NewServer(turn.ServerConfig{
		Realm: s.o.Realm, AuthHandler: s.authenticate, QuotaHandler: s.quota, LoggerFactory: silent{},
		EventHandler: turn.EventHandler{OnAuth: func(_, _ net.Addr, _, _, _, _ string, verdict bool) {
			if !verdict { // a forged signature
				s.denied.Add(1)
			}
		}},
		AllocationLifetime: refreshed,
		PacketConnConfigs:  []turn.PacketConnConfig{{PacketConn: pc, RelayAddressGenerator: s, PermissionHandler: s.permit}},
		ListenerConfigs:    listeners,
	})
	if err != nil {
		return fmt.Errorf("start turn server: %w: %w", fault.Bug, err)
	}
	return nil
}

// listen takes one port for both transports.
func listen(address string) (*net.UDPConn, *net.TCPListener, error) {
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("turn address %q: %w: %w", address, fault.Invalid, err)
	}
	for range 16 { // a free UDP port may be taken for TCP
		pc, err := net.ListenUDP("udp", at)
		if err != nil {
			return nil, nil, fmt.Errorf("listen for turn on udp %s: %w: %w", address, fault.Unavailable, err)
		}
		got := pc.LocalAddr().(*net.UDPAddr)
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: got.IP, Port: got.Port, Zone: got.Zone})
		if err == nil {
			return pc, l, nil
		}
		_ = pc.Close()
		if at.Port != 0 {
			return nil, nil, fmt.Errorf("listen for turn on tcp %s: %w: %w", address, fault.Unavailable, err)
		}
	}
	return nil, nil, fmt.Errorf("listen for turn on %s: no port is free for both udp and tcp: %w", address, fault.Unavailable)
}

// complete checks everything and fills in what was left out.
func (o *Options) complete() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("turn: "+format+": %w", append(args, fault.Invalid)...))
	}
	host, _, err := net.SplitHostPort(o.Address)
	ip, errIP := netip.ParseAddr(host)
	switch {
	case err != nil || errIP != nil:
		bad("address %q: expected an address and a port such as 192.0.2.1:3478", o.Address)
	case ip.IsUnspecified():
		bad("address %q: name one address, because the relayed sockets need one", o.Address)
	}
	if o.TLS != nil {
		if _, _, err := net.SplitHostPort(o.TLS.Address); err != nil || o.TLS.Config == nil {
			bad("tls: expected an address with a port such as 192.0.2.1:443, and a certificate")
		}
	}
	if len(o.Peers) == 0 {
		bad("no peer: name the addresses of the WebRTC port")
	}
	for _, p := range o.Peers {
		if !p.Shown.IsValid() || p.Shown.Port() == 0 || p.Shown.Addr().IsUnspecified() || p.Shown.Addr().IsMulticast() {
			bad("peer %v: expected one address with a port", p.Shown)
		}
	}
	if o.TTL < 0 || o.TTL > mostTTL {
		bad("credentials live %v: at most %v", o.TTL, mostTTL)
	}
	if o.Life < 0 || o.PerSession < 0 || o.Total < 0 || o.Rate < 0 || o.Streams < 0 || o.Idle < 0 {
		bad("a limit is negative")
	}
	if len(o.Secret) > 0 && len(o.Secret) < 16 {
		bad("the secret has %d bytes: at least 16", len(o.Secret))
	}
	if len(o.Secret) == 0 {
		o.Secret = []byte(rand.Text())
	}
	o.Secret = append([]byte(nil), o.Secret...)
	defaults(o)
	return errors.Join(errs...)
}

func defaults(o *Options) {
	fill(&o.Realm, "flametree")
	fill(&o.TTL, mostTTL)
	fill(&o.Life, 4*time.Hour)
	fill(&o.PerSession, 16)
	fill(&o.Total, 2000)
	fill(&o.Rate, 64000)
	fill(&o.Streams, 2000)
	fill(&o.Idle, 30*time.Second)
}

func fill[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Addr is where the server listens, with UDP and with TCP.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// TLSAddr is where the server listens with TLS, zero when it does not.
func (s *Server) TLSAddr() netip.AddrPort { return s.safe }

// Counters returns what happened so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counters{
		Allocations: len(s.relays), Streams: len(s.streams),
		Opened: s.opened.Load(), Denied: s.denied.Load(), Exhausted: s.exhausted.Load(), Forbidden: s.forbidden.Load(),
		Strayed: s.strayed.Load(), Throttled: s.throttled.Load(), BytesUp: s.up.Load(), BytesDown: s.down.Load(),
		Malformed: s.malformed.Load(),
	}
}

// Forget ends what a session has: its allocations close and its credentials
// open none any more.
func (s *Server) Forget(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, until := range s.gone {
		if now.After(until) {
			delete(s.gone, id)
		}
	}
	s.gone[session] = now.Add(s.o.TTL + time.Second)
	for r := range s.relays {
		if r.session == session {
			_ = r.UDPConn.Close() // the reader notices and the allocation goes
		}
	}
}

// Close ends every allocation and waits for it. A second Close does nothing.
func (s *Server) Close() error {
	if s.ended.Swap(true) {
		return nil
	}
	err := s.turn.Close()
	s.mu.Lock()
	for c := range s.streams {
		_ = c.cut()
	}
	for r := range s.relays {
		_ = r.UDPConn.Close()
	}
	s.mu.Unlock()
	s.going.Wait()
	return err
}

// silent drops what pion says: it names addresses and users.
type silent struct{}

// NewLogger implements logging.LoggerFactory.
func (silent) NewLogger(string) logging.LeveledLogger {
	return &logging.DefaultLeveledLogger{} // its zero level is disabled
}
