package sip_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/media/keypair/keypairtest"
	"flametree/media/sip"
	"flametree/media/sip/locate"
)

// at is the first address of a house for a network and family.
func (h *house) at(t *testing.T, network string, six bool) netip.AddrPort {
	t.Helper()
	for _, l := range h.Listening() {
		if l.Network == network && l.Addr.Addr().Is6() == six {
			return l.Addr
		}
	}
	t.Fatalf("does not listen on %s", network)
	return netip.AddrPort{}
}

// everywhere listens on every transport in both families.
func everywhere(a *keypairtest.Authority) func(*sip.Options) {
	cert, key := a.Issue("server", "bank.test")
	return func(o *sip.Options) {
		o.UDP, o.TCP = "", ""
		o.TLS = &sip.TLS{Cert: cert, Key: key, Roots: a.File}
		for _, scheme := range []string{"udp", "tcp", "tls", "ws", "wss"} {
			o.Listen = append(o.Listen, scheme+"://127.0.0.1:0", scheme+"://[::1]:0")
		}
	}
}

// A call from dial to hang-up by either side, over each transport and family;
// Via and Contact name the right socket, or the BYE would not arrive.
func TestCallOverEveryTransport(t *testing.T) {
	a := keypairtest.New(t)
	caller, callee := open(t, everywhere(a)), open(t, everywhere(a))
	for _, network := range []string{"UDP", "TCP", "TLS", "WS", "WSS"} {
		for _, six := range []bool{false, true} {
			for _, calleeEnds := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/v6=%v/callee=%v", network, six, calleeEnds), func(t *testing.T) {
					at := callee.at(t, network, six)
					call, err := caller.Dial(t.Context(), fmt.Sprintf("sip:bank@%s;transport=%s", at, strings.ToLower(network)), sip.DialOptions{From: "alice"})
					require.NoError(t, err)
					inv, ear := <-callee.invites, <-callee.ears
					require.Equal(t, network, inv.Transport)
					require.Equal(t, six, inv.Media.Local.Is6())
					require.Equal(t, six, inv.Media.Remote.Addr().Is6())
					eventually(t, "up", func() bool { return len(ear.Kinds()) == 1 })
					if calleeEnds {
						inv.Line.Hangup("completed")
					} else {
						call.Hangup("completed")
					}
					<-call.Gone()
					eventually(t, "over", func() bool { return callee.Stats().Live == 0 })
				})
			}
		}
	}
}

// sips leads to TLS alone, and a certificate of another name is refused.
func TestSecureTargets(t *testing.T) {
	a := keypairtest.New(t)
	callee := open(t, everywhere(a))
	names := &book{addrs: map[string]string{"bank.test": "127.0.0.1", "thief.test": "127.0.0.1"}}
	caller := open(t, func(o *sip.Options) { everywhere(a)(o); o.Resolver = names })
	port := callee.at(t, "TLS", false).Port()
	call, err := caller.Dial(t.Context(), fmt.Sprintf("sips:bank@bank.test:%d", port), sip.DialOptions{})
	require.NoError(t, err)
	require.Equal(t, "TLS", (<-callee.invites).Transport)
	call.Hangup("completed")
	_, err = caller.Dial(t.Context(), fmt.Sprintf("sips:bank@thief.test:%d", port), sip.DialOptions{})
	require.ErrorIs(t, err, fault.Unavailable)
	require.ErrorContains(t, err, "certificate")
	_, err = caller.Dial(t.Context(), "sips:bank@bank.test;transport=udp", sip.DialOptions{})
	require.ErrorIs(t, err, fault.Invalid)
	stranger := open(t, nil) // trusts the system, which does not know our authority
	_, err = stranger.Dial(t.Context(), fmt.Sprintf("sips:bank@127.0.0.1:%d", port), sip.DialOptions{})
	require.ErrorContains(t, err, "unknown authority")
}

// shows is the name in the certificate a server shows.
func shows(t *testing.T, at netip.AddrPort, config *tls.Config) string {
	t.Helper()
	conn, err := tls.Dial("tcp", at.String(), config)
	require.NoError(t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// A renewed certificate is shown without a restart; half a renewal is not.
func TestCertificateIsLoadedAgain(t *testing.T) {
	a := keypairtest.New(t)
	h := open(t, everywhere(a))
	at, config := h.at(t, "TLS", false), &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(a.Cert)
	require.Equal(t, "bank.test", shows(t, at, config))
	cert, key := a.Issue("next", "renewed.test")
	swap := func(from, to string) {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, text, 0o600))
		later := time.Now().Add(time.Minute)
		require.NoError(t, os.Chtimes(to, later, later))
	}
	swap(cert, a.Dir+"/server.crt")
	require.Equal(t, "bank.test", shows(t, at, config), "a certificate without its key")
	swap(key, a.Dir+"/server.key")
	require.Equal(t, "renewed.test", shows(t, at, config))
	_, err := tls.Dial("tcp", at.String(), &tls.Config{RootCAs: config.RootCAs, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) // it must be refused
	require.Error(t, err, "TLS 1.1")
}

// With a list of authorities, who shows no certificate gets no word in.
func TestClientsMustShowCertificates(t *testing.T) {
	a, others := keypairtest.New(t), keypairtest.New(t)
	callee := open(t, func(o *sip.Options) { everywhere(a)(o); o.TLS.Clients = a.File })
	target := fmt.Sprintf("sip:bank@%s;transport=tls", callee.at(t, "TLS", false))
	known := open(t, everywhere(a))
	call, err := known.Dial(t.Context(), target, sip.DialOptions{})
	require.NoError(t, err)
	call.Hangup("completed")
	cert, key := others.Issue("stranger", "stranger.test")
	stranger := open(t, func(o *sip.Options) { o.TLS = &sip.TLS{Roots: a.File, Cert: cert, Key: key} })
	_, err = stranger.Dial(t.Context(), target, sip.DialOptions{})
	require.Error(t, err)
}

// dialSocket connects as a browser does.
func dialSocket(t *testing.T, at netip.AddrPort, protocols ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: 3 * time.Second}
	ws, res, err := d.DialContext(t.Context(), "ws://"+at.String()+"/any/path", http.Header{"Origin": {"https://elsewhere.test"}})
	if err == nil {
		t.Cleanup(func() { _ = ws.Close() })
	}
	return ws, res, err
}

