package leg

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/actors"
	"flametree/media/g711"
	"flametree/media/pacer"
	"flametree/media/rtp"
)

// stopped is a leg whose wheel stands: the test ticks it.
func stopped(t testing.TB) *side {
	t.Helper()
	h := newHouse(t)
	if err := h.wheel.Close(); err != nil {
		t.Fatal(err)
	}
	s := h.leg(nil)
	s.start()
	return s
}

func TestAPacketCostsNoMemoryInEitherDirection(t *testing.T) {
	s := stopped(t)
	sinkhole := newPhone(t, s) // takes what is sent
	_ = sinkhole
	heard := 0
	s.Hear(func([]int16) { heard++ }, 0)
	s.Record(nowhere{})
	s.Duck(-12)
	s.Leg.facts.open(func(actors.Fact) {})
	payload := make([]byte, frameBytes)
	g711.MuLaw.Encode(payload, tone(20*ms, 500, 8000, 8000))
	staged := tone(20*ms, 500, 8000, 8000)
	p := &rtp.Packet{SSRC: 5, Payload: payload}
	now := s.sender.home
	s.play.begin(1)
	for _, c := range []struct {
		what string
		f    func()
	}{
		{"receiving", func() {
			p.Sequence++
			p.Timestamp += frameBytes
			p.At = now
			s.arrive(p)
		}},
		{"hearing and recording", func() { (*hearTask)(s.Leg).Tick(now, now, 0) }},
		{"sending", func() {
			now = now.Add(20 * ms)
			s.play.write(now, staged)
			(*sendTask)(s.Leg).Tick(now, now, 0)
		}},
	} {
		// The phone of the test allocates for what it receives, so the count
		// is taken before it has had a turn where it matters: a mean below one
		// is nothing of ours.
		if n := testing.AllocsPerRun(300, c.f); n >= 1 && c.what != "sending" {
			t.Errorf("%s: %v allocations a packet", c.what, n)
		}
	}
	if heard == 0 || s.Stats().Sent == 0 {
		t.Errorf("%d frames heard, %d packets sent", heard, s.Stats().Sent)
	}
}

func TestSendingAloneCostsNoMemory(t *testing.T) {
	s := stopped(t)
	// A closed port takes packets as well as any.
	s.conn.SetRemote(netip.MustParseAddrPort("127.0.0.1:9"))
	s.Leg.facts.open(func(actors.Fact) {})
	s.Duck(-12)
	staged := tone(20*ms, 500, 8000, 8000)
	now := s.sender.home
	s.play.begin(1)
	if n := testing.AllocsPerRun(500, func() {
		now = now.Add(20 * ms)
		s.play.write(now, staged)
		(*sendTask)(s.Leg).Tick(now, now, 0)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if s.Stats().Sent == 0 {
		t.Error("nothing was sent")
	}
}

// nowhere is a recorder that keeps nothing.
type nowhere struct{}

func (nowhere) Frame(_, _ []int16) {}
func (nowhere) Pause(bool)         {}

func (nowhere) Close() (actors.Recording, error) { return actors.Recording{}, nil }

// inUse is what lives now, and the stacks of goroutines, which come in pools
// and so differ by some kilobytes from run to run.
func inUse() (heap, stacks int64) {
	runtime.GC()
	runtime.GC() // the first only readies what has finalisers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

// weigh starts so many legs, joined in pairs, and gives what each takes.
func weigh(t *testing.T, legs int64, codec string) (heap, stacks int64) {
	t.Helper()
	h := newHouse(t)
	change := func(o *Options) { o.Codec = codec }
	heapBefore, stacksBefore := inUse()
	for range legs / 2 {
		a, b := h.leg(change), h.leg(change)
		a.conn.SetRemote(b.conn.Local())
		b.conn.SetRemote(a.conn.Local())
		for _, s := range []*side{a, b} {
			s.facts = nil // the test's own
			s.Start(func(actors.Fact) {})
			if err := s.Play(t.Context(), 1, tone(60*ms, 500, 16000, 8000), 16000); err != nil {
				t.Fatal(err)
			}
		}
	}
	heap, stacks = inUse()
	return (heap - heapBefore) / legs, (stacks - stacksBefore) / legs
}

// Of what a leg is to hear and to say it has little here: the past and the reel have
// tests of their own.
func TestALegFitsInItsMemory(t *testing.T) {
	for codec, most := range map[string]int64{"PCMU": 84_000, "G722": 43_000, "opus": 123_000} {
		t.Run(codec, func(t *testing.T) {
			heap, stacks := weigh(t, 40, codec)
			t.Logf("figure: %s: %d bytes a leg and %d of stacks", codec, heap, stacks)
			if heap > most || stacks > 20_000 {
				t.Errorf("%d bytes a leg and %d of stacks, want %d and 20 kB", heap, stacks, most)
			}
		})
	}
}

// However spurts fall: no packet is more than a frame ahead of the home slot,
// fifty a second go out, and in silence the slot comes home.
func TestSpurtsNeverRunAheadByMoreThanAFrame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := stopped(t)
		defer s.Close()
		o := &s.sender
		begin := o.home
		now, sent := begin, 0
		var last time.Time
		note := func() {
			sent++
			lead := o.home.Sub(now) - pacer.Period // home is the next packet's by now
			if lead > pacer.Period || lead < 0 {
				rt.Fatalf("packet %d left %v ahead of its home slot", sent, lead)
			}
			last = now
		}
		tick := func() {
			now = o.next
			s.packet(now, now)
			note()
		}
		gen := uint64(0)
		for range rapid.IntRange(1, 40).Draw(rt, "spurts") {
			for range rapid.IntRange(0, 30).Draw(rt, "packets before") {
				tick()
			}
			gen++
			s.play.begin(gen)
			for range rapid.IntRange(1, 20).Draw(rt, "frames") {
				s.play.write(now, make([]int16, frameBytes))
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(o.next.Sub(now))).Draw(rt, "after")))
			before := o.stamp
			s.kick(now)
			if o.stamp != before {
				note()
			}
		}
		for range 20*40 + 40 { // every spurt drains, and then it is silent
			tick()
		}
		if !o.next.Equal(o.home) {
			rt.Fatalf("after the silence the next packet is due %v from the home slot", o.home.Sub(o.next))
		}
		if want := int(last.Sub(begin)/pacer.Period) + 1; sent != want {
			rt.Fatalf("%d packets in %v, want %d", sent, last.Sub(begin), want)
		}
	})
}

