package leg

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/actors"
	"flametree/media/g711"
)

var noon = time.Unix(43200, 0)

// line is a playout whose facts are collected.
type line struct {
	playout
	t     *testing.T
	f     facts
	frame [frameBytes]byte
}

func newLine(t *testing.T) *line {
	r := &line{t: t}
	r.playout.facts, r.reel, r.scale = &r.f, newReel(reelBytes), 1
	return r
}

// speak plays so many frames of gen, each sample telling its frame's number.
func (r *line) speak(gen uint64, from, frames int) {
	r.begin(gen)
	for n := range frames {
		r.write(noon, slices.Repeat([]int16{value(from + n)}, frameBytes))
	}
}

// value gives frame n a level that survives µ-law.
func value(n int) int16 {
	var s [1]int16
	g711.MuLaw.Decode(s[:], []byte{byte(0x81 + n%120)})
	return s[0]
}

// send sends so many frames and says which they were; -1 is silence.
func (r *line) send(frames int) []int {
	var out []int
	for range frames {
		n := r.take(r.frame[:])
		if n == 0 {
			out = append(out, -1)
			continue
		}
		out = append(out, int(r.frame[0])-0x81)
		r.gone(noon, n)
	}
	return out
}

func (r *line) told() []actors.Fact {
	out := slices.Clone(r.f.queue)
	r.f.queue = r.f.queue[:0]
	for i := range out {
		out[i].At = time.Time{}
	}
	return out
}

func (r *line) expect(what string, got, want []int) {
	r.t.Helper()
	if !slices.Equal(got, want) {
		r.t.Fatalf("%s: sent %v, want %v", what, got, want)
	}
}

const ms = time.Millisecond

func TestGenerationsFollowOneAnother(t *testing.T) {
	r := newLine(t)
	r.speak(1, 0, 3)
	r.mark(noon, 1, 77)
	r.speak(2, 10, 2)
	r.end(noon, 2)
	r.expect("both", r.send(7), []int{0, 1, 2, 10, 11, -1, -1})
	want := []actors.Fact{
		{Kind: actors.FactTalking, Gen: 1},
		{Kind: actors.FactMark, Gen: 1, Mark: 77, Played: 60 * ms},
		{Kind: actors.FactDrained, Gen: 1, Played: 60 * ms},
		{Kind: actors.FactTalking, Gen: 2},
		{Kind: actors.FactDrained, Gen: 2, Played: 40 * ms},
	}
	if got := r.told(); !slices.Equal(got, want) {
		t.Errorf("facts\n%+v, want\n%+v", got, want)
	}
	if r.reached(1) != 3*frameBytes || r.reached(2) != 2*frameBytes {
		t.Errorf("reached %d and %d samples", r.reached(1), r.reached(2))
	}
}

func TestTheLastFrameIsFilledWithSilence(t *testing.T) {
	r := newLine(t)
	r.begin(1)
	r.write(noon, slices.Repeat([]int16{value(5)}, 200))
	r.expect("a whole frame, the rest waits for more", r.send(2), []int{5, -1})
	r.end(noon, 1)
	r.expect("the rest", r.send(1), []int{5})
	if r.frame[39] == g711.MuLaw.Idle() || r.frame[40] != g711.MuLaw.Idle() {
		t.Errorf("40 samples of sound were left: % x", r.frame[36:44])
	}
	facts := r.told()
	if last := facts[len(facts)-1]; last.Kind != actors.FactDrained || last.Played != 25*ms {
		t.Errorf("drained as %+v, want 25ms", last)
	}
}

func TestFlush(t *testing.T) {
	r := newLine(t)
	r.speak(1, 0, 10)
	r.send(4)
	if got := r.flush(1); got != 4*frameBytes {
		t.Errorf("flush says %d samples were sent, want %d", got, 4*frameBytes)
	}
	r.told()
	r.expect("nothing is left", r.send(2), []int{-1, -1})
	if !r.dead(1) || r.dead(2) {
		t.Error("generation 1 is dead, 2 is not")
	}
	r.mark(noon, 1, 5)
	r.end(noon, 1)
	if facts := r.told(); len(facts) > 0 {
		t.Errorf("a flushed generation told %+v", facts)
	}
	r.speak(2, 20, 1)
	r.speak(3, 30, 1)
	r.speak(4, 40, 1)
	r.send(1)
	if got := r.flush(3); got != 0 {
		t.Errorf("generation 3 never began, and %d samples of it were sent", got)
	}
	r.expect("the one after them stays", r.send(2), []int{40, -1})
	if r.reached(2) != frameBytes {
		t.Errorf("generation 2 reached %d samples, want %d", r.reached(2), frameBytes)
	}
}

func TestPauseAndResume(t *testing.T) {
	r := newLine(t)
	r.speak(1, 0, 100)
	r.send(50)
	r.pause(1)
	r.expect("paused", r.send(2), []int{-1, -1})
	r.resume(noon, 1, 600*ms)
	r.expect("from the place asked for", r.send(3), []int{30, 31, 32})
	if r.reached(1) != 50*frameBytes {
		t.Errorf("reached %d samples after going back, want %d", r.reached(1), 50*frameBytes)
	}
	r.pause(1)
	r.resume(noon, 1, 0)
	r.expect("from the start", r.send(1), []int{0})
	r.pause(1)
	r.resume(noon, 1, time.Hour)
	r.expect("past the end", r.send(1), []int{-1})
}

