package opus

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSilenceIsMadeOnceAndWhatFollowsIsNotHurt: packets of a long silence are the
// same packet; it decodes to silence, and speech behind it sounds as it would if
// every frame had been encoded.
func TestSilenceIsMadeOnceAndWhatFollowsIsNotHurt(t *testing.T) {
	speech := tone(16000, 300, 6000)
	for i, s := range tone(16000, 900, 3000) {
		speech[i] += int16(float64(s) * math.Abs(math.Sin(float64(i)/2500)))
	}
	for _, w := range []Wishes{{FEC: true}, {}, {FEC: true, Steady: true}} {
		t.Run(fmt.Sprintf("%+v", w), func(t *testing.T) {
			const pause = 100 // frames
			sound := append(append(append([]int16{}, speech...), make([]int16, pause*320)...), speech...)
			got := packets(t, sound, w)
			for n := 50 + settled; n < 50+pause; n++ {
				require.Equal(t, got[50+settled], got[n], "frame %d", n)
			}
			want := every(t, sound, w)
			here, there := decode(t, got), decode(t, want)
			middle := here[(50+2*settled)*320:][:(pause-3*settled)*320]
			for _, v := range middle {
				require.LessOrEqual(t, max(v, -v), int16(8), "silence")
			}
			// Right after the pause too: a click would be heard there.
			for name, part := range map[string][2]int{"first 60 ms": {50 + pause, 53 + pause}, "all": {50 + pause, 100 + pause}} {
				from, to := part[0]*320, part[1]*320
				a, b := clarity(sound[from:to], here[from:]), clarity(sound[from:to], there[from:])
				t.Logf("figure: %s after a silence: %.1f dB when it was encoded, %.1f dB when it was not", name, b, a)
				require.Greater(t, a, b-1, name)
			}
		})
	}
}

// clarity is how far what was heard lies from what was said, in dB below it, at
// the delay of the codec.
func clarity(said, heard []int16) float64 {
	best := math.Inf(-1)
	for lag := range 400 {
		var power, off float64
		for i, s := range said[:len(said)-400] {
			power += float64(s) * float64(s)
			off += (float64(s) - float64(heard[i+lag])) * (float64(s) - float64(heard[i+lag]))
		}
		best = max(best, 10*math.Log10(power/math.Max(off, 1)))
	}
	return best
}

// every encodes each frame, also those of silence.
func every(t *testing.T, s []int16, w Wishes) (out [][]byte) {
	t.Helper()
	e, err := NewEncoder(w)
	require.NoError(t, err)
	for at := 0; at+320 <= len(s); at += 320 {
		b := make([]byte, MaxBytes)
		e.quiet = 0
		out = append(out, b[:e.Encode(b, s[at:at+320])])
	}
	return out
}

func BenchmarkEncode(b *testing.B) {
	for name, frame := range map[string][]int16{"speech": tone(320, 300, 6000), "silence": make([]int16, 320)} {
		b.Run(name, func(b *testing.B) {
			e, err := NewEncoder(Wishes{FEC: true})
			require.NoError(b, err)
			dst := make([]byte, MaxBytes)
			b.ReportAllocs()
			for b.Loop() {
				e.Encode(dst, frame)
			}
		})
	}
}
