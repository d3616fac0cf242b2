package turnd_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/media/turnd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 5 * time.Second

// port is a UDP socket on loopback that remembers what arrives.
type port struct {
	t *testing.T
	*net.UDPConn
}

func open(t *testing.T, host string) *port {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 0)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &port{t, c}
}

func (p *port) addr() netip.AddrPort { return p.LocalAddr().(*net.UDPAddr).AddrPort() }

// next waits for a packet.
func (p *port) next() (string, netip.AddrPort) {
	p.t.Helper()
	b := make([]byte, 2000)
	require.NoError(p.t, p.SetReadDeadline(time.Now().Add(patience)))
	n, from, err := p.ReadFromUDPAddrPort(b)
	require.NoError(p.t, err)
	return string(b[:n]), from
}

// nothing requires that no packet has arrived. Whoever asks has made sure
// beforehand that one that was sent would be here.
func (p *port) nothing(why string) {
	p.t.Helper()
	b := make([]byte, 2000)
	require.NoError(p.t, p.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	n, from, err := p.ReadFromUDPAddrPort(b)
	require.Error(p.t, err, "%s: %q arrived from %v", why, b[:n], from)
}

func listen(t *testing.T, o turnd.Options) *turnd.Server {
	t.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	s, err := turnd.Listen(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// client is a TURN client that also does what none should.
type client struct {
	t       *testing.T
	conn    net.Conn
	stream  bool
	name    string
	secret  string
	realm   string
	nonce   string
	relayed netip.AddrPort
}

func dial(t *testing.T, s *turnd.Server, network string) *client {
	t.Helper()
	conn, err := net.Dial(network, s.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, stream: network == "tcp"}
}

// as takes credentials on.
func (c *client) as(v turnd.Servers) *client {
	c.name, c.secret = v.Username, v.Credential
	return c
}

// write sends a frame.
func (c *client) write(b []byte) {
	_, err := c.conn.Write(b)
	require.NoError(c.t, err)
}

// read waits for one frame.
func (c *client) read(most time.Duration) ([]byte, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(most))
	b := make([]byte, 4000)
	n, err := c.conn.Read(b)
	return b[:n], err
}

// answer waits for the answer to a transaction.
func (c *client) answer(id [stun.TransactionIDSize]byte, most time.Duration) (*stun.Message, error) {
	until := time.Now().Add(most)
	for {
		b, err := c.read(time.Until(until))
		if err != nil {
			return nil, err
		}
		m := &stun.Message{Raw: b}
		if stun.IsMessage(b) && m.Decode() == nil && m.TransactionID == id {
			return m, nil
		}
	}
}

var udpTransport = stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}

// ask sends a request, signed once the realm is known, and gives the code of its error, 0 = success.
func (c *client) ask(method stun.Method, attrs ...stun.Setter) (int, *stun.Message) {
	c.t.Helper()
	for range 3 {
		code, m, err := c.try(patience, method, attrs...)
		require.NoError(c.t, err, "%v", method)
		if code != 401 && code != 438 || m.Contains(stun.AttrNonce) == false {
			return code, m
		}
		var realm stun.Realm
		var nonce stun.Nonce
		require.NoError(c.t, m.Parse(&realm, &nonce))
		first := c.realm == ""
		c.realm, c.nonce = realm.String(), nonce.String()
		if !first {
			return code, m
		}
	}
	c.t.Fatal("the server asks for credentials again and again")
	return 0, nil
}

func (c *client) try(most time.Duration, method stun.Method, attrs ...stun.Setter) (int, *stun.Message, error) {
	setters := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attrs...)
	if c.realm != "" {
		setters = append(setters, stun.NewUsername(c.name), stun.NewRealm(c.realm), stun.NewNonce(c.nonce),
			stun.NewLongTermIntegrity(c.name, c.realm, c.secret))
	}
	m, err := stun.Build(setters...)
	require.NoError(c.t, err)
	c.write(m.Raw)
	a, err := c.answer(m.TransactionID, most)
	if err != nil {
		return 0, nil, err
	}
	var code stun.ErrorCodeAttribute
	if code.GetFrom(a) == nil {
		return int(code.Code), a, nil
	}
	return 0, a, nil
}

// allocate opens a relayed socket and returns the code.
func (c *client) allocate() int {
	c.t.Helper()
	code, m := c.ask(stun.MethodAllocate, udpTransport)
	if code == 0 {
		var x stun.XORMappedAddress
		require.NoError(c.t, x.GetFromAs(m, stun.AttrXORRelayedAddress))
		addr, _ := netip.AddrFromSlice(x.IP)
		c.relayed = netip.AddrPortFrom(addr.Unmap(), uint16(x.Port))
	}
	return code
}

// peer is the attribute, in the form it is given.
type peer struct {
	ip   net.IP
	port int
}

func peerOf(a netip.AddrPort) peer { return peer{a.Addr().AsSlice(), int(a.Port())} }

// AddTo implements stun.Setter. A mapped address stays a long one.
func (p peer) AddTo(m *stun.Message) error {
	if len(p.ip) == net.IPv4len || p.ip.To4() == nil {
		return stun.XORMappedAddress{IP: p.ip, Port: p.port}.AddToAs(m, stun.AttrXORPeerAddress)
	}
	v := make([]byte, 20)
	v[1] = 2
	v[2], v[3] = byte(p.port>>8)^0x21, byte(p.port)^0x12
	key := append([]byte{0x21, 0x12, 0xa4, 0x42}, m.TransactionID[:]...)
	for i := range 16 {
		v[4+i] = p.ip[i] ^ key[i]
	}
	m.Add(stun.AttrXORPeerAddress, v)
	return nil
}

