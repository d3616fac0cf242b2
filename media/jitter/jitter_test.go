package jitter

import (
	"bytes"
	"errors"
	"math/rand"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/fault"
)

const (
	samples = 160
	tick    = 20 * time.Millisecond
)

func mustNew(t testing.TB, opt Options) *Buffer {
	t.Helper()
	b, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func payload(n int) []byte { return bytes.Repeat([]byte{byte(n)}, samples) }

// line drives a buffer by hand: packets by number, one Pop a call.
type line struct {
	t     *testing.T
	b     *Buffer
	now   time.Time
	seq   uint16
	stamp uint32
}

func newLine(t *testing.T) *line {
	return &line{t: t, b: mustNew(t, Options{}), now: time.Unix(1000, 0), seq: 65533, stamp: 0xFFFFFF00}
}

func (l *line) push(n int) Fate {
	return l.b.Push(l.now, l.seq+uint16(n), l.stamp+uint32(n*samples), payload(n))
}

// pop expects frame n, or a status when n is negative.
func (l *line) pop(n int, want Status) {
	l.t.Helper()
	got, status := l.b.Pop(l.now)
	l.now = l.now.Add(tick)
	if status != want || status == Frame && !bytes.Equal(got, payload(n)) {
		l.t.Fatalf("Pop gave status %d %v, want %d of frame %d", status, got[:min(2, len(got))], want, n)
	}
}

func TestInOrderAcrossBothWraps(t *testing.T) {
	l := newLine(t)
	l.pop(0, Empty)
	l.push(0)
	l.pop(0, Empty) // 40 ms are wanted
	l.push(1)
	for n := range 40 {
		l.pop(n, Frame)
		l.push(n + 2)
	}
}

func TestReorderedPacketsComeOutInOrder(t *testing.T) {
	l := newLine(t)
	l.push(1) // the very first packets already out of order
	l.push(0)
	l.pop(0, Frame)
	l.push(3)
	l.pop(1, Frame)
	l.push(2)
	l.pop(2, Frame)
	l.pop(3, Frame)
	if s := l.b.Stats(); s.Reordered != 2 || s.Taken != 4 {
		t.Errorf("stats %+v, want 2 reordered of 4", s)
	}
}

func TestLossIsToldAndTheStreamGoesOn(t *testing.T) {
	l := newLine(t)
	l.push(0)
	l.push(1)
	l.pop(0, Frame)
	l.push(3)
	l.pop(1, Frame)
	l.push(4)
	l.pop(2, Lost)
	l.pop(3, Frame)
	l.pop(4, Frame)
}

func TestDuplicatesAndLatePacketsAreNotPlayed(t *testing.T) {
	l := newLine(t)
	l.push(0)
	l.push(1)
	if got := l.push(1); got != Duplicate {
		t.Errorf("the same packet again: %d, want Duplicate", got)
	}
	l.pop(0, Frame)
	l.push(3)
	l.pop(1, Frame)
	l.push(4)
	l.pop(2, Lost)
	if got := l.push(2); got != Late {
		t.Errorf("a packet after its time: %d, want Late", got)
	}
	l.pop(3, Frame)
}

func TestAStreamThatRunsDryGrowsTheDelayThenStops(t *testing.T) {
	l := newLine(t)
	l.push(0)
	l.push(1)
	l.pop(0, Frame)
	l.pop(1, Frame)
	l.pop(0, Lost)
	l.push(2) // one tick late: the delay is now a frame longer
	l.push(3)
	l.pop(2, Frame)
	l.push(4)
	l.pop(3, Frame)
	l.pop(4, Frame)
	for range quiet {
		l.pop(0, Lost)
	}
	l.pop(0, Empty)
	l.pop(0, Empty)
	l.push(200) // the sender spoke again after a silence it did not send
	l.pop(0, Empty)
	l.push(201)
	l.pop(200, Frame)
	l.pop(201, Frame)
}

func TestAWildTimestampAloneMovesNothing(t *testing.T) {
	l := newLine(t)
	l.push(0)
	l.push(1)
	if got := l.b.Push(l.now, 7, l.stamp+1<<30, payload(99)); got != Strange {
		t.Errorf("a packet from elsewhere: %d, want Strange", got)
	}
	l.pop(0, Frame)
	l.pop(1, Frame)
	l.b.Push(l.now, 8, 5_000_000, payload(50))
	if got := l.b.Push(l.now, 9, 5_000_000+samples, payload(51)); got != Taken {
		t.Errorf("the second of a new stream: %d, want Taken", got)
	}
	l.b.Push(l.now, 10, 5_000_000+2*samples, payload(52))
	l.pop(51, Frame)
	l.pop(52, Frame)
	if l.b.Stats().Restarts != 1 {
		t.Errorf("stats %+v, want one restart", l.b.Stats())
	}
}

func TestASenderThatSetsItsClockBackIsHeardAgain(t *testing.T) {
	l := newLine(t)
	for n := range 20 {
		l.push(n + 100)
		l.b.Pop(l.now)
		l.now = l.now.Add(tick)
	}
	for range 5 {
		l.b.Pop(l.now)
		l.now = l.now.Add(tick)
	}
	heard := 0
	for n := range 20 {
		l.b.Push(l.now, uint16(n), l.stamp+uint32(n*samples), payload(n))
		if _, status := l.b.Pop(l.now); status == Frame {
			heard++
		}
		l.now = l.now.Add(tick)
	}
	if heard < 7 {
		t.Errorf("%d of 20 frames were heard after the sender's clock went back 2 s", heard)
	}
}

func TestResetTakesAnotherStream(t *testing.T) {
	l := newLine(t)
	l.push(0)
	l.push(1)
	l.pop(0, Frame)
	l.b.Reset()
	l.pop(0, Empty)
	l.stamp, l.seq = 42, 42
	l.push(7)
	l.push(8)
	l.pop(7, Frame)
}

func TestPacketsOfOtherLengths(t *testing.T) {
	for name, length := range map[string]int{"10 ms": 80, "30 ms": 240, "60 ms": 480, "5 ms": 40} {
		t.Run(name, func(t *testing.T) {
			b := mustNew(t, Options{})
			now := time.Unix(1, 0)
			want, sent, got := byte(0), byte(0), 0
			for ms := 0; ms < 4000; ms += 5 {
				if ms%(length/8) == 0 {
					p := make([]byte, length)
					for i := range p {
						p[i] = sent
						sent++
					}
					b.Push(now, uint16(ms/(length/8)), uint32(ms*8), p)
				}
				if ms%20 == 15 {
					shrunk := b.Stats().Shrunk
					frame, status := b.Pop(now)
					want += byte(samples * (b.Stats().Shrunk - shrunk)) // left out on purpose
					for _, v := range frame {
						if v != want {
							t.Fatalf("at %d ms byte %d came, want %d", ms, v, want)
						}
						want++
					}
					if status == Frame {
						got++
					} else if got > 50 {
						t.Fatalf("at %d ms status %d in a perfect stream", ms, status)
					}
					if got == 0 {
						want = 0
					}
				}
				now = now.Add(5 * time.Millisecond)
			}
		})
	}
}

func TestBurstAfterAStallIsTrimmed(t *testing.T) {
	l := newLine(t)
	for n := range 2 {
		l.push(n)
	}
	l.pop(0, Frame)
	for n := 2; n < 14; n++ { // 240 ms arrive at once
		l.push(n)
	}
	l.b.Pop(l.now)
	if held := l.b.end - l.b.next; held > l.b.most {
		t.Errorf("%d bytes are still held, at most %d wanted", held, l.b.most)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, opt := range map[string]Options{
		"min under a frame": {Min: 10 * time.Millisecond},
		"start above max":   {Start: 100 * time.Millisecond},
		"too long a delay":  {Max: time.Second},
		"negative frame":    {Frame: -1},
		"negative rate":     {RateHz: -1},
	} {
		if _, err := New(opt); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want fault.Invalid", name, err)
		}
	}
}

// network is a road with loss, delay and copies by seed. It returns what
// arrives at each millisecond.
func network(rnd *rand.Rand, packets int, loss, copies float64, spread time.Duration) map[int][]int {
	arrivals := map[int][]int{}
	for n := range packets {
		if rnd.Float64() < loss {
			continue
		}
		times := 1
		if rnd.Float64() < copies {
			times = 2
		}
		for range times {
			at := n*20 + rnd.Intn(int(spread/time.Millisecond)+1)
			arrivals[at] = append(arrivals[at], n)
		}
	}
	return arrivals
}

// Whatever the network does: frames come out whole, each at most once, in
// order, and never later than the longest delay allows.
func TestOrderWholenessAndBoundUnderAnyNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		loss := rapid.Float64Range(0, 0.3).Draw(t, "loss")
		spread := time.Duration(rapid.IntRange(0, 150).Draw(t, "spread ms")) * time.Millisecond
		arrivals := network(rnd, 250, loss, 0.1, spread)
		b, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		base, phase := rnd.Uint32(), rnd.Intn(20)
		last, now := -1, time.Unix(10, 0)
		for ms := range 250*20 + 400 {
			for _, n := range arrivals[ms] {
				p := payload(n)
				p[0] = byte(n >> 8)
				b.Push(now, uint16(base)+uint16(n), base+uint32(n*samples), p)
			}
			if ms%20 == phase {
				if frame, status := b.Pop(now); status == Frame {
					n := int(frame[0])<<8 | int(frame[1])
					if n <= last || !bytes.Equal(frame[1:], payload(n)[1:]) {
						t.Fatalf("at %d ms frame %d came after %d", ms, n, last)
					}
					if delay := ms - n*20; delay > int(spread/time.Millisecond)+80+40 {
						t.Fatalf("frame %d came %d ms after it was sent", n, delay)
					}
					last = n
				}
			}
			now = now.Add(time.Millisecond)
		}
	})
}

