package turnd_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/media/keypair"
	"flametree/media/keypair/keypairtest"
	"flametree/media/turnd"
)

// safe is a relay with TLS for name, and who trusts it.
func safe(t *testing.T, name string, o turnd.Options) (*turnd.Server, *tls.Config) {
	t.Helper()
	a := keypairtest.New(t)
	cert, key := a.Issue("relay", name)
	pair, err := keypair.Load(cert, key, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	o.TLS = &turnd.TLS{Address: "127.0.0.1:0", Name: name, Config: pair.Server()}
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	return listen(t, o), &tls.Config{RootCAs: roots, ServerName: name}
}

func (c *client) over(s *turnd.Server, trust *tls.Config) *client {
	c.t.Helper()
	conn, err := tls.Dial("tcp", s.TLSAddr().String(), trust)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	c.conn, c.stream = conn, true
	return c
}

func TestTheRelayIsReachedByTLS(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s, trust := safe(t, "relay.test", turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	v := s.Credentials("s1", time.Now())
	_, port, err := net.SplitHostPort(s.TLSAddr().String())
	require.NoError(t, err)
	require.Len(t, v.URLs, 3)
	assert.Equal(t, "turns:relay.test:"+port+"?transport=tcp", v.URLs[2], "by the name that the certificate has")
	c := (&client{t: t}).over(s, trust).as(v)
	require.Zero(t, c.allocate())
	require.Zero(t, c.bind(peerOf(ours.addr()), 0x4001))
	c.channel(0x4001, "by channel")
	text, from := ours.next()
	assert.Equal(t, "by channel", text)
	_, err = ours.WriteToUDPAddrPort([]byte("back by channel"), from)
	require.NoError(t, err)
	b, err := c.read(patience)
	require.NoError(t, err)
	assert.Equal(t, "back by channel", string(b[4:4+15]))
	assert.Equal(t, 403, c.permit(peerOf(netip.MustParseAddrPort("127.0.0.2:9"))), "it reaches no more than without TLS")
	assert.Equal(t, 1, s.Counters().Streams)
	require.NoError(t, s.Close())
	assert.Zero(t, s.Counters().Streams)
}

func TestWithoutANameTheURLHasTheAddress(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s, _ := safe(t, "", turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}, Public: netip.MustParseAddr("203.0.113.7")})
	assert.Contains(t, s.Credentials("s1", time.Now()).URLs[2], "turns:203.0.113.7:")
}

// What speaks something else is ended, and so is what stops in the middle of the
// handshake.
func TestWhatIsNoTLSIsEnded(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s, trust := safe(t, "relay.test", turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}, Idle: 100 * time.Millisecond})
	plain, err := net.Dial("tcp", s.TLSAddr().String())
	require.NoError(t, err)
	defer func() { _ = plain.Close() }()
	_, err = plain.Write([]byte("\x00\x03\x00\x00\x21\x12\xa4\x42123456789012"))
	require.NoError(t, err)
	ended(t, plain)
	half, err := net.Dial("tcp", s.TLSAddr().String())
	require.NoError(t, err)
	defer func() { _ = half.Close() }()
	_, err = half.Write([]byte{22, 3, 1, 2, 0, 1}) // the beginning of a hello
	require.NoError(t, err)
	ended(t, half)
	trust.MinVersion, trust.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err = tls.Dial("tcp", s.TLSAddr().String(), trust)
	require.Error(t, err)
	require.Eventually(t, func() bool { return s.Counters().Streams == 0 }, patience, time.Millisecond)
}

// ended waits until the other end has closed; what it says before is its own.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	for b := make([]byte, 100); ; {
		if _, err := c.Read(b); err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it was left open")
			return
		}
	}
}

func TestTLSNeedsACertificateAndAPort(t *testing.T) {
	ours := open(t, "127.0.0.1")
	o := turnd.Options{Address: "127.0.0.1:0", Peers: []turnd.Peer{{Shown: ours.addr()}}, TLS: &turnd.TLS{Address: "127.0.0.1:0"}}
	_, err := turnd.Listen(o)
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "and a certificate")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	o.TLS = &turnd.TLS{Address: taken.Addr().String(), Config: &tls.Config{}}
	_, err = turnd.Listen(o)
	require.ErrorIs(t, err, fault.Unavailable)
	require.ErrorContains(t, err, "turn on tls "+taken.Addr().String())
}