func (c *client) permit(p peer) int {
	c.t.Helper()
	code, _ := c.ask(stun.MethodCreatePermission, p)
	return code
}

func (c *client) bind(p peer, number uint16) int {
	c.t.Helper()
	code, _ := c.ask(stun.MethodChannelBind, p, stun.RawAttribute{
		Type: stun.AttrChannelNumber, Value: []byte{byte(number >> 8), byte(number), 0, 0},
	})
	return code
}

// indicate sends data by an indication.
func (c *client) indicate(p peer, text string) {
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), p,
		stun.RawAttribute{Type: stun.AttrData, Value: []byte(text)})
	require.NoError(c.t, err)
	c.write(m.Raw)
}

// channel sends data on a channel.
func (c *client) channel(number uint16, text string) {
	b := append([]byte{byte(number >> 8), byte(number), byte(len(text) >> 8), byte(len(text))}, text...)
	for c.stream && len(b)%4 != 0 {
		b = append(b, 0)
	}
	c.write(b)
}

func TestABrowserReachesTheWebRTCPortAndNoMore(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			ours := open(t, "127.0.0.1")
			s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
			v := s.Credentials("s1", time.Now())
			assert.Equal(t, []string{"turn:" + s.Addr().String() + "?transport=udp", "turn:" + s.Addr().String() + "?transport=tcp"}, v.URLs)
			assert.WithinDuration(t, time.Now().Add(10*time.Minute), v.Until, 2*time.Second)
			c := dial(t, s, network).as(v)
			require.Zero(t, c.allocate())
			require.Zero(t, c.permit(peerOf(ours.addr())))
			c.indicate(peerOf(ours.addr()), "hello")
			text, from := ours.next()
			assert.Equal(t, "hello", text)
			assert.Equal(t, c.relayed, from, "the port sees the relayed address")
			_, err := ours.WriteToUDPAddrPort([]byte("welcome"), from)
			require.NoError(t, err)
			b, err := c.read(patience)
			require.NoError(t, err)
			assert.Contains(t, string(b), "welcome")

			require.Zero(t, c.bind(peerOf(ours.addr()), 0x4001))
			c.channel(0x4001, "by channel")
			text, _ = ours.next()
			assert.Equal(t, "by channel", text)
			_, err = ours.WriteToUDPAddrPort([]byte("back by channel"), from)
			require.NoError(t, err)
			b, err = c.read(patience)
			require.NoError(t, err)
			assert.Equal(t, "back by channel", string(b[4:4+15]))

			n := s.Counters()
			assert.Equal(t, 1, n.Allocations)
			assert.Equal(t, uint64(15), n.BytesUp)
			assert.Equal(t, uint64(22), n.BytesDown)
			assert.Zero(t, n.Denied+n.Forbidden+n.Strayed+n.Throttled+n.Exhausted)
		})
	}
}

// Behind a translation of addresses the browser knows the port by another
// address than we do.
func TestAPortThatIsKnownByAnotherAddress(t *testing.T) {
	ours, public := open(t, "127.0.0.1"), netip.MustParseAddrPort("203.0.113.7:4000")
	s := listen(t, turnd.Options{
		Peers: []turnd.Peer{{Shown: public, At: ours.addr()}}, Public: public.Addr(),
	})
	v := s.Credentials("s1", time.Now())
	assert.Equal(t, fmt.Sprintf("turn:203.0.113.7:%d?transport=udp", s.Addr().Port()), v.URLs[0])
	c := dial(t, s, "udp").as(v)
	require.Zero(t, c.allocate())
	assert.Equal(t, public.Addr(), c.relayed.Addr())
	require.Equal(t, 403, c.permit(peerOf(ours.addr())), "by its inner address nobody reaches it")
	require.Zero(t, c.bind(peerOf(public), 0x4000))
	c.channel(0x4000, "hello there")
	text, from := ours.next()
	assert.Equal(t, "hello there", text)
	_, err := ours.WriteToUDPAddrPort([]byte("welcome"), from)
	require.NoError(t, err)
	b, err := c.read(patience)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x40, 0}, b[:2], "it comes back on the channel of the shown address")
}

func TestWrongOptionsAreToldAllAtOnce(t *testing.T) {
	_, err := turnd.Listen(turnd.Options{
		Address: "0.0.0.0:3478", TTL: time.Hour, Rate: -1, Secret: []byte("short"),
		Peers: []turnd.Peer{{Shown: netip.MustParseAddrPort("0.0.0.0:1")}},
	})
	require.ErrorIs(t, err, fault.Invalid)
	for _, part := range []string{"relayed sockets need one", "peer 0.0.0.0:1", "at most 10m", "negative", "at least 16"} {
		assert.ErrorContains(t, err, part)
	}
	_, err = turnd.Listen(turnd.Options{Address: "localhost:1"})
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "no peer")
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	_, err = turnd.Listen(turnd.Options{Address: s.Addr().String(), Peers: []turnd.Peer{{Shown: ours.addr()}}})
	require.ErrorIs(t, err, fault.Unavailable, "the port is taken")
}

func TestTheEndLeavesNothing(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	for _, network := range []string{"udp", "tcp"} {
		c := dial(t, s, network).as(s.Credentials("s1", time.Now()))
		require.Zero(t, c.allocate())
	}
	idle := dial(t, s, "tcp")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	n := s.Counters()
	assert.Zero(t, n.Allocations)
	assert.Zero(t, n.Streams)
	_, err := idle.read(patience)
	assert.Error(t, err)
	var timeout net.Error
	assert.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is closed")
}