func TestResumeGoesBackThreeSecondsAtMost(t *testing.T) {
	r := newLine(t)
	r.begin(1)
	for n := range 400 { // 8 s, sent as they come
		r.write(noon, slices.Repeat([]int16{value(n)}, frameBytes))
		r.send(1)
	}
	for n := range 100 { // and 2 s unsent
		r.write(noon, slices.Repeat([]int16{value(400 + n)}, frameBytes))
	}
	r.pause(1)
	r.resume(noon, 1, 0)
	r.expect("three seconds back", r.send(2), []int{250 % 120, 251 % 120})
}

func TestPauseHoldsWhatIsStillToCome(t *testing.T) {
	r := newLine(t)
	r.pause(3)
	r.speak(3, 0, 2)
	r.expect("held", r.send(1), []int{-1})
	r.resume(noon, 2, 0)
	r.expect("another generation's resume", r.send(1), []int{-1})
	r.resume(noon, 3, 0)
	r.expect("its own", r.send(1), []int{0})
	r.pause(3)
	r.flush(3)
	r.speak(4, 9, 1)
	r.expect("a flush lifts the pause", r.send(1), []int{9})
}

func TestMarksTellOnceAndAtTheirPlace(t *testing.T) {
	r := newLine(t)
	r.mark(noon, 1, 1) // before any sound: reached already
	r.speak(1, 0, 2)
	r.mark(noon, 1, 2)
	r.speak(1, 2, 2)
	r.mark(noon, 1, 3)
	r.send(3)
	r.pause(1)
	r.resume(noon, 1, 0)
	r.send(4)
	r.end(noon, 1)
	r.mark(noon, 1, 4) // after it was drained
	var got []uint64
	for _, f := range r.told() {
		if f.Kind == actors.FactMark {
			got = append(got, f.Mark)
			if want := time.Duration(f.Mark-1) * 40 * ms; f.Mark < 4 && f.Played != want {
				t.Errorf("mark %d at %v, want %v", f.Mark, f.Played, want)
			}
		}
	}
	if !slices.Equal(got, []uint64{1, 2, 3, 4}) {
		t.Errorf("marks %v told, want each once", got)
	}
}

func TestConvertKeepsTheSound(t *testing.T) {
	r := newLine(t)
	r.speak(1, 0, 1)
	r.reshape(g711.ALaw, 1)
	r.take(r.frame[:])
	var s [1]int16
	g711.ALaw.Decode(s[:], r.frame[:1])
	if got, want := int(s[0]), int(value(0)); got < want*9/10 || got > want*11/10 {
		t.Errorf("%d in A-law, was %d in µ-law", got, want)
	}
}

// In any order of calls: what is sent of a generation comes in order but where
// a resume went back, nothing of a flushed one is sent, and each generation
// that was begun and not flushed drains once it has ended and is not paused.
func TestPlayoutUnderAnyOrderOfCalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newLine(t)
		var gen, flushed uint64 = 1, 0
		written := map[uint64]int{}
		drained := map[uint64]int{}
		var frame [frameBytes]byte
		collect := func() {
			for _, f := range r.told() {
				if f.Gen != 0 && f.Gen <= flushed && f.Kind == actors.FactTalking {
					rt.Fatalf("generation %d talks after it was flushed", f.Gen)
				}
				if f.Kind == actors.FactDrained {
					drained[f.Gen]++
					if want := time.Duration(written[f.Gen]) * 20 * ms; f.Played != want {
						rt.Fatalf("generation %d drained at %v, %v was written", f.Gen, f.Played, want)
					}
				}
			}
		}
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			switch rapid.IntRange(0, 8).Draw(rt, "what") {
			case 0, 1:
				if !r.dead(gen) && !r.full() {
					r.begin(gen)
					r.write(noon, slices.Repeat([]int16{value(int(gen))}, frameBytes))
					written[gen]++
				}
			case 2, 3, 4:
				if n := r.take(frame[:]); n > 0 {
					g := uint64(frame[0] - 0x81)
					if g <= flushed || r.segments[0].gen != g {
						rt.Fatalf("sound of generation %d is sent, flushed up to %d, at %d", g, flushed, r.segments[0].gen)
					}
					r.gone(noon, n)
				}
			case 5:
				r.end(noon, gen)
				gen++
			case 6:
				r.pause(gen)
			case 7:
				r.resume(noon, gen, time.Duration(rapid.IntRange(0, 4000).Draw(rt, "ms"))*ms)
			case 8:
				flushed = gen
				r.flush(gen)
				gen++
			}
			collect()
			if gen > 100 {
				break
			}
		}
		r.pause(gen)
		r.resume(noon, gen, time.Hour)
		r.end(noon, gen)
		for range 1000 {
			if n := r.take(frame[:]); n > 0 {
				r.gone(noon, n)
			}
		}
		collect()
		if len(r.segments) > 0 || r.pending() != 0 {
			rt.Fatalf("%d segments and %d samples never drained", len(r.segments), r.pending())
		}
		for g, n := range drained {
			if n > 1 {
				rt.Fatalf("generation %d drained %d times", g, n)
			}
		}
	})
}
