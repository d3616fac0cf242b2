package turnd_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/media/turnd"
)

// Addresses that lead inside by some form of writing or another.
func TestAddressesThatAreNotOursAreRefused(t *testing.T) {
	for name, addr := range map[string]string{
		"another of this machine":          "127.0.0.2",
		"loopback written as mapped":       "::ffff:127.0.0.1",
		"private, of 10/8":                 "10.0.0.1",
		"private, of 172.16/12":            "172.16.0.1",
		"private, of 192.168/16":           "192.168.1.1",
		"shared":                           "100.64.0.1",
		"link-local, with somebody's keys": "169.254.169.254",
		"nowhere":                          "0.0.0.0",
		"everybody":                        "255.255.255.255",
		"multicast":                        "224.0.0.251",
		"a stranger in the world":          "203.0.113.9",
		"loopback of IPv6":                 "::1",
		"link-local of IPv6":               "fe80::1",
		"unique local of IPv6":             "fd00::1",
		"loopback behind NAT64":            "64:ff9b::7f00:1",
		"loopback behind a local NAT64":    "64:ff9b:1::7f00:1",
		"loopback behind 6to4":             "2002:7f00:1::",
		"loopback in the old form":         "::127.0.0.1",
		"multicast of IPv6":                "ff02::1",
		"private written as mapped":        "::ffff:10.0.0.1",
	} {
		t.Run(name, func(t *testing.T) {
			for _, at := range []string{"127.0.0.1", "::1"} {
				a := netip.MustParseAddr(addr)
				if a.String() == at {
					continue
				}
				ours := open(t, at)
				s := listen(t, turnd.Options{Address: net.JoinHostPort(at, "0"), Peers: []turnd.Peer{{Shown: ours.addr()}}})
				c := dial(t, s, "udp").as(s.Credentials("s1", time.Now()))
				require.Zero(t, c.allocate())
				p := peer{a.AsSlice(), int(ours.addr().Port())}
				assert.NotZero(t, c.permit(p), "permission on %s", at)
				assert.NotZero(t, c.bind(p, 0x4000), "channel on %s", at)
				require.Zero(t, c.permit(peerOf(ours.addr())), "ours is ours")
			}
		})
	}
}

// Permissions of TURN know addresses, not ports; ours do.
func TestNothingReachesAnyoneElse(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			ours, canary, other := open(t, "127.0.0.1"), open(t, "127.0.0.1"), open(t, "127.0.0.2")
			s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
			c := dial(t, s, network).as(s.Credentials("s1", time.Now()))
			c.indicate(peerOf(canary.addr()), "before there is an allocation")
			require.Zero(t, c.allocate())
			c.indicate(peerOf(canary.addr()), "before there is a permission")
			c.channel(0x4000, "on a channel that is none")
			require.Zero(t, c.permit(peerOf(ours.addr())))
			c.indicate(peerOf(canary.addr()), "with the permission of the address")
			c.indicate(peerOf(other.addr()), "to another address")
			c.indicate(peer{canary.addr().Addr().AsSlice(), 0}, "to no port")
			mapped := netip.AddrFrom16(canary.addr().Addr().As16())
			c.indicate(peer{mapped.AsSlice(), int(canary.addr().Port())}, "mapped")
			c.bind(peerOf(canary.addr()), 0x4002)
			c.channel(0x4002, "on a channel to the same address")
			c.bind(peer{s.Addr().Addr().AsSlice(), int(s.Addr().Port())}, 0x4003)
			c.channel(0x4003, "to the relay itself")
			c.indicate(peerOf(c.relayed), "to its own end")
			c.indicate(peerOf(ours.addr()), "the last") // in order behind all the others
			text, from := ours.next()
			require.Equal(t, "the last", text)
			canary.nothing("another port")
			other.nothing("another address")

			for _, p := range []*port{canary, other} { // and nothing comes from there
				_, err := p.WriteToUDPAddrPort([]byte("from outside"), from)
				require.NoError(t, err)
			}
			_, err := ours.WriteToUDPAddrPort([]byte("from ours"), from)
			require.NoError(t, err)
			for range 20 {
				b, err := c.read(patience)
				require.NoError(t, err)
				require.NotContains(t, string(b), "from outside")
				if strings.Contains(string(b), "from ours") {
					break
				}
			}
			assert.GreaterOrEqual(t, s.Counters().Strayed, uint64(5))
		})
	}
}

