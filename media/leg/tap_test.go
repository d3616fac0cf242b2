package leg

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
)

// taken keeps what a tap shows.
type taken struct {
	mu  sync.Mutex
	all []actors.Packet
}

func (k *taken) take(p actors.Packet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p.Raw = bytes.Clone(p.Raw)
	k.all = append(k.all, p)
}

// kinds counts packets by payload type and way; 200 stands for RTCP.
func (k *taken) kinds(own netip.AddrPort) map[[2]int]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[[2]int]int{}
	for _, p := range k.all {
		way := 0
		if p.From == own {
			way = 1
		}
		kind := int(p.Raw[1] & 0x7F)
		if p.Raw[1] >= 192 && p.Raw[1] <= 223 {
			kind = 200
		}
		out[[2]int{kind, way}]++
	}
	return out
}

// TestATapNeverShowsAKey presses keys both ways on a call that is tapped: sound
// is shown with the real addresses, events are not.
func TestATapNeverShowsAKey(t *testing.T) {
	h := newHouse(t)
	a, b := h.leg(func(o *Options) { o.Terms.DTMFType = 101 }), h.leg(func(o *Options) { o.Terms.DTMFType = 101 })
	a.conn.SetRemote(b.conn.Local())
	b.conn.SetRemote(a.conn.Local())
	var k taken
	a.Tap(k.take)
	a.Start(func(actors.Fact) {})
	b.Start(func(actors.Fact) {})
	require.NoError(t, a.Press('5', 0))
	require.NoError(t, b.Press('7', 0))
	own := a.conn.Local()
	require.Eventually(t, func() bool { n := k.kinds(own); return n[[2]int{0, 0}] > 50 && n[[2]int{0, 1}] > 50 }, 10*time.Second, 20*time.Millisecond)
	for kind, n := range k.kinds(own) {
		require.NotEqual(t, 101, kind[0], "%d packets with a key", n)
	}
	k.mu.Lock()
	first := k.all[0]
	k.mu.Unlock()
	require.ElementsMatch(t, []netip.AddrPort{own, b.conn.Local()}, []netip.AddrPort{first.From, first.To})
	a.Tap(nil)
	k.mu.Lock()
	n := len(k.all)
	k.mu.Unlock()
	sent := a.Stats().Sent
	require.Eventually(t, func() bool { return a.Stats().Sent > sent+20 }, 10*time.Second, 20*time.Millisecond)
	k.mu.Lock()
	defer k.mu.Unlock()
	require.LessOrEqual(t, len(k.all), n+2, "a tap that was switched off sees nothing more")
}
