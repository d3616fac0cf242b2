package callsee_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/media/line"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
)

// phone is somebody with a telephone who hums one tone all the time. He answers
// every call.
type phone struct {
	t    *testing.T
	e    *sip.Endpoint
	hz   float64
	call *sip.Call // of the one that he placed

	mu    sync.Mutex
	heard []int16 // 16 kHz
	calls []*sip.Call
	ended int
}

func newPhone(t *testing.T, hz float64) *phone {
	t.Helper()
	ports, err := rtp.NewPool(0, 0)
	require.NoError(t, err)
	wheel := pacer.New(pacer.Options{Shards: 1})
	p := &phone{t: t, hz: hz}
	p.e, err = sip.Listen(context.Background(), sip.Options{
		Codecs: []string{"PCMU"}, // Opus takes an endless tone for noise, and pauses
		UDP:    "127.0.0.1:0", NewMedia: line.Maker{Ports: ports, Wheel: wheel}.New,
		Answer: func(_ context.Context, inv sip.Invite) error {
			p.talk(inv.Call)
			return nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, p.e.Close())
		require.NoError(t, wheel.Close())
	})
	return p
}

func (p *phone) uri() string {
	udp, _ := p.e.Addrs()
	return fmt.Sprintf("sip:phone@%s", net.JoinHostPort(udp.Addr().String(), fmt.Sprint(udp.Port())))
}

// talk hums, and notes what is heard.
func (p *phone) talk(c *sip.Call) {
	p.mu.Lock()
	p.calls = append(p.calls, c)
	p.mu.Unlock()
	c.Start(func(f actors.Fact) {
		if f.Kind == actors.FactLineEnded {
			p.mu.Lock()
			p.ended++
			p.mu.Unlock()
		}
	})
	leg := c.Leg().(interface {
		actors.Leg
		Fill(src func([]int16) bool)
	})
	n := 0
	leg.Fill(func(frame []int16) bool {
		for i := range frame {
			frame[i] = int16(8000 * math.Sin(2*math.Pi*p.hz*float64(n)/16000))
			n++
		}
		return p.hz > 0
	})
	leg.Hear(func(frame []int16) {
		p.mu.Lock()
		p.heard = append(p.heard, frame...)
		p.mu.Unlock()
	}, 0)
	leg.Start(func(actors.Fact) {})
}

// dial calls somebody.
func (p *phone) dial(to, from string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	c, err := p.e.Dial(ctx, to, sip.DialOptions{From: from, Codecs: []string{"PCMU"}})
	require.NoError(p.t, err)
	p.call = c
	p.talk(c)
}

func (p *phone) hangUp(n int) {
	p.mu.Lock()
	c := p.calls[n]
	p.mu.Unlock()
	c.Hangup("completed")
}

// gone reports how often the other side hung up.
func (p *phone) gone() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// lately waits for d of sound and gives it.
func (p *phone) lately(d time.Duration) []int16 {
	p.t.Helper()
	p.mu.Lock()
	from := len(p.heard)
	p.mu.Unlock()
	want := int(d * 16000 / time.Second)
	var out []int16
	require.Eventually(p.t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		out = append([]int16(nil), p.heard[from:]...)
		return len(out) >= want
	}, 20*time.Second, 20*time.Millisecond)
	return out[:want]
}

// level is how loud one frequency is, in dB: the median of stretches of 100 ms,
// because a frame that a busy machine loses breaks the tone.
func level(in []int16, rate, hz float64) float64 {
	var all []float64
	for n := int(rate / 10); len(in) >= n; in = in[n:] {
		all = append(all, stretch(in[:n], rate, hz))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func stretch(in []int16, rate, hz float64) float64 {
	var re, im, norm float64
	for i, v := range in {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(in))) // Hann: no leaks into others
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		re, im, norm = re+w*float64(v)*c, im+w*float64(v)*s, norm+w
	}
	return 20 * math.Log10(2*math.Hypot(re, im)/norm+1e-3)
}

// hears proves that one tone is heard and another is not: 40 dB down.
func hears(t *testing.T, who string, in []int16, rate, tone, not float64) {
	t.Helper()
	is, other := level(in, rate, tone), level(in, rate, not)
	t.Logf("figure: %s: %.0f Hz at %.1f dB, %.0f Hz at %.1f dB", who, tone, is, not, other)
	require.Greater(t, is, 60.0, "%s hears %v Hz", who, tone)
	require.Less(t, other, is-40, "%s does not hear %v Hz", who, not)
}
