package quality

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

func TestPublishedPoints(t *testing.T) {
	// G.107 annex B, table B.1: the rating and the score it stands for.
	for r, want := range map[float64]float64{90: 4.34, 80: 4.03, 70: 3.60, 60: 3.10, 50: 2.58, 0: 1, 100: 4.5} {
		if got := opinion(r); math.Abs(got-want) > 0.01 {
			t.Errorf("R %.0f is %.3f, want %.2f", r, got, want)
		}
	}
	tests := map[string]struct {
		line   Line
		r, mos float64 // 0: not compared
	}{
		// G.107 7.7: the defaults.
		"all at its default": {Line{Codec: "PCMA"}, 93.2, 4.41},
		// Ie,eff of G.711 with concealment, Bpl 25.1 (G.113 table I.3).
		"2 % loss by chance":       {Line{Codec: "PCMU", Loss: 0.02}, 93.2 - 95*2/27.1, 4.24},
		"5 % loss by chance":       {Line{Codec: "PCMU", Loss: 0.05}, 93.2 - 95*5/30.1, 3.92},
		"the same in bursts of 2":  {Line{Codec: "PCMU", Loss: 0.05, Burst: 2}, 93.2 - 95*5/27.6, 0},
		"150 ms to the ear":        {Line{Delay: 150 * ms}, 89.6, 0},
		"400 ms to the ear":        {Line{Delay: 400 * ms}, 93.2 - 9.6 - 24.497, 0},
		"G.722, nothing lost":      {Line{Codec: "G722"}, 116, 4.34},
		"half of it repaired":      {Line{Codec: "PCMA", Loss: 0.04, Repaired: 0.5}, 93.2 - 95*2/27.1, 0},
		"everything lost":          {Line{Codec: "PCMA", Loss: 1, Burst: 100, Delay: time.Second}, 0, 1},
		"a codec nobody knows":     {Line{Codec: "speex"}, 93.2, 0},
		"Opus is better than G722": {Line{Codec: "opus"}, 121, 0},
	}
	for name, tc := range tests {
		r, mos := Score(tc.line)
		if math.Abs(r-tc.r) > 0.1 || tc.mos != 0 && math.Abs(mos-tc.mos) > 0.02 {
			t.Errorf("%s: R %.2f and %.3f, want %.2f and %.2f", name, r, mos, tc.r, tc.mos)
		}
	}
}

// Whatever gets worse on a line never makes its score better.
func TestWorseIsNeverBetter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := Line{
			Codec: rapid.SampledFrom([]string{"PCMU", "PCMA", "G722", "opus", ""}).Draw(rt, "codec"),
			Loss:  rapid.Float64Range(0, 1).Draw(rt, "loss"),
			Burst: rapid.Float64Range(1, 5).Draw(rt, "burst"),
			Delay: time.Duration(rapid.IntRange(0, 2000).Draw(rt, "delay")) * ms,
		}
		r, mos := Score(l)
		if mos < 1 || mos > 4.5 || r < 0 {
			rt.Fatalf("%+v: R %v, %v", l, r, mos)
		}
		worse := l
		switch rapid.IntRange(0, 2).Draw(rt, "what") {
		case 0:
			worse.Loss = min(1, l.Loss+0.05)
		case 1:
			worse.Delay += 50 * ms
		case 2:
			worse.Burst += 1
		}
		if wr, wmos := Score(worse); wr > r || wmos > mos+1e-9 && r > 6.5 {
			rt.Fatalf("%+v scores %v, %+v scores %v", l, r, worse, wr)
		}
	})
}

func TestDelayIsPutTogether(t *testing.T) {
	if got := EndToEnd(80*ms, 5*ms, 20*ms); got != 80*ms {
		t.Errorf("%v, want 40 for the way, 20 held, 20 spoken", got)
	}
	if got := EndToEnd(0, 30*ms, 20*ms); got != 80*ms {
		t.Errorf("%v, want 60 held, 20 spoken", got)
	}
}