func TestWhoHasNoCredentials(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}, Secret: []byte("a secret of sixteen bytes")})
	foreign := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	good := s.Credentials("s1", time.Now())
	other := s.Credentials("s2", time.Now())
	late := s.Credentials("s1", time.Now().Add(-11*time.Minute))
	early := s.Credentials("s1", time.Now().Add(time.Hour))
	for name, v := range map[string]turnd.Servers{
		"no name":                       {},
		"a wrong password":              {Username: good.Username, Credential: "x"},
		"no password":                   {Username: good.Username},
		"another session's password":    {Username: good.Username, Credential: other.Credential},
		"run out":                       late,
		"run out, with a later time":    {Username: good.Username, Credential: late.Credential},
		"good for longer than we give":  early,
		"made with another secret":      foreign.Credentials("s1", time.Now()),
		"without a session":             s.Credentials("", time.Now()),
		"a time that is none":           {Username: "soon:s1", Credential: good.Credential},
		"a time beyond time":            {Username: "99999999999999999999:s1", Credential: good.Credential},
		"before time":                   {Username: "-1:s1", Credential: good.Credential},
		"a name without end":            s.Credentials(strings.Repeat("s", 400), time.Now()),
		"a name that looks like a path": {Username: "../../etc:passwd", Credential: "root"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s, "udp").as(v)
			assert.NotZero(t, c.allocate())
			c.indicate(peerOf(ours.addr()), "nothing was opened")
		})
	}
	n := s.Counters()
	assert.Zero(t, n.Allocations)
	assert.GreaterOrEqual(t, n.Denied, uint64(10))
	c := dial(t, s, "udp").as(good)
	require.Zero(t, c.allocate(), "the right ones still work")
	require.Zero(t, c.permit(peerOf(ours.addr())))
	c.indicate(peerOf(ours.addr()), "the only")
	text, _ := ours.next()
	require.Equal(t, "the only", text)

	c.as(other)
	for _, m := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission} {
		code, _, err := c.try(50*time.Millisecond, m, peerOf(ours.addr()), stun.RawAttribute{Type: stun.AttrLifetime, Value: make([]byte, 4)})
		assert.False(t, err == nil && code == 0, "another session's credentials do nothing with this one's: %v", m)
	}
	assert.Equal(t, 1, s.Counters().Allocations)
}

func TestASessionThatHasEndedHasNothingLeft(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	c := dial(t, s, "udp").as(s.Credentials("s1", time.Now()))
	require.Zero(t, c.allocate())
	other := dial(t, s, "udp").as(s.Credentials("s2", time.Now()))
	require.Zero(t, other.allocate())
	s.Forget("s1")
	require.Eventually(t, func() bool { return s.Counters().Allocations == 1 }, patience, time.Millisecond)
	c = dial(t, s, "udp").as(c.creds())
	assert.NotZero(t, c.allocate(), "its credentials are worth nothing")
	require.Zero(t, other.permit(peerOf(ours.addr())), "the other goes on")
}

func (c *client) creds() turnd.Servers { return turnd.Servers{Username: c.name, Credential: c.secret} }

func TestAFloodOfAllocations(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}, PerSession: 3, Total: 5})
	v := s.Credentials("s1", time.Now())
	codes := map[int]int{}
	for range 10 {
		codes[dial(t, s, "udp").as(v).allocate()]++
	}
	assert.Equal(t, map[int]int{0: 3, 486: 7}, codes)
	v = s.Credentials("s2", time.Now())
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 10 {
		c := dial(t, s, "tcp").as(v)
		all.Go(func() {
			code := c.allocate()
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
		})
	}
	all.Wait()
	assert.Equal(t, 5, codes[0], "five in all, of whatever session")
	assert.Equal(t, 5, s.Counters().Allocations)
}

func TestWhatNoBrowserAsksFor(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	v := s.Credentials("s1", time.Now())
	code, _ := dial(t, s, "tcp").as(v).ask(stun.MethodAllocate, stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{6, 0, 0, 0}})
	assert.Equal(t, 508, code, "a TCP connection to a peer")
	code, _ = dial(t, s, "udp").as(v).ask(stun.MethodAllocate, udpTransport, stun.RawAttribute{Type: stun.AttrEvenPort, Value: []byte{0x80}})
	assert.Equal(t, 508, code, "an even port and its neighbour")
	code, _ = dial(t, s, "udp").as(v).ask(stun.MethodAllocate, udpTransport, stun.RawAttribute{Type: stun.AttrRequestedAddressFamily, Value: []byte{2, 0, 0, 0}})
	assert.Equal(t, 508, code, "the other family of addresses")
	assert.Zero(t, s.Counters().Allocations)
}

func TestNobodySendsFilms(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}, Rate: 10000})
	c := dial(t, s, "tcp").as(s.Credentials("s1", time.Now()))
	require.Zero(t, c.allocate())
	require.Zero(t, c.bind(peerOf(ours.addr()), 0x4000))
	for range 100 {
		c.channel(0x4000, strings.Repeat("x", 1000))
	}
	_, from := ours.next()
	require.Zero(t, c.permit(peerOf(ours.addr())), "requests go on, and what was sent before is done")
	n := s.Counters()
	assert.Positive(t, n.Throttled)
	assert.Less(t, n.BytesUp, uint64(60000))
	for range 100 {
		_, err := ours.WriteToUDPAddrPort(make([]byte, 1000), from)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return s.Counters().Throttled > n.Throttled }, patience, time.Millisecond, "nor is sent any")
}

