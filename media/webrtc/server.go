package webrtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
	"golang.org/x/net/netutil"

	"flametree/engine/fault"
	"flametree/media/pacer"
)

// Options of a Server. Listen and Pacer have no default.
type Options struct {
	Listen   netip.AddrPort      // UDP and TCP; port 0 finds one that is free for both
	PublicIP netip.Addr          // told to browsers in place of the addresses of this machine; it keeps the port
	Pacer    func() *pacer.Wheel // asked when a call comes
	Log      *slog.Logger        // default none
	// Lost is how long a call may be without a sign of its browser, and how long
	// it may take to come about; default 15 s.
	Lost time.Duration
}

// Server answers browsers. It is safe for concurrent use.
type Server struct {
	opt     Options
	api     *webrtc.API
	config  webrtc.Configuration
	udp     *ice.UDPMuxDefault
	tcp     *ice.TCPMuxDefault
	at      netip.AddrPort
	mu      sync.Mutex // guards what follows
	live    map[*Peer]struct{}
	closing bool
}

// How many TCP connections may be open, and how long one may stand without
// having said whose it is.
const (
	mostTCP  = 4096
	tcpGreet = 5 * time.Second
	tcpQueue = 64      // packets of a connection that wait to be read
	tcpRoom  = 1 << 20 // bytes of a connection that wait to be written
)

// Listen opens the ports. The caller closes the Server. It fails with
// fault.Unavailable when the address cannot be had.
func Listen(opt Options) (*Server, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Lost <= 0 {
		opt.Lost = 15 * time.Second
	}
	if opt.Pacer == nil || !opt.Listen.IsValid() {
		return nil, fmt.Errorf("webrtc: an address and a pacer are needed: %w", fault.Invalid)
	}
	udp, tcp, err := bind(opt.Listen)
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, live: make(map[*Peer]struct{})}
	s.at = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	s.udp = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: gathered(udp), Logger: quiet.NewLogger("ice")})
	s.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: netutil.LimitListener(tcp, mostTCP), Logger: quiet.NewLogger("ice"), ReadBufferSize: tcpQueue, WriteBufferSize: tcpRoom,
		FirstStunBindTimeout: tcpGreet, AliveDurationForConnFromStun: tcpGreet,
	})
	if err := s.engine(quiet); err != nil {
		return nil, errors.Join(err, s.udp.Close(), s.tcp.Close())
	}
	return s, nil
}

// bind has UDP and TCP on one port.
func bind(at netip.AddrPort) (*net.UDPConn, *net.TCPListener, error) {
	udpNet, tcpNet := "udp4", "tcp4"
	if at.Addr().Is6() {
		udpNet, tcpNet = "udp", "tcp"
	}
	var err error
	for range 20 { // a free port of UDP may be taken in TCP
		var udp *net.UDPConn
		if udp, err = net.ListenUDP(udpNet, net.UDPAddrFromAddrPort(at)); err != nil {
			break
		}
		port := udp.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		var tcp *net.TCPListener
		tcp, err = net.ListenTCP(tcpNet, net.TCPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), port)))
		if err == nil {
			_ = udp.SetReadBuffer(4 << 20) // as much as the system grants
			_ = udp.SetWriteBuffer(4 << 20)
			return udp, tcp, nil
		}
		_ = udp.Close()
		if at.Port() != 0 {
			break
		}
	}
	return nil, nil, fmt.Errorf("webrtc: listen on %s: %w: %w", at, fault.Unavailable, err)
}

// engine makes what peers are made of.
func (s *Server) engine(quiet logging.LoggerFactory) error {
	var set webrtc.SettingEngine
	set.LoggerFactory = quiet
	set.SetICEUDPMux(s.udp)
	set.SetICETCPMux(s.tcp)
	set.DisableActiveTCP(true) // nobody is called back
	kinds := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4}
	if s.at.Addr().Is6() {
		kinds = append(kinds, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP6)
	}
	set.SetNetworkTypes(kinds)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetIncludeLoopbackCandidate(s.at.Addr().IsLoopback())
	gone := min(5*time.Second, s.opt.Lost/3)
	set.SetICETimeouts(gone, s.opt.Lost-gone, min(2*time.Second, gone/2))
	set.SetDTLSInsecureSkipHelloVerify(true) // ICE has proved the address
	set.SetReceiveMTU(mtu)
	if ip := s.opt.PublicIP; ip.IsValid() {
		rule := webrtc.ICEAddressRewriteRule{External: []string{ip.String()}, AsCandidateType: webrtc.ICECandidateTypeHost}
		if err := set.SetICEAddressRewriteRules(rule); err != nil {
			return fmt.Errorf("webrtc: public address: %w: %w", fault.Invalid, err)
		}
	}
	var media webrtc.MediaEngine
	for _, c := range []webrtc.RTPCodecParameters{
		{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		}},
		{PayloadType: 110, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 48000}},
		{PayloadType: 126, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000}},
	} {
		if err := media.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			return fmt.Errorf("webrtc: %w: %w", fault.Bug, err)
		}
	}
	s.api = webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("webrtc: key: %w: %w", fault.Unavailable, err)
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return fmt.Errorf("webrtc: certificate: %w: %w", fault.Unavailable, err)
	}
	s.config = webrtc.Configuration{
		Certificates: []webrtc.Certificate{*cert}, BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	}
	return nil
}

// Addr is where the Server listens, by UDP and TCP.
func (s *Server) Addr() netip.AddrPort { return s.at }

// Way is one address that browsers are told to send to.
type Way struct {
	Shown netip.AddrPort // as they are told
	At    netip.AddrPort // as it is reached from this machine
}

// Ways are the addresses browsers are told to send to, and that a relay of ours
// may therefore send to.
func (s *Server) Ways() []Way {
	var out []Way
	for _, l := range s.udp.GetListenAddresses() {
		at, err := netip.ParseAddrPort(l.String())
		if err != nil || at.Addr().IsUnspecified() {
			continue
		}
		w := Way{At: netip.AddrPortFrom(at.Addr().Unmap(), s.at.Port())}
		if w.Shown = w.At; s.opt.PublicIP.IsValid() {
			w.Shown = netip.AddrPortFrom(s.opt.PublicIP, s.at.Port())
		}
		if !slices.ContainsFunc(out, func(o Way) bool { return o.Shown == w.Shown }) {
			out = append(out, w)
		}
	}
	return out
}

// Live is how many peers there are.
func (s *Server) Live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// Close ends all peers and gives the ports back. It waits for everything that
// was started, and may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	again := s.closing
	s.closing = true
	var left []*Peer
	for p := range s.live {
		left = append(left, p)
	}
	s.mu.Unlock()
	if again {
		return nil
	}
	var errs []error
	for _, p := range left {
		p.line.End("failed")
		errs = append(errs, p.leg.Close())
	}
	return errors.Join(append(errs, s.udp.Close(), s.tcp.Close())...)
}

func (s *Server) enter(p *Peer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return fmt.Errorf("webrtc: the server is ending: %w", fault.Unavailable)
	}
	s.live[p] = struct{}{}
	return nil
}

func (s *Server) leave(p *Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, p)
}
