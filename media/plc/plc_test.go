package plc

import (
	"math"
	"math/rand"
	"slices"
	"testing"

	"flametree/media/pcm"
)

const frame = 160

func voice(from, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		at := float64(from+i) / 8000
		out[i] = int16(6000*math.Sin(2*math.Pi*125*at) + 2500*math.Sin(2*math.Pi*875*at))
	}
	return out
}

func primed(t testing.TB) *Concealer {
	t.Helper()
	c := New(pcm.WireHz)
	for n := range 10 {
		c.Good(voice(n*frame, frame))
	}
	return c
}

// One lost frame of a steady vowel should sound as the vowel would have.
func TestOneLostFrameSoundsLikeItsNeighbours(t *testing.T) {
	c := primed(t)
	got := make([]int16, frame)
	c.Lost(got)
	want := voice(10*frame, frame)
	var wrong, power float64
	for i := range 80 { // before the fade
		d := float64(got[i]) - float64(want[i])
		wrong += d * d
		power += float64(want[i]) * float64(want[i])
	}
	if snr := 10 * math.Log10(power/wrong); snr < 12 {
		t.Errorf("the concealment is %.1f dB from the vowel, want 12", snr)
	}
}

func TestConcealmentFadesAndEndsAfterSixtyMilliseconds(t *testing.T) {
	c := primed(t)
	var levels []float64
	out := make([]int16, frame)
	for range 6 {
		c.Lost(out)
		levels = append(levels, pcm.LevelDB(out))
	}
	if levels[0] < 65 {
		t.Errorf("the first concealed frame is only %.1f dB", levels[0])
	}
	for i := 1; i < 3; i++ {
		if levels[i] >= levels[i-1]-1 {
			t.Errorf("frame %d is %.1f dB after %.1f: no fade", i, levels[i], levels[i-1])
		}
	}
	for i := 3; i < 6; i++ {
		if levels[i] > 35 {
			t.Errorf("frame %d, past 60 ms, is still %.1f dB", i, levels[i])
		}
	}
}

func TestComfortNoiseFollowsTheLine(t *testing.T) {
	rnd := rand.New(rand.NewSource(5))
	for name, rms := range map[string]float64{"silent line": 0, "hissing line": 20} {
		t.Run(name, func(t *testing.T) {
			c := New(pcm.WireHz)
			for range 500 {
				f := make([]int16, frame)
				for i := range f {
					f[i] = int16(rnd.NormFloat64() * rms)
				}
				c.Good(f)
			}
			out := make([]int16, frame)
			for range 10 {
				c.Lost(out)
			}
			want := 10 * math.Log10(rms*rms+1)
			if got := pcm.LevelDB(out); math.Abs(got-want) > 4 {
				t.Errorf("comfort noise is %.1f dB, the line %.1f", got, want)
			}
		})
	}
}

func TestReturnHasNoStep(t *testing.T) {
	c := primed(t)
	out := make([]int16, frame)
	c.Lost(out)
	back := voice(11*frame+40, frame) // out of phase on purpose
	last := out[frame-1]
	c.Good(back)
	steepest := 0.0
	for i := range 60 {
		steepest = max(steepest, math.Abs(float64(back[i])-float64(last)))
		last = back[i]
	}
	if steepest > 4500 {
		t.Errorf("a step of %.0f where the real audio comes back", steepest)
	}
}

func TestSilenceBeforeTheFirstFrame(t *testing.T) {
	out := voice(0, frame)
	New(pcm.WireHz).Lost(out)
	if pcm.Power(out) != 0 {
		t.Error("something was invented before anything was heard")
	}
}

func TestResetAndRepeatability(t *testing.T) {
	run := func(c *Concealer) []int16 {
		for n := range 5 {
			c.Good(voice(n*frame, frame))
		}
		var all []int16
		out := make([]int16, frame)
		for range 5 {
			c.Lost(out)
			all = append(all, out...)
		}
		return all
	}
	c := New(pcm.WireHz)
	first := run(c)
	c.Reset()
	if !slices.Equal(first, run(c)) {
		t.Error("after Reset the same stream is concealed otherwise")
	}
}

func TestNoAllocation(t *testing.T) {
	c := primed(t)
	f, out := voice(0, frame), make([]int16, frame)
	if n := testing.AllocsPerRun(100, func() { c.Lost(out); c.Good(f) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkLost(b *testing.B) {
	c := primed(b)
	f, out := voice(0, frame), make([]int16, frame)
	b.ReportAllocs()
	for b.Loop() {
		c.Lost(out)
		c.Good(f)
	}
}

// At 16 kHz the pitch is found as well, with what lies above the telephone.
func TestAWideVowelIsConcealed(t *testing.T) {
	vowel := func(from, n int) []int16 {
		out := make([]int16, n)
		for i := range out {
			at := float64(from+i) / 16000
			out[i] = int16(6000*math.Sin(2*math.Pi*125*at) + 1500*math.Sin(2*math.Pi*5125*at))
		}
		return out
	}
	c := New(16000)
	for n := range 10 {
		c.Good(vowel(n*320, 320))
	}
	got := make([]int16, 320)
	c.Lost(got)
	want := vowel(10*320, 320)
	var wrong, power float64
	for i := range 160 { // before the fade
		d := float64(got[i]) - float64(want[i])
		wrong += d * d
		power += float64(want[i]) * float64(want[i])
	}
	if snr := 10 * math.Log10(power/wrong); snr < 10 {
		t.Errorf("the concealment is %.1f dB from the vowel, want 10", snr)
	}
}