func TestStreamsThatSpeakSomethingElse(t *testing.T) {
	binding, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	require.NoError(t, err)
	huge := append([]byte(nil), binding.Raw...)
	binary.BigEndian.PutUint16(huge[2:], 65516) // with its header a length of 65536: nothing, in 16 bits
	odd := append([]byte(nil), binding.Raw...)
	odd[3] = 1
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	for name, b := range map[string][]byte{
		"a browser that takes it for a page": []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"TLS":                                {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		"a length of nothing":                huge,
		"a length that is no whole words":    odd,
		"channel data beyond a datagram":     {0x40, 0, 0xff, 0xff, 1, 2, 3},
		"zeros":                              make([]byte, 100),
		"RTP":                                {0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},
		"STUN without its cookie":            append([]byte{0, 1, 0, 0}, make([]byte, 16)...),
		"STUN of a kind that is none":        append([]byte{0x3f, 0xff}, binding.Raw[2:]...),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s, "tcp")
			_, _ = c.conn.Write(b)
			_ = c.conn.(*net.TCPConn).CloseWrite()
			_, err := c.read(patience)
			var timeout net.Error
			require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the stream ends")
		})
	}
	require.Eventually(t, func() bool { return s.Counters().Streams == 0 }, patience, time.Millisecond)
	assert.GreaterOrEqual(t, s.Counters().Malformed, uint64(5))
	require.Zero(t, dial(t, s, "tcp").as(s.Credentials("s1", time.Now())).allocate())
}

func TestStreamsThatComeInCrowdsOrSayNothing(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}, Streams: 8, Idle: 300 * time.Millisecond})
	for range 10 {
		dial(t, s, "tcp")
	}
	require.Eventually(t, func() bool { return s.Counters().Exhausted >= 8 }, patience, time.Millisecond, "a quarter is for one address")
	assert.LessOrEqual(t, s.Counters().Streams, 2)
	require.Eventually(t, func() bool { return s.Counters().Streams == 0 }, patience, time.Millisecond, "who says nothing is left")
}

// A frame in pieces, and several in one.
func TestStreamsAreCutRight(t *testing.T) {
	ours := open(t, "127.0.0.1")
	s := listen(t, turnd.Options{Peers: []turnd.Peer{{Shown: ours.addr()}}})
	c := dial(t, s, "tcp").as(s.Credentials("s1", time.Now()))
	require.Zero(t, c.allocate())
	require.Zero(t, c.bind(peerOf(ours.addr()), 0x4000))
	var all []byte
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{5, 160, 7, 1200, 33, 3, 0, 80}
	for _, n := range sizes {
		b := append([]byte{0x40, 0, byte(n >> 8), byte(n)}, make([]byte, (n+3)/4*4)...)
		all = append(all, b...)
	}
	for len(all) > 0 {
		n := min(1+r.IntN(50), len(all))
		c.write(all[:n])
		all = all[n:]
	}
	for _, n := range sizes {
		if n < 5 {
			continue // carries nothing
		}
		text, _ := ours.next()
		assert.Len(t, text, n)
	}
}

func FuzzDatagrams(f *testing.F) {
	request, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest), udpTransport,
		stun.NewUsername("1:s"), stun.NewRealm("flametree"), stun.NewNonce("n"), stun.NewLongTermIntegrity("1:s", "flametree", "p"))
	require.NoError(f, err)
	f.Add(request.Raw)
	f.Add([]byte{0x40, 0, 0, 4, 1, 2, 3, 4})
	f.Add([]byte("GET / HTTP/1.1"))
	f.Add(append([]byte{0, 1, 0xff, 0xec, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...))
	ours, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(f, err)
	defer func() { _ = ours.Close() }()
	s, err := turnd.Listen(turnd.Options{Address: "127.0.0.1:0", Peers: []turnd.Peer{{Shown: ours.LocalAddr().(*net.UDPAddr).AddrPort()}}})
	require.NoError(f, err)
	defer func() { _ = s.Close() }()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, network := range []string{"udp", "tcp"} {
			c := dial(t, s, network)
			_, _ = c.conn.Write(b)
			_ = c.conn.Close()
		}
		c := dial(t, s, "udp")
		m, err := stun.Build(stun.TransactionID, stun.BindingRequest)
		require.NoError(t, err)
		c.write(m.Raw)
		_, err = c.answer(m.TransactionID, patience)
		require.NoError(t, err, "the server answers on")
		require.Zero(t, s.Counters().Opened)
	})
}