// One WebSocket message is one SIP message (RFC 7118 5); pings are answered, and
// who does not speak the subprotocol is told so.
func TestWebSocket(t *testing.T) {
	h := open(t, func(o *sip.Options) { o.Listen = []string{"ws://127.0.0.1:0"} })
	at := h.at(t, "WS", false)
	_, res, err := dialSocket(t, at, "chat")
	require.Error(t, err)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	ws, _, err := dialSocket(t, at, "xmpp", "sip")
	require.NoError(t, err)
	require.Equal(t, "sip", ws.Subprotocol())
	hear := func() string {
		require.NoError(t, ws.SetReadDeadline(time.Now().Add(3*time.Second)))
		_, text, err := ws.ReadMessage()
		require.NoError(t, err)
		return string(text)
	}
	for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		text := ask{method: "OPTIONS", via: "SIP/2.0/WS df7jal23ls0d.invalid;rport", call: fmt.Sprint("ws", kind), branch: fmt.Sprint("ws", kind)}.String()
		require.NoError(t, ws.WriteMessage(kind, []byte(strings.Replace(text, "Content-Length: 0\r\n", "", 1))))
		got := hear()
		require.Equal(t, "200 OK", status(got))
		require.Contains(t, value(got, "Via"), "received=127.0.0.1")
	}
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte("\r\n\r\n")))
	require.Equal(t, "\r\n", hear())
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte("OPTIONS sip:x@y SIP/2.0\r\nVia: broken\r\n\r\n")))
	require.Equal(t, "400 Missing From header", status(hear()))
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte("x"), 65<<10)))
	_, _, err = ws.ReadMessage()
	require.Error(t, err, "a message over 64 KiB ends the connection")
	eventually(t, "the connection is gone", func() bool { return h.Stats().Conns == 0 })
}

// What is no upgrade of HTTP is answered or dropped, and the endpoint lives on.
func TestBrokenUpgrades(t *testing.T) {
	h := open(t, func(o *sip.Options) { o.Listen = []string{"ws://127.0.0.1:0"} })
	for name, text := range map[string]string{
		"a plain page": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "noise": "\x16\x03\x01\x02", "sip": "OPTIONS sip:x@y SIP/2.0\r\n\r\n",
		"an endless header": "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 4000),
	} {
		conn, err := net.Dial("tcp", h.at(t, "WS", false).String())
		require.NoError(t, err)
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite() // the other end may have closed already
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*time.Second)))
		got, _ := io.ReadAll(conn)
		require.NotContains(t, string(got), "101 Switching", name)
		_ = conn.Close()
	}
	eventually(t, "all gone", func() bool { return h.Stats().Conns == 0 })
}

// One address may not take all connections.
func TestConnectionsOfOneSourceAreBounded(t *testing.T) {
	h := open(t, func(o *sip.Options) { o.MaxConnsPerSource = 2 })
	first, second := h.connect(t), h.connect(t)
	first.say(tcpAsk("OPTIONS", "one"))
	first.hears("200 OK")
	second.say(tcpAsk("OPTIONS", "two"))
	second.hears("200 OK")
	h.connect(t).ends()
	require.NoError(t, first.Close())
	eventually(t, "one left", func() bool { return h.Stats().Conns == 1 })
	third := h.connect(t)
	third.say(tcpAsk("OPTIONS", "three"))
	third.hears("200 OK")
}

// book is a Resolver of fixed answers.
type book struct {
	naptr map[string][]locate.NAPTR
	srv   map[string][]locate.SRV
	addrs map[string]string
}

func (b *book) NAPTR(_ context.Context, domain string) ([]locate.NAPTR, error) {
	return b.naptr[domain], nil
}
func (b *book) SRV(_ context.Context, name string) ([]locate.SRV, error) { return b.srv[name], nil }
func (b *book) Addrs(_ context.Context, host string) ([]netip.Addr, error) {
	if text := b.addrs[host]; text != "" {
		return []netip.Addr{netip.MustParseAddr(text)}, nil
	}
	return nil, nil
}

