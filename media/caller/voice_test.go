package caller

import (
	"math"
	"testing"
)

func TestAnyCodecCarriesATone(t *testing.T) {
	for _, name := range []string{"opus", "G722", "PCMA", "PCMU"} {
		from, err := newVoice(name, "")
		if err != nil {
			t.Fatal(err)
		}
		to, err := newVoice(name, "")
		if err != nil {
			t.Fatal(err)
		}
		var heard []int16
		for n := range 100 {
			f := make([]int16, frame)
			for i := range f {
				f[i] = int16(8000 * math.Sin(2*math.Pi*600*float64(n*frame+i)/RateHz))
			}
			heard = append(heard, to.decode(from.encode(f))...)
		}
		if len(heard) != 100*frame {
			t.Errorf("%s: %d samples of %d", name, len(heard), 100*frame)
		}
		var re, im float64
		tail := heard[len(heard)/2:]
		for i, v := range tail {
			a := 2 * math.Pi * 600 * float64(i) / RateHz
			re, im = re+float64(v)*math.Cos(a), im+float64(v)*math.Sin(a)
		}
		if got := 2 * math.Hypot(re, im) / float64(len(tail)); math.Abs(20*math.Log10(got/8000)) > 2 {
			t.Errorf("%s: the tone has %.0f of 8000", name, got)
		}
		if got := to.ticks() * frame; got != to.codec.ClockHz/50 {
			t.Errorf("%s: a frame lasts %d ticks", name, got)
		}
	}
	if _, err := newVoice("speex", ""); err == nil {
		t.Error("speex is taken")
	}
}
