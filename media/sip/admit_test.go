package sip_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/sip"
	"flametree/media/sip/digest"
)

// Who may call under which policy, told by the answer to an INVITE of nobody
// special; a REGISTER is refused by all of them.
func TestStrangers(t *testing.T) {
	trunk := []sip.Trunk{{Name: "carrier", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	other := []sip.Trunk{{Name: "carrier", Prefixes: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}}
	for name, test := range map[string]struct {
		admit  sip.Admit
		trunks []sip.Trunk
		want   string
		trunk  string
	}{
		"open":                   {"", nil, "200 OK", ""},
		"open, from a trunk":     {sip.AdmitOpen, trunk, "200 OK", "carrier"},
		"trunks, from one":       {sip.AdmitTrunks, trunk, "200 OK", "carrier"},
		"trunks, from elsewhere": {sip.AdmitTrunks, other, "403 Forbidden", ""},
		"digest, from a trunk":   {sip.AdmitDigest, trunk, "200 OK", "carrier"},
		"digest, from elsewhere": {sip.AdmitDigest, other, "401 Unauthorized", ""},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(o *sip.Options) {
				o.Admit, o.Trunks, o.Realm, o.Password = test.admit, test.trunks, "bank", knows
			}, func(t *testing.T, s *stage) {
				require.Equal(t, []string{"405 Method Not Allowed"}, statuses(s.say(ask{method: "REGISTER"}.String())))
				got := s.say(invite().String())
				require.Equal(t, []string{test.want}, statuses(got))
				if len(s.invites) > 0 {
					require.Equal(t, test.trunk, s.invites[0].Trunk)
				}
				require.Equal(t, test.want == "200 OK", len(s.invites) == 1, "who is refused reaches nobody")
			})
		})
	}
}

func knows(user string) (string, bool) { return "secret", user == "alice" }

// A stranger with a password is let in once for each nonce count, and known by
// name; a wrong password, a replay and a changed target are not.
func TestCallerWithPassword(t *testing.T) {
	onStage(t, func(o *sip.Options) { o.Admit, o.Realm, o.Password = sip.AdmitDigest, "bank", knows }, func(t *testing.T, s *stage) {
		got := s.say(invite().String())
		require.Equal(t, []string{"401 Unauthorized"}, statuses(got))
		all, err := digest.ParseChallenges(value(got[0], "WWW-Authenticate"))
		require.NoError(t, err)
		require.Equal(t, "SHA-256", all[0].Algorithm)
		s.say(ask{method: "ACK", to: toTag(got[0]), branch: "INVITE1"}.String())
		try := func(cseq int, user, password, uri string, nc uint32) string {
			c, err := all[0].Answer(user, password, digest.Request{Method: "INVITE", URI: uri, CNonce: "c", NC: nc})
			require.NoError(t, err)
			a := invite()
			a.cseq, a.call, a.headers = cseq, fmt.Sprint("call", cseq), []string{"Authorization: " + c.String()}
			return status(s.say(a.String())[0])
		}
		const uri = "sip:bank@192.0.2.1"
		require.Equal(t, "401 Unauthorized", try(2, "alice", "guess", uri, 1))
		require.Equal(t, "401 Unauthorized", try(3, "mallory", "secret", uri, 1))
		require.Equal(t, "401 Unauthorized", try(4, "alice", "secret", "sip:other@192.0.2.1", 1))
		require.Equal(t, "200 OK", try(5, "alice", "secret", uri, 1))
		require.Equal(t, "alice", s.invites[0].Login)
		require.Equal(t, "401 Unauthorized", try(6, "alice", "secret", uri, 1), "a replay")
		require.Equal(t, "200 OK", try(7, "alice", "secret", uri, 2))
		a := invite()
		a.cseq, a.call, a.headers = 8, "call8", []string{`Authorization: Digest username="alice`}
		require.Equal(t, "400 Malformed Authorization", status(s.say(a.String())[0]))
	})
}