// A call goes to the next address when one does not answer, refuses the
// connection, or says 503 (RFC 3263 4.3).
func TestNextAddress(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	busy, callee := open(t, nil), open(t, nil)
	busy.Drain()
	port := func(a net.Addr) uint16 { return netip.MustParseAddrPort(a.String()).Port() }
	names := &book{
		addrs: map[string]string{"a.test": "127.0.0.1"},
		naptr: map[string][]locate.NAPTR{"bank.test": {
			{Order: 20, Flags: "s", Service: "SIP+D2U", Replacement: "_sip._udp.bank.test"},
			{Order: 10, Flags: "s", Service: "SIP+D2T", Replacement: "_sip._tcp.bank.test"},
		}},
		srv: map[string][]locate.SRV{
			"_sip._tcp.bank.test": {{Port: port(closed.Addr()), Target: "a.test."}},
			"_sip._udp.bank.test": {
				{Priority: 1, Port: port(silent.LocalAddr()), Target: "a.test."},
				{Priority: 2, Port: busy.at(t, "UDP", false).Port(), Target: "a.test."},
				{Priority: 3, Port: callee.at(t, "UDP", false).Port(), Target: "a.test."},
			},
		},
	}
	caller := open(t, func(o *sip.Options) { o.Resolver = names })
	call, err := caller.Dial(t.Context(), "sip:bank@bank.test", sip.DialOptions{})
	require.NoError(t, err)
	require.Len(t, callee.invites, 1)
	call.Hangup("completed")
	<-call.Gone()
	require.Equal(t, 1, caller.studio.Made()[0].Closed(), "the media of the first try is closed")
}

// A request over 1300 bytes goes by TCP where the peer listens there, and in
// fragments where it does not (RFC 3261 18.1.1).
func TestLongRequests(t *testing.T) {
	long := strings.Repeat("x", 1200)
	callee := open(t, func(o *sip.Options) {
		o.UDP = "127.0.0.1:0"
	})
	// Both transports of a SIP host have one port: take TCP's for UDP too.
	_, tcp := callee.Addrs()
	both := open(t, func(o *sip.Options) { o.UDP, o.TCP = "", ""; o.Listen = pair(t) })
	caller := open(t, nil)
	call, err := caller.Dial(t.Context(), fmt.Sprintf("sip:%s@%s", long, both.at(t, "UDP", false)), sip.DialOptions{})
	require.NoError(t, err)
	require.Equal(t, "TCP", (<-both.invites).Transport)
	call.Hangup("completed")
	<-call.Gone()
	udp, _ := callee.Addrs()
	require.NotEqual(t, udp.Port(), tcp.Port())
	call, err = caller.Dial(t.Context(), fmt.Sprintf("sip:%s@%s", long, udp), sip.DialOptions{})
	require.NoError(t, err)
	require.Equal(t, "UDP", (<-callee.invites).Transport)
	call.Hangup("completed")
	<-call.Gone()
}

// pair gives listen addresses for UDP and TCP on one free port.
func pair(t *testing.T) []string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		at := l.Addr().String()
		require.NoError(t, l.Close())
		u, err := net.ListenPacket("udp", at)
		if err != nil {
			continue
		}
		require.NoError(t, u.Close())
		return []string{"udp://" + at, "tcp://" + at}
	}
	t.Fatal("no port is free for both")
	return nil
}

// Options that cannot be meant are refused, all at once.
func TestListenOptions(t *testing.T) {
	_, err := sip.Listen(t.Context(), sip.Options{
		Listen: []string{"127.0.0.1:5060", "quic://127.0.0.1:1", "tls://127.0.0.1:0"}, Codecs: []string{"G729"}, Seal: "maybe",
		Admit: sip.AdmitDigest, Trunks: []sip.Trunk{{}},
	})
	require.ErrorIs(t, err, fault.Invalid)
	for _, want := range []string{"127.0.0.1:5060", "quic", "no certificate", "G729", "maybe", "without a realm", "want a name and addresses", "no NewMedia"} {
		require.ErrorContains(t, err, want)
	}
}

// One server called by two names has two connections; both end with the
// endpoint, or Close would wait for ever.
func TestTwoNamesOfOneServer(t *testing.T) {
	a := keypairtest.New(t)
	callee := open(t, everywhere(a))
	caller := open(t, func(o *sip.Options) {
		everywhere(a)(o)
		o.Resolver = &book{addrs: map[string]string{"bank.test": "127.0.0.1"}}
	})
	port := callee.at(t, "TLS", false).Port()
	for _, host := range []string{"bank.test", "127.0.0.1"} {
		call, err := caller.Dial(t.Context(), fmt.Sprintf("sips:bank@%s:%d", host, port), sip.DialOptions{})
		require.NoError(t, err)
		call.Hangup("completed")
		<-call.Gone()
	}
	require.Equal(t, 2, caller.Stats().Conns)
	require.NoError(t, caller.Close())
	require.Zero(t, caller.Stats().Conns)
}
