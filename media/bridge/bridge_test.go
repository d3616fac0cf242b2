package bridge_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/actors"
	"flametree/media/bridge"
)

func frame(v int16) []int16 {
	f := make([]int16, 320)
	for i := range f {
		f[i] = v
	}
	return f
}

func TestFramesPassInOrder(t *testing.T) {
	var r bridge.Ring
	out := make([]int16, 320)
	require.False(t, r.Take(out), "nothing was put")
	r.Put(frame(1))
	require.False(t, r.Take(out), "one frame of lead lies between the clocks")
	r.Put(frame(2))
	for want := int16(1); want <= 2; want++ {
		require.True(t, r.Take(out))
		require.Equal(t, want, out[319])
	}
	require.False(t, r.Take(out), "it has run dry")
	r.Put(frame(3))
	require.False(t, r.Take(out), "and fills again first")
}

func TestARingThatNobodyEmptiesKeepsTheNewest(t *testing.T) {
	var r bridge.Ring
	for v := range int16(50) {
		r.Put(frame(v))
	}
	out := make([]int16, 320)
	require.True(t, r.Take(out))
	require.Equal(t, int16(44), out[0])
	require.Equal(t, uint64(44), r.Dropped())
}

// TestAnyPhaseOfTheClocks: two clocks of one rate lose nothing, whatever lies
// between their slots.
func TestAnyPhaseOfTheClocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r bridge.Ring
		out := make([]int16, 320)
		next, last := int16(0), int16(-1)
		for range 500 {
			before := rapid.Bool().Draw(t, "put first")
			if before {
				r.Put(frame(next))
				next++
			}
			if r.Take(out) {
				if out[0] != last+1 {
					t.Fatalf("frame %d after %d", out[0], last)
				}
				last = out[0]
			}
			if !before {
				r.Put(frame(next))
				next++
			}
			if behind := next - last; behind > 4 {
				t.Fatalf("%d frames behind", behind)
			}
		}
	})
}

func TestWhoListensHearsBothSides(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		leg := new(filled)
		sink, stop := bridge.Studio{}.Monitor(leg, rate)
		n := rate / 50
		left, right := make([]int16, n), make([]int16, n)
		var heard []int16
		for f := range 50 {
			for i := range n {
				at := float64(f*n+i) / float64(rate)
				left[i] = int16(4000 * math.Sin(2*math.Pi*440*at))
				right[i] = int16(4000 * math.Sin(2*math.Pi*1000*at))
			}
			sink(left, right)
			out := make([]int16, 320)
			if leg.src != nil && leg.src(out) {
				heard = append(heard, out...)
			}
		}
		require.Greater(t, len(heard), 40*320)
		require.Greater(t, power(heard, 440), 20*power(heard, 700), "the caller is heard at %d Hz", rate)
		require.Greater(t, power(heard, 1000), 20*power(heard, 700), "the agent is heard at %d Hz", rate)
		sink(nil, nil)
		stop()
		require.Nil(t, leg.src)
	}
}

// filled is a leg that keeps what fills it.
type filled struct {
	actors.Leg
	src func([]int16) bool
}

func (f *filled) Fill(src func([]int16) bool) { f.src = src }

func TestMusicGoesRoundAndEnds(t *testing.T) {
	leg := new(filled)
	stop := bridge.Studio{Tune: []int16{1, 2, 3}}.Music(leg)
	out := make([]int16, 4)
	require.True(t, leg.src(out))
	require.Equal(t, []int16{1, 2, 3, 1}, out)
	stop()
	stop()
	require.Nil(t, leg.src)
	require.NotPanics(t, func() { bridge.Studio{}.Music(leg)() })
	tune := bridge.Melody()
	require.InDelta(t, 9.6, float64(len(tune))/16000, 1)
	loudest := int16(0)
	for _, v := range tune {
		loudest = max(loudest, v)
	}
	require.Greater(t, loudest, int16(1000))
	require.Less(t, loudest, int16(8000), "one can speak over it")
}

// power is that of one frequency at 16 kHz.
func power(in []int16, hz float64) float64 {
	var re, im float64
	for i, v := range in {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / 16000)
		re, im = re+float64(v)*c, im+float64(v)*s
	}
	return re*re + im*im
}
