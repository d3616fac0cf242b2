package vad

import (
	"errors"
	"math"
	"math/rand"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/media/g711"
)

const frame = 160

func mustNew(t testing.TB, opt Options) *Detector {
	t.Helper()
	d, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// speech is a vowel-like frame: three harmonics that swell as syllables do.
func speech(n int, amplitude float64) []int16 {
	out := make([]int16, frame)
	for i := range out {
		at := float64(n*frame+i) / 8000
		swell := 0.55 + 0.45*math.Sin(2*math.Pi*4*at)
		v := math.Sin(2*math.Pi*140*at) + 0.6*math.Sin(2*math.Pi*560*at) + 0.3*math.Sin(2*math.Pi*1540*at)
		out[i] = int16(amplitude * swell * v / 1.9)
	}
	return out
}

func noise(rnd *rand.Rand, rms float64) []int16 {
	out := make([]int16, frame)
	for i := range out {
		out[i] = int16(rnd.NormFloat64() * rms)
	}
	return out
}

func TestQuietLinesNeverTrigger(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	idle := func(law g711.Law, a, b byte) func(int) []int16 {
		return func(n int) []int16 {
			line := make([]byte, frame)
			for i := range line {
				line[i] = a
				if (n+i)%2 == 1 {
					line[i] = b
				}
			}
			out := make([]int16, frame)
			law.Decode(out, line)
			return out
		}
	}
	tests := map[string]func(n int) []int16{
		"digital silence":         func(int) []int16 { return make([]int16, frame) },
		"µ-law idle":              idle(g711.MuLaw, 0xFF, 0xFF),
		"µ-law idle, both zeros":  idle(g711.MuLaw, 0xFF, 0x7F),
		"µ-law idle, least step":  idle(g711.MuLaw, 0xFE, 0x7E),
		"A-law idle":              idle(g711.ALaw, 0xD5, 0xD5),
		"A-law idle, both signs":  idle(g711.ALaw, 0xD5, 0x55),
		"line noise at -66 dB":    func(int) []int16 { return noise(rnd, 16) },
		"line noise at -60 dB":    func(int) []int16 { return noise(rnd, 32) },
		"an offset of 600":        func(int) []int16 { return constant(600) },
		"noise after silence":     func(n int) []int16 { return noise(rnd, float64(min(n/1000, 1))*32) },
		"one click every seconds": func(n int) []int16 { return click(n) },
	}
	for name, line := range tests {
		t.Run(name, func(t *testing.T) {
			d := mustNew(t, Options{})
			for n := range 60 * 50 {
				if r := d.Push(line(n)); r.On || (r.Voiced && name != "one click every seconds") {
					t.Fatalf("triggered after %v: %+v", time.Duration(n)*20*time.Millisecond, r)
				}
			}
		})
	}
}

func constant(v int16) []int16 {
	out := make([]int16, frame)
	for i := range out {
		out[i] = v
	}
	return out
}

func click(n int) []int16 {
	out := make([]int16, frame)
	if n%50 == 49 {
		out[80] = 20000
	}
	return out
}

func TestSpeechIsHeardInTime(t *testing.T) {
	tests := map[string]struct {
		opt        Options
		noise      float64
		on, off    int // frames after speech begins and after it ends
		wantRawOff int
	}{
		"on a clean line":     {Options{}, 0, 6, 10, 1},
		"in noise at -50 dB":  {Options{}, 100, 6, 10, 1},
		"with other settings": {Options{Start: 40 * time.Millisecond, Stop: 400 * time.Millisecond}, 0, 2, 20, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewSource(2))
			d := mustNew(t, tc.opt)
			for range 250 {
				d.Push(noise(rnd, tc.noise))
			}
			if d.On() {
				t.Fatal("on before anybody spoke")
			}
			on, off, rawOn, rawOff := 0, 0, 0, 0
			for n := range 50 {
				r := d.Push(speech(n, 6000))
				if r.RawOn && rawOn == 0 {
					rawOn = n + 1
				}
				if r.On {
					on = n + 1
				}
			}
			for n := range 50 {
				r := d.Push(noise(rnd, tc.noise))
				if r.RawOff {
					rawOff = n + 1
				}
				if r.Off {
					off = n + 1
				}
			}
			if rawOn != 1 || on != tc.on || off != tc.off || rawOff != tc.wantRawOff {
				t.Errorf("raw on after %d frames, on after %d, raw off after %d, off after %d; want 1, %d, %d, %d",
					rawOn, on, rawOff, off, tc.on, tc.wantRawOff, tc.off)
			}
		})
	}
}

