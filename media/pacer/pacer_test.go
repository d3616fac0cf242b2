package pacer

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// still is a shard that is turned by the test, not by a goroutine.
func still() *shard {
	w := &Wheel{epoch: time.Unix(1000, 0)}
	w.recent.old, w.recent.new, w.recent.since = new(Histogram), new(Histogram), w.epoch
	h := &shard{wheel: w, wake: make(chan struct{}, 1)}
	w.shards = []*shard{h}
	return h
}

// log notes its ticks.
type log struct {
	due    []int64 // ms since the epoch
	missed []int
	then   func()
	epoch  time.Time
}

func (l *log) Tick(_, due time.Time, missed int) {
	l.due = append(l.due, due.Sub(l.epoch).Milliseconds())
	l.missed = append(l.missed, missed)
	if l.then != nil {
		l.then()
	}
}

func put(h *shard, due int64) (*Slot, *log) {
	l := &log{epoch: h.wheel.epoch}
	s := &Slot{shard: h, task: l}
	h.insert(s, due)
	return s, l
}

func turnTo(h *shard, ms int64) {
	h.advance(func() time.Time { return h.wheel.time(ms) })
}

func TestTicksComeEveryTwentyMillisecondsWithoutDrift(t *testing.T) {
	h := still()
	_, l := put(h, 7)
	for ms := int64(1); ms <= 20_000; ms++ {
		turnTo(h, ms)
	}
	if len(l.due) != 1000 {
		t.Fatalf("%d ticks in 20 s, want 1000", len(l.due))
	}
	for i, due := range l.due {
		if due != 7+20*int64(i) {
			t.Fatalf("tick %d was due at %d ms, want %d", i, due, 7+20*i)
		}
	}
}

func TestAPauseIsNotMadeUpFor(t *testing.T) {
	h := still()
	_, a := put(h, 3)
	_, b := put(h, 12)
	for ms := int64(1); ms <= 40; ms++ {
		turnTo(h, ms)
	}
	for ms := int64(540); ms <= 600; ms++ { // half a second is missing
		turnTo(h, ms)
	}
	if want := []int64{3, 23, 523, 543, 563, 583}; !slices.Equal(a.due, want) {
		t.Errorf("ticks at %v, want %v", a.due, want)
	}
	if want := []int{0, 0, 24, 0, 0, 0}; !slices.Equal(a.missed, want) {
		t.Errorf("missed %v, want %v", a.missed, want)
	}
	if want := []int64{12, 32, 532, 552, 572, 592}; !slices.Equal(b.due, want) {
		t.Errorf("the other's ticks at %v, want %v", b.due, want)
	}
}

// What was left out counts as late: a wheel that stands still for half a second
// now and then is not in time.
func TestAPauseIsLateness(t *testing.T) {
	h := still()
	put(h, 3)
	for ms := int64(1); ms <= 1000; ms++ {
		turnTo(h, ms)
	}
	if _, p99 := h.wheel.Late(); p99 > time.Millisecond {
		t.Fatalf("late by %v without a pause", p99)
	}
	for ms := int64(1500); ms <= 2000; ms++ {
		turnTo(h, ms)
	}
	p50, p99 := h.wheel.Late()
	if p50 > time.Millisecond || p99 < 400*time.Millisecond || p99 > 600*time.Millisecond {
		t.Errorf("late by %v, p99 %v, after half a second's pause", p50, p99)
	}
	if n := h.wheel.Lateness().Count(); n != 100 {
		t.Errorf("%d ticks were due and %d counted", 100, n)
	}
}

func TestMoveHasTheLastWord(t *testing.T) {
	h := still()
	s, l := put(h, 5)
	l.then = func() {
		if len(l.due) == 2 {
			s.Move(h.wheel.time(25 + 21)) // from within the tick
		}
	}
	for ms := int64(1); ms <= 70; ms++ {
		if ms == 50 {
			s.Move(h.wheel.time(ms + 20).Add(-time.Microsecond)) // from outside, rounded up
		}
		turnTo(h, ms)
	}
	if want := []int64{5, 25, 46, 70}; !slices.Equal(l.due, want) {
		t.Errorf("ticks at %v, want %v", l.due, want)
	}
}

func TestLeaveEndsTicksAndBesideSharesThem(t *testing.T) {
	h := still()
	s, l := put(h, 5)
	other := &log{epoch: h.wheel.epoch}
	o := s.Beside(other)
	turnTo(h, 30)
	s.Leave()
	s.Leave()
	s.Move(h.wheel.time(41))
	turnTo(h, 60)
	if !slices.Equal(l.due, []int64{25}) || !slices.Equal(other.due, []int64{25, 45}) {
		t.Errorf("ticks at %v and beside it at %v", l.due, other.due)
	}
	o.Leave()
	if h.count != 0 {
		t.Errorf("%d slots are left", h.count)
	}
}