func TestModerateJitterCostsAlmostNothing(t *testing.T) {
	for seed := range int64(20) {
		rnd := rand.New(rand.NewSource(seed))
		arrivals := network(rnd, 1500, 0, 0, 30*time.Millisecond)
		b := mustNew(t, Options{})
		now := time.Unix(10, 0)
		frames := 0
		for ms := range 1500 * 20 {
			for _, n := range arrivals[ms] {
				b.Push(now, uint16(n), uint32(n*samples), payload(n))
			}
			if ms%20 == int(seed)%20 {
				if _, status := b.Pop(now); status == Frame {
					frames++
				}
			}
			now = now.Add(time.Millisecond)
		}
		if frames < 1480 {
			t.Errorf("seed %d: %d of 1500 frames came through 30 ms of jitter (%+v, delay %v)", seed, frames, b.Stats(), b.Delay())
		}
	}
}

func TestDelayShrinksWhenTheNetworkCalmsDown(t *testing.T) {
	b := mustNew(t, Options{})
	rnd := rand.New(rand.NewSource(1))
	now := time.Unix(10, 0)
	held := func(from, to int, spread time.Duration) int64 {
		arrivals := network(rnd, to-from, 0, 0, spread)
		for ms := range (to - from) * 20 {
			for _, n := range arrivals[ms] {
				b.Push(now, uint16(from+n), uint32((from+n)*samples), payload(n))
			}
			if ms%20 == 19 {
				b.Pop(now)
			}
			now = now.Add(time.Millisecond)
		}
		return b.end - b.next
	}
	rough := held(0, 500, 70*time.Millisecond)
	calm := held(500, 2500, 0)
	if calm >= rough || calm > 2*samples {
		t.Errorf("%d bytes held on the rough line, %d on the calm one", rough, calm)
	}
}

