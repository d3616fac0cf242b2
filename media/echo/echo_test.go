package echo

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

// grid are the rooms that tests go through: how loudly and how late ours comes back.
func grid() (decibels []float64, delays []time.Duration, voices []string) {
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		return []float64{-6, -9, -12, -20, -30}, []time.Duration{20 * ms, 60 * ms, 100 * ms, 140 * ms, 250 * ms, 390 * ms}, []string{"slt", "rms", "awb"}
	}
	return []float64{-6, -12, -20, -30}, []time.Duration{20 * ms, 140 * ms, 390 * ms}, []string{"slt", "rms"}
}

// The agent on a speaker-phone, in a small room, over a telephone's band: what
// comes back of it is not taken for a caller.
func TestAnEchoInterruptsNobody(t *testing.T) {
	decibels, delays, voices := grid()
	interrupted, without, calls := 0, 0, 0
	for _, voice := range voices {
		out := say(t, voice, speech)
		for _, db := range decibels {
			for _, d := range delays {
				in := room(out, d, db, uint64(d/ms))
				in = line(mix(in, hiss(len(in)+8000, 3)))
				with := listen(t, new(Guard), out, in)
				interrupted += len(with.on)
				without += len(listen(t, nil, out, in).on)
				if calls++; len(with.on) > 0 {
					t.Logf("%s at %v dB after %v: voice at frames %v", voice, db, d, with.on)
				}
			}
		}
	}
	t.Logf("figure: %d calls with an echo: %d voices with the guard, %d without", calls, interrupted, without)
	if most := calls / 25; interrupted > most {
		t.Errorf("an echo was taken for a caller %d times in %d calls, want at most %d", interrupted, calls, most)
	}
	if without < calls {
		t.Error("the echoes of this test would have interrupted nobody anyway")
	}
}

// Opus leaves less of a waveform than a telephone does, both ways.
func TestAnEchoOverOpusInterruptsHardlyAnybody(t *testing.T) {
	decibels, delays := []float64{-9, -12}, []time.Duration{140 * ms, 190 * ms}
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		decibels, delays, _ = grid()
	}
	voices, calls := 0, 0
	for _, voice := range []string{"slt", "rms"} {
		for _, text := range append(answers(), speech) {
			out := say(t, voice, text)
			far := wide(t, out)
			for _, db := range decibels {
				for _, d := range delays {
					in := room(far, d, db, uint64(d/ms))
					voices += len(listen(t, new(Guard), out, wide(t, mix(in, hiss(len(in)+8000, 3)))).on)
					calls++
				}
			}
		}
	}
	t.Logf("figure: %d calls over Opus with an echo: %d voices", calls, voices)
	if voices > calls/10 {
		t.Errorf("an echo was taken for a caller %d times in %d calls over Opus", voices, calls)
	}
}

// Packets are lost, and ticks missed: the echo stays where it was.
func TestAnEchoStaysInItsPlaceOnABadRoad(t *testing.T) {
	_, delays, voices := grid()
	voicesOn := func(untold bool) (on, calls int) {
		chance := rand.New(rand.NewPCG(7, 7))
		for _, voice := range voices {
			for _, db := range []float64{-6, -12} {
				for _, d := range delays {
					out := say(t, voice, speech)
					gone := holes{sent: map[int]bool{}, came: map[int]bool{}, untold: untold}
					for n := range len(out) / frame {
						switch chance.IntN(50) {
						case 0: // a tick or three of ours: what follows is said later
							for i := range 1 + chance.IntN(3) {
								gone.sent[n+i] = true
							}
						case 1:
							for i := range 1 + chance.IntN(3) {
								gone.came[n+i] = true
							}
						}
					}
					var said []int16
					for n, left := 0, out; len(left) >= frame; n++ {
						if gone.sent[n] {
							said = append(said, make([]int16, frame)...)
							continue
						}
						said, left = append(said, left[:frame]...), left[frame:]
					}
					in := room(said, d, db, uint64(d/ms))
					in = line(mix(in, hiss(len(in)+8000, 3)))
					on += len(listenThrough(t, new(Guard), said, in, gone).on)
					calls++
				}
			}
		}
		return on, calls
	}
	told, calls := voicesOn(false)
	untold, _ := voicesOn(true)
	t.Logf("figure: %d calls with an echo on a bad road: %d voices, %d when nothing is told of it", calls, told, untold)
	if told > calls/4 || untold < 4*told {
		t.Errorf("%d voices in %d calls, %d when nothing is told", told, calls, untold)
	}
}

