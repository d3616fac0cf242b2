package speechtest_test

import (
	"testing"

	"flametree/engine/provider/speechtest"
	"flametree/media/g711"
	"flametree/media/resample"
)

// TestTonesPassATelephone shows that a text can be read behind a codec, at
// another rate, quieter, and from any place of a frame on.
func TestTonesPassATelephone(t *testing.T) {
	const text = "the quick brown fox jumps over all lazy dogs when we meet zzyzx"
	for name, rate := range map[string]int{"as a recogniser hears": 16000, "as a voice speaks": 24000} {
		line := speechtest.TonesOf(text, 8000)
		wire := make([]byte, len(line))
		g711.MuLaw.Encode(wire, line)
		g711.MuLaw.Decode(line, wire)
		for _, shift := range []int{0, 37, 79, 121} {
			pcm, err := resample.All(append(make([]int16, shift), line...), 8000, rate)
			if err != nil {
				t.Fatal(err)
			}
			for i := range pcm {
				pcm[i] /= 4 // 12 dB
			}
			l := speechtest.NewToneListener(rate)
			l.Hear(pcm)
			if got := l.Text(); got != text {
				t.Errorf("%s, %d samples late: %q", name, shift, got)
			}
		}
	}
}
