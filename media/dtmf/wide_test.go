package dtmf

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// At any clock a key of any length comes over whole: at 48 kHz a segment ends
// after 1.37 s, and the next begins where it ended.
func TestAKeyKeepsItsLengthAtAnyClock(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.SampledFrom([]int{8000, 16000, 48000}).Draw(rt, "clock")
		frames := rapid.IntRange(2, 400).Draw(rt, "frames")
		start := rapid.Uint32().Draw(rt, "timestamp")
		lose := rapid.IntRange(0, 40).Draw(rt, "every so many packets one is lost")
		var e Encoder
		length := time.Duration(frames) * step
		if err := e.Press('7', length, rate); err != nil {
			rt.Fatal(err)
		}
		d := NewDecoder(rate)
		var told []Digit
		now := time.Unix(0, 0)
		for n := 0; e.Busy(); n++ {
			p, ok := e.Next()
			now = now.Add(step)
			told = d.Tick(now, told)
			if !ok || lose > 3 && n%lose == lose-1 && n < frames-1 {
				continue
			}
			var err error
			if told, err = d.Push(now, start+p.Ahead, p.Marker, p.Payload[:], told); err != nil {
				rt.Fatal(err)
			}
		}
		if len(told) != 1 || told[0] != (Digit{'7', length}) {
			rt.Fatalf("told %v, want 7 for %v", told, length)
		}
	})
}
