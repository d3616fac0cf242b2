package leg

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func (r *reel) holds() int {
	n := 0
	for _, p := range r.pieces {
		if p != nil {
			n++
		}
	}
	return n
}

// A reel gives back what was written, from whatever place on, for as much as it
// was made for.
func TestAReelGivesBackWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const most = 5*pieceBytes + 77
		r := newReel(most)
		value := func(at int64) byte { return byte(at ^ at>>8 ^ at>>16) }
		var from, to int64
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if rapid.IntRange(0, 9).Draw(rt, "clear") == 0 {
				r.clear(to)
				from = to
			}
			b := make([]byte, rapid.IntRange(0, 2*pieceBytes).Draw(rt, "bytes"))
			for i := range b {
				b[i] = value(to + int64(i))
			}
			r.write(to, b)
			to += int64(len(b))
			from = max(from, to-most)
			if rapid.Bool().Draw(rt, "forget") {
				from = rapid.Int64Range(from, to).Draw(rt, "below")
				r.forget(from)
			}
			at := rapid.Int64Range(from, to).Draw(rt, "at")
			out := make([]byte, to-at)
			r.copy(out, at)
			for i, v := range out {
				if v != value(at+int64(i)) {
					rt.Fatalf("place %d of %d to %d: %d, want %d", at+int64(i), from, to, v, value(at+int64(i)))
				}
			}
			if most := int((to-from)/pieceBytes) + 2; r.holds() > most {
				rt.Fatalf("%d pieces for %d bytes", r.holds(), to-from)
			}
		}
	})
}

// While an agent listens its leg keeps none of its sound, and while it speaks
// what Resume may go back to, and what is to come.
func TestSoundThatIsOverTakesNoMemory(t *testing.T) {
	r := newLine(t)
	require.Zero(t, r.reel.holds(), "before anything was said")
	for range 10 * 50 {
		r.speak(1, 0, 1)
		r.send(1)
	}
	require.InDelta(t, rewind/pieceBytes, r.reel.holds(), 2, "in the middle of a spurt")
	r.end(noon, 1)
	require.Zero(t, r.reel.holds(), "when all of it was sent")
	require.Nil(t, r.reel.spare)
	r.speak(2, 0, 100)
	r.send(10)
	r.flush(2)
	require.Zero(t, r.reel.holds(), "when it was flushed")
}