func TestCallsSpreadOverTheSlots(t *testing.T) {
	w := New(Options{Shards: 2})
	defer w.Close()
	for range 80 {
		w.Join(&log{})
	}
	for i, h := range w.shards {
		h.mu.Lock()
		for row := range h.rows {
			want := 0
			if row%stride == i {
				want = 4
			}
			if n := len(h.rows[row]); n != want {
				t.Errorf("thread %d: row %d holds %d calls, want %d", i, row, n, want)
			}
		}
		h.mu.Unlock()
	}
}

// Whatever joins, moves and leaves, and however the time jumps: no task is
// ticked twice for one period, and none is forgotten.
func TestNobodyIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := still()
		type member struct {
			slot *Slot
			log  *log
			next int64
		}
		var members []*member
		now := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				due := now + 1 + rapid.Int64Range(0, 39).Draw(t, "due")
				s, l := put(h, due)
				members = append(members, &member{s, l, due})
			case 1:
				if len(members) > 0 {
					m := members[rapid.IntRange(0, len(members)-1).Draw(t, "who")]
					m.next = now + rapid.Int64Range(20, 45).Draw(t, "ahead")
					m.slot.Move(h.wheel.time(m.next))
					m.next += m.next % stride // where the thread wakes anyhow
				}
			default:
				now += rapid.Int64Range(1, 100).Draw(t, "ms")
				turnTo(h, now)
			}
			for _, m := range members {
				for _, due := range m.log.due {
					if due < m.next || (due-m.next)%20 != 0 || due > now {
						t.Fatalf("a tick was due at %d, expected %d or a period later, now %d", due, m.next, now)
					}
					m.next = due + 20
				}
				m.log.due = m.log.due[:0]
				if m.next <= now-20 {
					t.Fatalf("a tick due at %d has not come by %d", m.next, now)
				}
			}
		}
	})
}

func TestRealTicks(t *testing.T) {
	w := New(Options{Shards: 1})
	defer w.Close()
	var mu sync.Mutex
	var times []time.Time
	done := make(chan struct{})
	s := w.Join(taskFunc(func(now, due time.Time, _ int) {
		mu.Lock()
		defer mu.Unlock()
		if now.Before(due) {
			t.Errorf("ticked %v early", due.Sub(now))
		}
		if times = append(times, due); len(times) == 10 {
			close(done)
		}
	}))
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("ten ticks did not come in 5 s")
	}
	s.Leave()
	mu.Lock()
	defer mu.Unlock()
	for i := 1; i < len(times); i++ {
		if step := times[i].Sub(times[i-1]); step%Period != 0 || step == 0 {
			t.Errorf("tick %d came %v after the one before", i, step)
		}
	}
	if w.Lateness().Count() < 9 {
		t.Errorf("%d ticks were measured", w.Lateness().Count())
	}
}

type taskFunc func(now, due time.Time, missed int)

func (f taskFunc) Tick(now, due time.Time, missed int) { f(now, due, missed) }

func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("an empty histogram has no median")
	}
	for i := 1; i <= 1000; i++ {
		h.Add(time.Duration(i) * 10 * time.Microsecond)
	}
	h.Add(-time.Second)
	h.Add(time.Hour)
	for q, want := range map[float64]time.Duration{0.5: 5 * time.Millisecond, 0.99: 9900 * time.Microsecond} {
		if got := h.Quantile(q); got < want || got > want*9/8 {
			t.Errorf("quantile %v is %v, want %v or up to 12 %% more", q, got, want)
		}
	}
	total := uint64(0)
	last := time.Duration(-1)
	h.Each(func(end time.Duration, n uint64) {
		if end <= last {
			t.Errorf("bucket %v after %v", end, last)
		}
		last = end
		total += n
	})
	if total != 1002 || h.Count() != 1002 {
		t.Errorf("%d in the buckets, %d counted, want 1002", total, h.Count())
	}
}

func TestEveryValueLiesInItsBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Uint64Range(0, 1<<20).Draw(t, "us")
		i := index(us)
		d := time.Duration(us) * time.Microsecond
		if d > bound(i) || i > 0 && d <= bound(i-1) {
			t.Fatalf("%v is in bucket %d from over %v to %v", d, i, bound(i-1), bound(i))
		}
	})
}

func TestATickCostsNoMemory(t *testing.T) {
	h := still()
	for i := range int64(50) {
		h.insert(&Slot{shard: h, task: taskFunc(func(time.Time, time.Time, int) {})}, i)
	}
	ms := int64(0)
	clock := func() time.Time { return h.wheel.time(ms) }
	if n := testing.AllocsPerRun(200, func() { ms++; h.advance(clock) }); n != 0 {
		t.Errorf("%v allocations a millisecond", n)
	}
}

func BenchmarkAdvance(b *testing.B) {
	h := still()
	for i := range int64(100) {
		h.insert(&Slot{shard: h, task: taskFunc(func(time.Time, time.Time, int) {})}, i)
	}
	ms := int64(0)
	clock := func() time.Time { return h.wheel.time(ms) }
	b.ReportAllocs()
	for b.Loop() {
		ms++
		h.advance(clock)
	}
}
