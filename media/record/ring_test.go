package record

import (
	"testing"

	"pgregory.net/rapid"
)

// A disk that stands still makes the ring longer, and nothing is lost until it
// is as long as it may be; nor does a ring that grows while it is read lose a
// frame or change their order.
func TestASlowDiskMakesTheRingLonger(t *testing.T) {
	d := &disk{}
	s, tape := begin(t, d)
	if err := s.Close(); err != nil { // nobody flushes by himself
		t.Fatal(err)
	}
	for n := range held {
		tape.Frame(frame(int16(n+1)), nil)
	}
	if tape.dropped != 0 || tape.ring.frames() != held {
		t.Fatalf("%d frames lost, the ring has %d", tape.dropped, tape.ring.frames())
	}
	tape.Frame(frame(1), nil)
	if tape.dropped != 1 {
		t.Fatalf("%d frames lost of one that does not fit", tape.dropped)
	}
	got, err := tape.Close()
	if err != nil || got.Dropped != 1 || got.Length != (held+1)*20e6 {
		t.Fatalf("%+v, %v", got, err)
	}
	left := d.read(t).Channel(0)
	for n := range held {
		if left[n*160] != int16(n+1) {
			t.Fatalf("frame %d is %d", n, left[n*160])
		}
	}
}

func TestFramesKeepTheirPlaceInALongerRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRing(1)
		tail := rapid.Int64Range(0, 1000).Draw(t, "tail")
		head := tail + rapid.Int64Range(1, firstFrames).Draw(t, "frames")
		for f := tail; f < head; f++ {
			r.samples(f, 1)[0], *r.slot(f) = byte(f), slot{paused: f}
		}
		n := r.stretch(tail, head)
		long := r.grown(tail, head)
		for i, b := range long.samples(tail, n) { // what lay together still does
			if b != byte(tail+int64(i)) {
				t.Fatalf("frame %d is %d", tail+int64(i), b)
			}
		}
		for f := tail; f < head; f++ {
			if long.samples(f, 1)[0] != byte(f) || long.slot(f).paused != f {
				t.Fatalf("frame %d is lost", f)
			}
		}
	})
}