// late is how much later a caller is heard over an echo than without any.
func late(t *testing.T, voice string, db float64) []time.Duration {
	_, delays, _ := grid()
	out := say(t, voice, speech)
	var all []time.Duration
	for _, caller := range []string{"awb", "rms", "slt"} {
		if caller == voice {
			continue
		}
		words := say(t, caller, stop)
		for _, d := range delays {
			back := room(out, d, db, uint64(d/ms))
			for _, at := range []time.Duration{1500 * ms, 4000 * ms} {
				noise := hiss(len(out)+8000, 3)
				alone := listen(t, nil, out, line(mix(later(words, at), noise)))
				both := listen(t, new(Guard), out, line(mix(back, later(words, at), noise)))
				if len(both.on) == 0 {
					t.Errorf("%s over %s at %v dB is never heard", caller, voice, db)
					continue
				}
				all = append(all, time.Duration(both.on[0]-alone.on[0])*20*ms)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Somebody who speaks over the echo is heard. The louder the echo is beside him
// the later it is certain.
func TestACallerOverAnEchoIsHeard(t *testing.T) {
	for db, most := range map[float64]time.Duration{-6: 500 * ms, -12: 300 * ms, -20: 160 * ms, -30: 40 * ms} {
		for _, voice := range []string{"slt", "rms"} {
			t.Run(fmt.Sprint(voice, db), func(t *testing.T) {
				all := late(t, voice, db)
				if len(all) == 0 {
					t.Fatal("nobody is ever heard")
				}
				median := all[len(all)/2]
				t.Logf("figure: %s at %v dB: a caller is heard %v later at the median, %v at 90 %%", voice, db, median, all[len(all)*9/10])
				if median > most {
					t.Errorf("%v later at the median, want at most %v", median, most)
				}
			})
		}
	}
}

// On a line that returns nothing, which is nearly every line, nobody waits.
func TestALineWithoutAnEchoDelaysNobody(t *testing.T) {
	out, words := say(t, "slt", speech), say(t, "rms", stop)
	for _, at := range []time.Duration{0, 100 * ms, 400 * ms, 1500 * ms, 4000 * ms} {
		in := line(mix(later(words, at), hiss(len(out)+8000, 3)))
		alone, over := listen(t, nil, out, in), listen(t, new(Guard), out, in)
		// In the first half second it is not known yet that nothing comes back.
		if late := over.on[0] - alone.on[0]; late != 0 && at >= 400*ms || late > MaxHeld {
			t.Errorf("a caller after %v is heard at frame %d, want %d", at, over.on[0], alone.on[0])
		}
	}
}

// However somebody sounds: while nothing was sent, nothing is held or taken for ours.
func TestSilenceBlocksNobody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var g Guard
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		sound := func(loud int) []int16 {
			f := make([]int16, frame)
			for i := range f {
				f[i] = int16((chance.IntN(2*loud+1) - loud))
			}
			return f
		}
		for range rapid.IntRange(0, 40).Draw(rt, "spoken") { // whatever was before
			f := sound(rapid.IntRange(0, 12000).Draw(rt, "loudness"))
			g.Sent(f)
			g.Judge(f)
		}
		for range reach + tail { // then silence
			g.Sent(make([]int16, frame))
		}
		for range 50 {
			g.Sent(make([]int16, frame))
			if v := g.Judge(sound(rapid.IntRange(0, 30000).Draw(rt, "voice"))); v != Clear || g.Mute() {
				rt.Fatalf("verdict %d, mute %v after silence", v, g.Mute())
			}
		}
	})
}

// Whatever comes: no more frames are held than whoever holds them has room for.
func TestHoldingHasAnEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var g Guard
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		row := 0
		for range 300 {
			out, in := make([]int16, frame), make([]int16, frame)
			a, b := chance.IntN(12000), chance.IntN(3)*chance.IntN(12000)
			for i := range out {
				out[i] = int16(chance.IntN(2*a+1) - a)
				in[i] = int16(chance.IntN(2*b+1)-b) + out[i]/4*int16(chance.IntN(2))
			}
			if chance.IntN(4) > 0 {
				g.Sent(out)
			}
			if g.Judge(in) == Held {
				row++
			} else {
				row = 0
			}
			if row > MaxHeld {
				rt.Fatalf("%d frames are held", row)
			}
		}
	})
}

// The cost is that of the worst case: the agent speaks and an echo comes back.
func TestTheCostOfAFrame(t *testing.T) {
	out := say(t, "slt", speech)
	in := line(room(out, 140*ms, -12, 5))
	var g Guard
	run := func() {
		for n := range len(out) / frame {
			g.Sent(out[n*frame : (n+1)*frame])
			g.Judge(in[n*frame : (n+1)*frame])
		}
	}
	began := cpu()
	for range 20 {
		run()
	}
	each := (cpu() - began) / time.Duration(20*len(out)/frame)
	t.Logf("figure: %v of CPU a frame while the agent speaks and is heard coming back", each)
	if each > 20*time.Microsecond {
		t.Errorf("%v a frame, want 20µs", each)
	}
	quiet := make([]int16, frame)
	for range 50 {
		g.Sent(quiet)
	}
	began = cpu()
	for range 10_000 {
		g.Judge(in[:frame])
	}
	t.Logf("figure: %v of CPU a frame while the agent is silent", (cpu()-began)/10_000)
	if n := testing.AllocsPerRun(5, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