// A flood from one address is dropped before it is read, and answered once a
// second at most; calls from elsewhere, and from trunks, go on.
func TestFlood(t *testing.T) {
	h := open(t, func(o *sip.Options) {
		o.Limits = sip.Limits{Invites: 50, Messages: 1000}
		o.Answer = func(ctx context.Context, _ sip.Invite) error { return nil }
		o.Trunks = []sip.Trunk{{Name: "carrier", Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.3/32")}}}
	})
	udp, _ := h.Addrs()
	flooder := from(t, "127.0.0.2")
	const many = 5000
	for i := range many {
		a := invite()
		a.call, a.branch, a.via = fmt.Sprint("flood", i), fmt.Sprint("flood", i), "SIP/2.0/UDP 127.0.0.2;rport"
		if i%50 == 0 { // the socket's buffer is not what is tested
			eventually(t, "read", func() bool { s := h.Stats(); return int(s.Requests+s.Shed) >= i })
		}
		_, err := flooder.WriteTo([]byte(a.String()), net.UDPAddrFromAddrPort(udp))
		require.NoError(t, err)
	}
	eventually(t, "all read", func() bool { s := h.Stats(); return s.Requests+s.Shed >= many })
	shed := h.Stats().Shed
	require.Greater(t, int(shed), many*8/10, "dropped unread")
	t.Logf("figure: %d of %d INVITEs of one source shed, %d answers 503", shed, many, h.Stats().Refused)
	require.Positive(t, h.Stats().Refused)
	require.Less(t, int(h.Stats().Refused), many/100, "answers are few, or they are a weapon")

	for _, ip := range []string{"127.0.0.1", "127.0.0.3"} {
		phone := from(t, ip)
		for i := range 20 {
			a := invite()
			a.call, a.branch, a.via = fmt.Sprint(ip, i), fmt.Sprint(ip, i), "SIP/2.0/UDP "+ip+";rport"
			_, err := phone.WriteTo([]byte(a.String()), net.UDPAddrFromAddrPort(udp))
			require.NoError(t, err)
			require.NoError(t, phone.SetReadDeadline(time.Now().Add(5*time.Second)))
			buf := make([]byte, 4096)
			for text := ""; !strings.HasPrefix(text, "SIP/2.0 200") || !strings.Contains(text, a.call); {
				n, _, err := phone.ReadFrom(buf)
				require.NoError(t, err)
				text = string(buf[:n])
			}
		}
	}
}

func from(t *testing.T, ip string) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", ip+":0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Floods from ever new addresses are bounded in memory, and who was counted
// before them is still counted apart.
func TestForgedSources(t *testing.T) {
	g := sip.NewGate(sip.Options{Limits: sip.Limits{Invites: 10, Messages: 10}})
	now := time.Unix(1, 0)
	known := netip.MustParseAddr("192.0.2.1")
	ok, _ := g.Pass(now, known, true)
	require.True(t, ok)
	passed := 0
	for i := range 20000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if ok, _ := g.Pass(now, a, true); ok {
			passed++
		}
	}
	require.LessOrEqual(t, g.Sources(), 8192)
	require.Less(t, passed, 8192+11, "those beyond the table share one count")
	ok, _ = g.Pass(now, known, true)
	require.True(t, ok)
	later := now.Add(2 * time.Second)
	ok, _ = g.Pass(later, netip.MustParseAddr("192.0.2.99"), true)
	require.True(t, ok)
	require.Less(t, g.Sources(), 10, "old counts were dropped")
}

// Buckets hold a second's worth, refill, are one for a /64, and tell seldom.
func TestBuckets(t *testing.T) {
	g := sip.NewGate(sip.Options{Limits: sip.Limits{Invites: 5, Messages: -1}})
	now := time.Unix(1, 0)
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff")
	count := func(at time.Time, n int) (passed, told int) {
		for i := range n {
			from := a
			if i%2 == 1 {
				from = b
			}
			ok, tell := g.Pass(at, from, true)
			if ok {
				passed++
			}
			if tell {
				told++
			}
		}
		return passed, told
	}
	passed, told := count(now, 100)
	require.Equal(t, []int{5, 1}, []int{passed, told})
	passed, told = count(now.Add(400*time.Millisecond), 100)
	require.Equal(t, []int{2, 0}, []int{passed, told})
	passed, told = count(now.Add(time.Hour), 100)
	require.Equal(t, []int{5, 1}, []int{passed, told})
	for range 10000 {
		ok, _ := g.Pass(now, a, false)
		require.True(t, ok, "no limit on other messages")
	}
}

// What a dropped message costs: the table of a busy gate, no allocation.
func BenchmarkShed(b *testing.B) {
	g := sip.NewGate(sip.Options{Limits: sip.Limits{Invites: 1, Messages: 1}})
	now, a := time.Now(), netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		g.Pass(now, a, true)
	}
}

// Trunks come and go while the endpoint runs.
func TestTrunksAreReplaced(t *testing.T) {
	onStage(t, func(o *sip.Options) { o.Admit = sip.AdmitTrunks }, func(t *testing.T, s *stage) {
		try := func(n int) string {
			a := invite()
			a.cseq, a.call = n, fmt.Sprint("call", n)
			return status(s.say(a.String())[0])
		}
		require.Equal(t, "403 Forbidden", try(1))
		require.NoError(t, s.e.SetTrunks([]sip.Trunk{{Name: "carrier", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")}}}))
		require.Equal(t, "200 OK", try(2))
		require.Error(t, s.e.SetTrunks([]sip.Trunk{{Name: "nowhere"}}))
		require.Equal(t, "200 OK", try(3), "a wrong list changes nothing")
		require.NoError(t, s.e.SetTrunks(nil))
		require.Equal(t, "403 Forbidden", try(4))
	})
}
