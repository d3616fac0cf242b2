package impair

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/engine/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fates are what happens to the first packets of a direction.
func fates(w Weather, way uint64, n int) []fate {
	l := newLane(w, way)
	out := make([]fate, n)
	for i := range out {
		out[i] = l.next()
	}
	return out
}

func TestTheSameSeedIsTheSameWeather(t *testing.T) {
	w := Weather{Seed: 9, Loss: 0.1, Reorder: 0.05, Jitter: 40 * time.Millisecond}
	require.Equal(t, fates(w, 0, 500), fates(w, 0, 500))
	require.NotEqual(t, fates(w, 0, 500), fates(w, 1, 500), "the two directions have a chance of their own")
	other := w
	other.Seed = 10
	require.NotEqual(t, fates(w, 0, 500), fates(other, 0, 500))
}

func TestSharesAreMet(t *testing.T) {
	const n = 20_000
	lost, overtaken := 0, 0
	for _, f := range fates(Weather{Seed: 1, Loss: 0.03, Reorder: 0.02}, 0, n) {
		if f.lost {
			lost++
		}
		if f.overtaken {
			overtaken++
		}
	}
	require.InDelta(t, 0.03, float64(lost)/n, 0.006)
	require.InDelta(t, 0.02, float64(overtaken)/n, 0.005)
}

// TestJitterKeepsTheOrder: only packets that are meant to be overtaken are.
func TestJitterKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := newLane(Weather{
			Seed: rapid.Uint64().Draw(r, "seed"), Jitter: time.Duration(rapid.IntRange(0, 200).Draw(r, "jitter")) * time.Millisecond,
			Delay: time.Duration(rapid.IntRange(0, 100).Draw(r, "delay")) * time.Millisecond, Reorder: 0.1, Loss: 0.1,
		}, 0)
		now, last := time.Unix(0, 0), time.Time{}
		for range 200 {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(r, "apart")) * time.Millisecond)
			due, f := l.take(now)
			if due.Before(now.Add(l.weather.Delay)) {
				r.Fatal("a packet leaves before it may")
			}
			if f.lost || f.overtaken {
				continue
			}
			if due.Before(last) {
				r.Fatal("a packet overtakes another")
			}
			last = due
		}
	})
}

func TestWeatherThatIsNoneIsRefused(t *testing.T) {
	for name, w := range map[string]Weather{
		"loss above 1": {Loss: 1.1}, "loss below 0": {Loss: -0.1}, "delay of minutes": {Delay: time.Minute}, "jitter below 0": {Jitter: -1},
	} {
		_, err := Open(netip.MustParseAddr("127.0.0.1"), netip.AddrPort{}, w)
		require.True(t, errors.Is(err, fault.Invalid), "%s: %v", name, err)
	}
	require.True(t, Weather{Seed: 3}.Zero())
	require.False(t, Weather{Delay: 1}.Zero())
}

func socket(t *testing.T, host string) *net.UDPConn {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestARoadCarriesBothWaysAndNobodyElse sends numbered packets through a road
// that loses some: the others arrive, from the road's own address, and what a
// stranger sends arrives nowhere.
func TestARoadCarriesBothWaysAndNobodyElse(t *testing.T) {
	near, far, stranger := socket(t, "127.0.0.1"), socket(t, "127.0.0.2"), socket(t, "127.0.0.3")
	r, err := Open(netip.MustParseAddr("127.0.0.1"), addr(near), Weather{Seed: 4, Loss: 0.2, Jitter: time.Millisecond})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()); require.NoError(t, r.Close(), "twice") }()
	require.Zero(t, r.Addr().Port()%2, "RTP has the even port")
	to, _ := r.way(addr(near), 0)
	require.False(t, to.IsValid(), "nobody is called yet")
	r.Far(addr(far))
	const n = 200
	out, in := fates(r.weather, 0, n), fates(r.weather, 1, n)
	buf := make([]byte, 100)
	carry := func(i int, from, to *net.UDPConn, f fate) {
		_, err := from.WriteToUDPAddrPort([]byte{byte(i)}, r.Addr())
		require.NoError(t, err)
		if f.lost {
			return
		}
		require.NoError(t, to.SetReadDeadline(time.Now().Add(20*time.Second)))
		k, by, err := to.ReadFromUDPAddrPort(buf)
		require.NoError(t, err, "packet %d", i)
		require.Equal(t, r.Addr(), plain(by))
		require.Equal(t, []byte{byte(i)}, buf[:k], "and not what was lost, or is a stranger's")
	}
	for i := range n {
		_, err := stranger.WriteToUDPAddrPort([]byte("let me in"), r.Addr())
		require.NoError(t, err)
		carry(i, near, far, out[i])
		carry(i, far, near, in[i])
	}
	seen := r.Carried()
	require.InDelta(t, 2*n, seen.Seen, 2, "a stranger is not counted; the last may be lost on their way still")
	require.Positive(t, seen.Lost)
}

// TestControlGoesBesideMedia: RTCP takes the port above, both ways.
func TestControlGoesBesideMedia(t *testing.T) {
	nearMedia, nearControl, err := pair(netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	farMedia, farControl, err := pair(netip.MustParseAddr("127.0.0.2"))
	require.NoError(t, err)
	for _, c := range []*net.UDPConn{nearMedia, nearControl, farMedia, farControl} {
		defer func() { _ = c.Close() }()
	}
	r, err := Open(netip.MustParseAddr("127.0.0.1"), addr(nearMedia), Weather{Delay: time.Millisecond})
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	r.Far(addr(farMedia))
	control := netip.AddrPortFrom(r.Addr().Addr(), r.Addr().Port()+1)
	for _, c := range [][2]*net.UDPConn{{nearControl, farControl}, {farControl, nearControl}} {
		_, err = c[0].WriteToUDPAddrPort([]byte("report"), control)
		require.NoError(t, err)
		require.NoError(t, c[1].SetReadDeadline(time.Now().Add(10*time.Second)))
		buf := make([]byte, 100)
		n, err := c[1].Read(buf)
		require.NoError(t, err)
		require.Equal(t, "report", string(buf[:n]))
	}
}
