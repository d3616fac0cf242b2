package record

import (
	"testing"

	"pgregory.net/rapid"
)

// A disk that stands still makes the ring longer, and nothing is lost until it
// is as long as it may be.
func TestASlowDiskMakesTheRingLonger(t *testing.T) {
	d := &disk{}
	s, tape := begin(t, d)
	if err := s.Close(); err != nil { // nobody flushes by himself
		t.Fatal(err)
	}
	for n := range held {
		tape.Frame(frame(int16(n+1)), nil)
	}
	if tape.dropped != 0 {
		t.Fatalf("%d frames lost", tape.dropped)
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

// Memory is taken for the frames that wait and given back, and none of them loses
// its place meanwhile, whatever its size.
func TestFramesKeepTheirPlaceInALongerRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{640, 1280, 1920, 3840}).Draw(t, "size")
		r := newRing(size, rapid.IntRange(1, held).Draw(t, "most"), newChunks())
		head := rapid.Int64Range(0, 1000).Draw(t, "first")
		tail := head
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range rapid.Int64Range(0, r.frames()-(head-tail)).Draw(t, "frames") {
				b := r.room(head)
				b[0], b[size-1], *r.slot(head) = byte(head), byte(head>>8), slot{paused: head}
				head++
			}
			var out []byte
			if n := head - tail; n > 0 {
				out = r.gather(out, tail, n)
			}
			for f := tail; f < head; f++ {
				b := out[int(f-tail)*size:][:size]
				if b[0] != byte(f) || b[size-1] != byte(f>>8) || r.slot(f).paused != f {
					t.Fatalf("frame %d of %d to %d is lost", f, tail, head)
				}
			}
			written := rapid.Int64Range(tail, head).Draw(t, "written")
			r.release(tail, written)
			tail = written
			taken := int64(0)
			for _, c := range r.chunks {
				if c != nil {
					taken++
				}
			}
			if most := (head-tail)/r.each + 2; taken > most {
				t.Fatalf("%d chunks for %d frames of %d bytes", taken, head-tail, size)
			}
		}
	})
}