func TestSteadyNoiseIsForgiven(t *testing.T) {
	rnd := rand.New(rand.NewSource(3))
	d := mustNew(t, Options{})
	for range 100 {
		d.Push(noise(rnd, 10))
	}
	last := -1
	for n := range 50 * 10 { // a window opens on a road
		if d.Push(noise(rnd, 400)); d.On() {
			last = n
		}
	}
	if last < 0 || last > 50*5 {
		t.Errorf("a steady noise was taken for speech until %v, want a few seconds", time.Duration(last)*20*time.Millisecond)
	}
	heard := false
	for n := range 50 {
		heard = d.Push(speech(n, 8000)).On || heard
	}
	if !heard {
		t.Error("speech over the noise was not heard")
	}
}

// Who calls from a street is not taken to speak, and who speaks from the first
// frame on is heard, also over the street.
func TestACallFromAStreetOpensWithNoise(t *testing.T) {
	for name, tc := range map[string]struct {
		from   int // frame with the first syllable
		street float64
		on     int // frame after which speech is under way
	}{
		"a street alone":                     {from: -1, street: 400},
		"then somebody":                      {from: 100, street: 400, on: 115},
		"somebody at once":                   {from: 0, on: 10},
		"somebody at once in a quiet street": {from: 0, street: 100, on: 10},
		"after a fade":                       {from: -1, street: 1500},
	} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewSource(5))
			d := mustNew(t, Options{})
			for n := range 50 * 4 {
				f := noise(rnd, tc.street)
				if name == "after a fade" && n == 0 {
					f = noise(rnd, 10)
				}
				if tc.from >= 0 && n >= tc.from {
					for i, v := range speech(n, 8000) {
						f[i] += v
					}
				}
				d.Push(f)
				if street := n > 30 && (tc.from < 0 || n < tc.from); street && d.On() {
					t.Fatalf("noise is speech at %d ms", n*20)
				}
				if tc.from >= 0 && n >= tc.on && !d.On() {
					t.Fatalf("speech is not heard at %d ms", n*20)
				}
			}
		})
	}
}

func TestLongSpeechIsNotForgiven(t *testing.T) {
	d := mustNew(t, Options{})
	off := 0
	for n := range 50 * 20 {
		if d.Push(speech(n, 6000)).Off {
			off++
		}
	}
	if off > 0 {
		t.Errorf("20 s of syllables broke off %d times", off)
	}
}

func TestDropEndsSpeechOnce(t *testing.T) {
	d := mustNew(t, Options{})
	for n := range 20 {
		d.Push(speech(n, 6000))
	}
	if r := d.Drop(); !r.Off || !r.RawOff {
		t.Errorf("dropping a stream in speech gave %+v", r)
	}
	if r := d.Drop(); r.Off || r.RawOff {
		t.Errorf("dropping it again gave %+v", r)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, opt := range map[string]Options{
		"negative rate":  {RateHz: -1},
		"negative start": {Start: -1},
		"no margin":      {MarginDB: -3},
		"not a number":   {FloorDB: math.NaN()},
	} {
		if _, err := New(opt); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want fault.Invalid", name, err)
		}
	}
}

// On and Off, RawOn and RawOff alternate whatever comes in, and agree with the
// state they leave behind.
func TestResultsAlternate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		on, raw := false, false
		for range rapid.IntRange(1, 200).Draw(t, "frames") {
			level := rapid.IntRange(0, 20000).Draw(t, "level")
			f := make([]int16, rapid.IntRange(0, 320).Draw(t, "length"))
			for i := range f {
				f[i] = int16(level * (1 - 2*(i/4%2)))
			}
			r := d.Push(f)
			if r.On && on || r.Off && !on || r.RawOn && raw || r.RawOff && !raw || r.On && r.Off {
				t.Fatalf("%+v while on=%v raw=%v", r, on, raw)
			}
			on = on && !r.Off || r.On
			raw = raw && !r.RawOff || r.RawOn
			if d.On() != on || d.Raw() != raw {
				t.Fatalf("state is on=%v raw=%v, the results say %v and %v", d.On(), d.Raw(), on, raw)
			}
		}
	})
}

func TestNoAllocation(t *testing.T) {
	d := mustNew(t, Options{})
	f := speech(1, 5000)
	if n := testing.AllocsPerRun(200, func() { d.Push(f) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkPush(b *testing.B) {
	d := mustNew(b, Options{})
	f := speech(1, 5000)
	b.ReportAllocs()
	for b.Loop() {
		d.Push(f)
	}
}
