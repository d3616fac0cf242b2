package noise

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/media/pcm"
)

func power(s []int16) float64 {
	sum := 0.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(s))
}

func TestHissHasTheLevelThatIsDescribed(t *testing.T) {
	for name, payload := range map[string][]byte{
		"white, loud":        {30},
		"white, soft":        {65},
		"shaped like a room": {45, 20, 180, 100, 140},
		"ringing":            {50, 0, 240, 10},
	} {
		d, err := Parse(payload)
		if err != nil {
			t.Fatal(err)
		}
		var g Generator
		g.Set(d)
		s := make([]int16, 80000)
		g.Fill(s)
		if got, want := 10*math.Log10(power(s)/32768/32768), -float64(payload[0]); math.Abs(got-want) > 1 {
			t.Errorf("%s: %.1f dB, want %.0f", name, got, want)
		}
	}
}

// The first coefficient says how much a sample is like the one before it.
func TestHissHasTheShapeThatIsDescribed(t *testing.T) {
	for name, tc := range map[string]struct {
		coefficient byte
		want        float64
	}{"dark": {20, 107 * 258. / 32768}, "bright": {234, -107 * 258. / 32768}, "white": {127, 0}} {
		d, err := Parse([]byte{40, tc.coefficient})
		if err != nil {
			t.Fatal(err)
		}
		var g Generator
		g.Set(d)
		s := make([]int16, 80000)
		g.Fill(s)
		var like float64
		for i := 1; i < len(s); i++ {
			like += float64(s[i]) * float64(s[i-1])
		}
		if got := like / power(s) / float64(len(s)); math.Abs(got-tc.want) > 0.05 {
			t.Errorf("%s: a sample is like the one before by %.2f, want %.2f", name, got, tc.want)
		}
	}
}

func TestSilence(t *testing.T) {
	var g Generator
	s := []int16{1, 2, 3}
	g.Fill(s)
	if power(s) != 0 {
		t.Error("a generator that was told nothing hisses")
	}
	g.Set(Quiet())
	s[1] = 5
	if g.Fill(s); power(s) != 0 {
		t.Error("a quiet line hisses")
	}
	if _, err := Parse(nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("an empty payload: %v, want fault.Invalid", err)
	}
}

func TestWhatIsMeasuredIsHeardAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		level := rapid.IntRange(10, 70).Draw(rt, "level")
		var g Generator
		g.Set(Description{Level: uint8(level)})
		s := make([]int16, 8000)
		g.Fill(s)
		var b [1]byte
		if n := Measure(s).Put(b[:]); n != 1 || math.Abs(float64(b[0])-float64(level)) > 1 {
			rt.Fatalf("%d bytes, level %d, want %d", n, b[0], level)
		}
	})
	if got := Measure(make([]int16, 160)).Level; got != 127 {
		t.Errorf("silence has level %d, want 127", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{50})
	f.Add([]byte{0, 255, 0, 255, 0, 254, 1, 127, 200, 9, 255, 255, 255})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			return
		}
		var g Generator
		g.Set(d)
		s := make([]int16, 4*pcm.Samples(pcm.FrameTime, pcm.WireHz))
		g.Fill(s)
		for _, k := range d.Shape[:d.Shaped] {
			if math.Abs(k) >= 1 {
				t.Fatalf("coefficient %v rings for ever", k)
			}
		}
	})
}
