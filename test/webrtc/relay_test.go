package webrtc_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"flametree/media/keypair/keypairtest"
	"flametree/media/webrtc/page"
	"flametree/test/telephony"
)

// relays asks as a browser does which relays there are.
func relays(t *testing.T, p *page.Page) webrtc.ICEServer {
	t.Helper()
	all, err := p.Servers(within(t, patience))
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// account is whose the credentials are, without how long they are good for.
func account(s webrtc.ICEServer) string {
	_, name, _ := strings.Cut(s.Username, ":")
	return name
}

// allocates tries to open an allocation with credentials, and gives it back.
func allocates(t *testing.T, h *house, with webrtc.ICEServer) error {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	return allocatesOver(t, conn, h.Addresses().TURN, with)
}

// allocatesOver is allocates on a connection, which it closes.
func allocatesOver(t *testing.T, conn net.PacketConn, at string, with webrtc.ICEServer) error {
	t.Helper()
	defer func() { _ = conn.Close() }()
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: at, Username: with.Username, Password: with.Credential.(string), Realm: "flametree",
		RTO: 10 * time.Millisecond, Conn: conn,
	})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Listen())
	open, err := c.Allocate()
	if err == nil {
		_ = open.Close()
	}
	return err
}

// What the relay lent to a page serves it from call to call and ends with its
// socket: who has kept the credentials opens nothing with them. The page that
// comes back has others.
func TestTheRelaysCredentialsEndWithThePage(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{Set: map[string]string{"turn": "127.0.0.1:0"}})
	byRelay := func(o *page.Options) { o.Relay = true }
	p, c := h.call(t, byRelay)
	greeted(t, c)
	lent := relays(t, p)
	require.NoError(t, allocates(t, h, lent))
	require.NoError(t, c.Hangup(within(t, patience)))
	over(t, h, c)
	require.NoError(t, allocates(t, h, lent), "the page may call again")
	require.Equal(t, account(lent), account(relays(t, p)), "one account a page, which its limit holds for")

	require.NoError(t, p.Leave())
	require.Eventually(t, func() bool { return allocates(t, h, lent) != nil }, patience, 50*time.Millisecond, "the page is gone")
	again, c := h.call(t, func(o *page.Options) { o.Relay, o.Session = true, p.Session() })
	greeted(t, c)
	require.NotEqual(t, account(lent), account(relays(t, again)))
	require.Error(t, allocates(t, h, lent), "nor with its return")
	require.NoError(t, c.Hangup(within(t, patience)))
}

// A page that has lost its socket, in a call or before one, goes on with its relay
// until it is waited for no longer.
func TestAPageThatLostItsSocketKeepsItsRelay(t *testing.T) {
	t.Parallel()
	h := open(t, telephony.Plan{Set: map[string]string{"turn": "127.0.0.1:0"}, Lost: 3 * time.Second})
	p, c := h.call(t, func(o *page.Options) { o.Relay = true })
	greeted(t, c)
	idle := h.page(t, nil)
	calls, waits := relays(t, p), relays(t, idle)
	p.Drop()
	idle.Drop()
	since := time.Now()
	for time.Since(since) < time.Second {
		require.NoError(t, allocates(t, h, calls))
		require.NoError(t, allocates(t, h, waits))
	}
	over(t, h, c)
	for _, lent := range []webrtc.ICEServer{calls, waits} {
		require.Eventually(t, func() bool { return allocates(t, h, lent) != nil }, patience, 50*time.Millisecond)
	}
}

// A network that lets nothing out but TLS to the usual port still lets a visitor
// call: the page is told of the relay's TLS by the name of its certificate, and
// what it lends holds there.
func TestTheRelayIsReachedByTLS(t *testing.T) {
	t.Parallel()
	a := keypairtest.New(t)
	cert, key := a.Issue("relay", "relay.test")
	h := open(t, telephony.Plan{Set: map[string]string{
		"turn": "127.0.0.1:0", "turn.tls": "127.0.0.1:0", "turn.tls-cert": cert, "turn.tls-key": key, "turn.tls-name": "relay.test",
	}})
	lent := relays(t, h.page(t, nil))
	at := h.Addresses().TURNTLS
	_, port, err := net.SplitHostPort(at)
	require.NoError(t, err)
	require.Contains(t, lent.URLs, "turns:relay.test:"+port+"?transport=tcp")
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	conn, err := tls.Dial("tcp", at, &tls.Config{RootCAs: roots, ServerName: "relay.test"})
	require.NoError(t, err)
	require.NoError(t, allocatesOver(t, turn.NewSTUNConn(conn), at, lent))
	other := lent
	other.Credential = "guessed"
	conn, err = tls.Dial("tcp", at, &tls.Config{RootCAs: roots, ServerName: "relay.test"})
	require.NoError(t, err)
	require.Error(t, allocatesOver(t, turn.NewSTUNConn(conn), at, other))
}