// A busy process leaves packets out in the middle of a key; it is still one key.
func TestAKeyStaysOneKeyThroughMissedPackets(t *testing.T) {
	s := stopped(t)
	p := newPhone(t, s)
	if err := s.Press('5', 100*ms); err != nil {
		t.Fatal(err)
	}
	now := s.sender.home
	for range 8 {
		(*sendTask)(s.Leg).Tick(now, now, 2)
		now = now.Add(60 * ms)
	}
	first := p.next()
	for range 6 {
		if got := p.next(); got.PayloadType != 101 || got.Timestamp != first.Timestamp {
			t.Errorf("type %d at %d after an event at %d", got.PayloadType, got.Timestamp, first.Timestamp)
		}
	}
}

// BenchmarkHundredCalls runs a hundred calls, both ends in this process, and
// prints what one leg costs and how late its packets are.
func BenchmarkHundredCalls(b *testing.B) {
	for _, calls := range []int{1, 100} {
		b.Run(fmt.Sprint(calls), func(b *testing.B) {
			for b.Loop() {
				measure(b, calls, 3*time.Second)
			}
		})
	}
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func measure(b *testing.B, calls int, length time.Duration) {
	h := newHouse(b)
	speech := tone(600*ms, 500, 16000, 8000)
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var talking sync.WaitGroup
	var sides []*side
	for range calls {
		x, y := h.leg(nil), h.leg(nil)
		x.conn.SetRemote(y.conn.Local())
		y.conn.SetRemote(x.conn.Local())
		for _, s := range []*side{x, y} {
			s.Start(func(actors.Fact) {})
			s.Hear(func([]int16) {}, 0)
			s.Record(nowhere{})
			sides = append(sides, s)
		}
	}
	before, begun := cpu(), time.Now()
	for _, s := range sides {
		talking.Go(func() { // half of the time, as two people do
			every := time.NewTicker(1200 * ms)
			defer every.Stop()
			for gen := uint64(1); ; gen++ {
				if s.Play(ctx, gen, speech, 16000) != nil {
					return
				}
				s.End(gen)
				select {
				case <-every.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	talking.Wait()
	<-ctx.Done()
	used, passed := cpu()-before, time.Since(begun)
	p50, p99 := h.wheel.Late()
	var sent, lost, concealed uint64
	for _, s := range sides {
		st := s.Stats()
		sent, lost, concealed = sent+st.Sent, lost+st.Lost, concealed+st.Concealed
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(p50.Microseconds())/1000, "late-p50-ms")
	b.ReportMetric(float64(p99.Microseconds())/1000, "late-p99-ms")
	b.ReportMetric(100*used.Seconds()/passed.Seconds()/float64(len(sides)), "%core/leg")
	b.ReportMetric(float64(sent)/passed.Seconds()/float64(len(sides)), "packets/s/leg")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(float64(concealed), "concealed")
}

func BenchmarkTick(b *testing.B) {
	s := stopped(b)
	s.conn.SetRemote(netip.MustParseAddrPort("127.0.0.1:9"))
	s.Hear(func([]int16) {}, 0)
	s.Leg.facts.open(func(actors.Fact) {})
	payload := make([]byte, frameBytes)
	p := &rtp.Packet{SSRC: 5, Payload: payload}
	now := s.sender.home
	b.ReportAllocs()
	for b.Loop() {
		p.Sequence++
		p.Timestamp += frameBytes
		p.At = now
		s.arrive(p)
		(*hearTask)(s.Leg).Tick(now, now, 0)
		(*sendTask)(s.Leg).Tick(now, now, 0)
		now = now.Add(20 * ms)
	}
}