func TestNoAllocation(t *testing.T) {
	b := mustNew(t, Options{})
	now, n, p := time.Unix(1, 0), 0, payload(1)
	if got := testing.AllocsPerRun(500, func() {
		b.Push(now, uint16(n), uint32(n*samples), p)
		b.Pop(now)
		n++
		now = now.Add(tick)
	}); got != 0 {
		t.Errorf("%v allocations a packet", got)
	}
}

func BenchmarkPushPop(b *testing.B) {
	buf := mustNew(b, Options{})
	now, n, p := time.Unix(1, 0), 0, payload(1)
	b.ReportAllocs()
	for b.Loop() {
		buf.Push(now, uint16(n), uint32(n*samples), p)
		buf.Pop(now)
		n++
		now = now.Add(tick)
	}
}

// No packet from outside may panic or break the order of what comes out.
func FuzzPush(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 160, 160, 0, 2, 0, 0, 1, 64, 160})
	f.Add([]byte("00\xc9\xc970 01\xc9\xc9000")) // far behind, before anything was given
	f.Add([]byte{255, 255, 255, 255, 255, 255, 200, 0, 0, 0, 0, 0, 0, 10})
	f.Fuzz(func(t *testing.T, in []byte) {
		b := mustNew(t, Options{})
		now := time.Unix(0, 0)
		for len(in) >= 7 {
			stamp := uint32(in[2])<<24 | uint32(in[3])<<16 | uint32(in[4])<<8 | uint32(in[5])
			b.Push(now, uint16(in[0])<<8|uint16(in[1]), stamp, make([]byte, int(in[6])*9))
			before := b.next
			b.Pop(now)
			if b.begun && b.playing && b.next < before {
				t.Fatal("the line went backwards")
			}
			now = now.Add(time.Duration(in[6]) * time.Millisecond)
			in = in[7:]
		}
	})
}
