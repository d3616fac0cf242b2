package resample

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"flametree/engine/fault"
	"flametree/media/pcm"
)

func tone(n int, hz, rate, amplitude float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/rate)))
	}
	return out
}

// strength is the amplitude of one frequency in s, with a Hann window against
// leaking from its neighbours.
func strength(s []int16, hz, rate float64) float64 {
	var re, im, sum float64
	for i, v := range s {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(s)))
		a := 2 * math.Pi * hz * float64(i) / rate
		re += w * float64(v) * math.Cos(a)
		im += w * float64(v) * math.Sin(a)
		sum += w
	}
	return 2 * math.Hypot(re, im) / sum
}

func db(ratio float64) float64 { return 20 * math.Log10(ratio) }

func mustNew(t testing.TB, from, to int) *Resampler {
	t.Helper()
	r, err := New(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestToneIsKept(t *testing.T) {
	for _, rates := range [][2]int{{8000, 16000}, {16000, 8000}, {22050, 8000}, {24000, 8000}, {44100, 8000}, {48000, 8000}, {11025, 16000}, {8000, 48000}} {
		for _, hz := range []float64{200, 1000, 2500, 3200} {
			t.Run(fmt.Sprintf("%d to %d at %.0f Hz", rates[0], rates[1], hz), func(t *testing.T) {
				from, to := float64(rates[0]), float64(rates[1])
				out := mustNew(t, rates[0], rates[1]).Process(nil, tone(rates[0], hz, from, 10000))
				out = out[len(out)/4:]
				if off := db(strength(out, hz, to) / 10000); math.Abs(off) > 0.5 {
					t.Errorf("the tone came out %.2f dB off", off)
				}
			})
		}
	}
}

// Doubling the rate must not leave the mirror of the tone above the old band,
// halving it must not fold what lies above the new one.
func TestImagesAndAliasesAreGone(t *testing.T) {
	tests := map[string]struct {
		from, to  int
		hz, ghost float64
	}{
		"up, low tone":           {8000, 16000, 500, 7500},
		"up, middle tone":        {8000, 16000, 1500, 6500},
		"up, high tone":          {8000, 16000, 3300, 4700},
		"down, 5 kHz folds to 3": {16000, 8000, 5000, 3000},
		"down, 6 kHz folds to 2": {16000, 8000, 6000, 2000},
		"down, 7.5 folds to 0.5": {16000, 8000, 7500, 500},
		"22.05 kHz, 6 kHz":       {22050, 8000, 6000, 2000},
		"48 kHz, 9 kHz":          {48000, 8000, 9000, 1000},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			out := mustNew(t, tc.from, tc.to).Process(nil, tone(tc.from, tc.hz, float64(tc.from), 16000))
			out = out[len(out)/4:]
			if got := db(strength(out, tc.ghost, float64(tc.to)) / 16000); got > -50 {
				t.Errorf("the ghost at %.0f Hz is only %.1f dB down, want 50", tc.ghost, -got)
			}
		})
	}
}

func TestPiecesOfAnySizeGiveTheSameStream(t *testing.T) {
	rnd := rand.New(rand.NewSource(7))
	in := make([]int16, 20000)
	for i := range in {
		in[i] = int16(rnd.Intn(20000) - 10000)
	}
	for _, rates := range [][2]int{{8000, 16000}, {16000, 8000}, {22050, 8000}, {8000, 8000}} {
		whole := mustNew(t, rates[0], rates[1]).Process(nil, in)
		r := mustNew(t, rates[0], rates[1])
		var pieces []int16
		for rest := in; len(rest) > 0; {
			n := min(rnd.Intn(400)+1, len(rest))
			pieces = r.Process(pieces, rest[:n])
			rest = rest[n:]
		}
		if !slices.Equal(whole, pieces) {
			t.Errorf("%v: cut into pieces the stream differs", rates)
		}
		if want := len(in) * rates[1] / rates[0]; len(whole) < want || len(whole) > want+1 {
			t.Errorf("%v: %d samples out, want %d", rates, len(whole), want)
		}
	}
}

func TestLoudInputIsClippedNotWrapped(t *testing.T) {
	in := make([]int16, 800)
	for i := range in {
		in[i] = math.MaxInt16
		if i/40%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	out := mustNew(t, 8000, 16000).Process(nil, in)
	for i := 200; i < len(out); i++ {
		if step := int(out[i]) - int(out[i-1]); step > 50000 || step < -50000 {
			t.Fatalf("sample %d jumps by %d", i, step)
		}
	}
}

func TestResetForgets(t *testing.T) {
	r := mustNew(t, 16000, 8000)
	first := r.Process(nil, tone(1000, 700, 16000, 9000))
	r.Process(nil, tone(333, 900, 16000, 9000))
	r.Reset()
	if again := r.Process(nil, tone(1000, 700, 16000, 9000)); !slices.Equal(first, again) {
		t.Error("after Reset the same input gives another output")
	}
}

func TestOddRates(t *testing.T) {
	tests := map[string]struct {
		from, to int
		ok       bool
	}{
		"telephone to ear":    {8000, 16000, true},
		"compact disc":        {44100, 8000, true},
		"zero":                {0, 8000, false},
		"negative":            {-8000, 8000, false},
		"beyond sound cards":  {384000, 8000, false},
		"primes, huge filter": {191999, 191993, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(tc.from, tc.to)
			if (err == nil) != tc.ok {
				t.Fatalf("New(%d, %d): %v", tc.from, tc.to, err)
			}
			if err != nil && !errors.Is(err, fault.Invalid) {
				t.Fatalf("%v is not fault.Invalid", err)
			}
		})
	}
}

func TestNoAllocationAFrame(t *testing.T) {
	for _, rates := range [][2]int{{8000, 16000}, {16000, 8000}, {22050, 8000}} {
		r := mustNew(t, rates[0], rates[1])
		in := make([]int16, rates[0]/50)
		out := make([]int16, 0, r.MaxOut(len(in)))
		if n := testing.AllocsPerRun(200, func() { out = r.Process(out[:0], in) }); n != 0 {
			t.Errorf("%v: %v allocations a frame", rates, n)
		}
	}
}

func BenchmarkProcess(b *testing.B) {
	for _, rates := range [][2]int{{8000, 16000}, {16000, 8000}, {22050, 8000}} {
		b.Run(fmt.Sprintf("%d-%d", rates[0], rates[1]), func(b *testing.B) {
			r := mustNew(b, rates[0], rates[1])
			in := tone(rates[0]/50, 700, float64(rates[0]), 9000)
			out := make([]int16, 0, r.MaxOut(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				out = r.Process(out[:0], in)
			}
		})
	}
}

// TestDoublingIsTheSameFilter: the short way of twice the rate gives what the
// filter gives tap by tap, but for the last bit.
func TestDoublingIsTheSameFilter(t *testing.T) {
	r := mustNew(t, 8000, 16000)
	random := rand.New(rand.NewSource(3))
	in := make([]int16, 1000)
	for i := range in {
		in[i] = int16(random.Intn(30000) - 15000)
	}
	got := r.Process(nil, in)
	padded := append(make([]float32, r.taps-1), make([]float32, len(in))...)
	for i, s := range in {
		padded[r.taps-1+i] = float32(s)
	}
	for i := range in {
		window := padded[i : i+r.taps]
		for phase := range 2 {
			want := pcm.Clip(dot(r.coef[phase*r.taps:][:r.taps], window))
			if off := int(got[2*i+phase]) - int(want); off < -1 || off > 1 {
				t.Fatalf("sample %d, phase %d: %d, want %d", i, phase, got[2*i+phase], want)
			}
		}
	}
}
