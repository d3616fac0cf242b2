// Package pacer is the clock of every call: one wheel of twenty slots of 1 ms,
// turned by one goroutine on its own thread for each core. A call joins a slot
// and is ticked every 20 ms; it has no ticker and no goroutine of its own.
// Measured before it was built: a ticker for each call fails near 2,400 calls
// on two cores, and costs more below that.
//
// Due times lie on one absolute schedule and never drift. After a pause of the
// process each task is ticked once and told how many ticks it missed; they are
// not made up for. The wheel does not know what its tasks send.
package pacer

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Period is the time between two ticks of a task.
const Period = 20 * time.Millisecond

const (
	grain  = time.Millisecond
	slots  = int64(Period / grain)
	window = 5 * time.Second // half of what Late looks back over
)

// Task is what is ticked. Tick runs on the shard's thread, which all of the
// shard's calls share: it must not block. Now is the time of the call, due the
// time it was due; missed counts the ticks that were left out before this one.
type Task interface {
	Tick(now, due time.Time, missed int)
}

// Options shape a Wheel. The zero value is ready.
type Options struct {
	Shards   int  // threads; default one for each core Go may use
	RealTime bool // ask the system for round-robin real-time priority
	// Hold keeps one of Go's processors for each thread also while it sleeps in
	// the kernel: to give it away and take it back a thousand times a second
	// keeps the scheduler's monitor awake. Who sets it has raised GOMAXPROCS by
	// Shards. A wheel without tasks holds none.
	Hold bool
}

// Wheel is the pacer. All methods may be called from any goroutine.
type Wheel struct {
	epoch    time.Time
	shards   []*shard
	turn     atomic.Uint32
	running  sync.WaitGroup
	stop     atomic.Bool
	realTime atomic.Int32 // shards that were granted it

	recent struct {
		mu       sync.Mutex
		old, new *Histogram
		since    time.Time
	}
	all Histogram
}

// New starts a Wheel. Its goroutines end with Close.
func New(opt Options) *Wheel {
	if opt.Shards <= 0 {
		opt.Shards = runtime.GOMAXPROCS(0)
	}
	w := &Wheel{epoch: time.Now()}
	w.recent.old, w.recent.new, w.recent.since = new(Histogram), new(Histogram), w.epoch
	for i := range opt.Shards {
		s := &shard{wheel: w, wake: make(chan struct{}, 1), hold: opt.Hold, first: int64(i % stride)}
		w.shards = append(w.shards, s)
		w.running.Go(func() { s.run(opt.RealTime) })
	}
	return w
}

// Close stops the wheel and waits for its goroutines. Slots that are left are
// ticked no more. It may be called twice.
func (w *Wheel) Close() error {
	w.stop.Store(true)
	for _, s := range w.shards {
		s.nudge()
	}
	w.running.Wait()
	return nil
}

// RealTime reports whether every shard runs with real-time priority.
func (w *Wheel) RealTime() bool { return int(w.realTime.Load()) == len(w.shards) }

// stride is how far apart the slots lie that tasks join: a thread that wakes every
// other millisecond does as much in half as many wake-ups.
const stride = 2

// Join gives t the emptiest slot of the next shard in turn. Its first tick
// comes 20 to 40 ms from now.
func (w *Wheel) Join(t Task) *Slot {
	s := w.shards[int(w.turn.Add(1))%len(w.shards)]
	s.mu.Lock()
	now := w.tick(time.Now())
	start := (now - now%stride + s.first) % slots
	best := start
	for i := int64(0); i < slots; i += stride {
		if row := (start + i) % slots; len(s.rows[row]) < len(s.rows[best]) {
			best = row
		}
	}
	at := now + slots
	at += (best - at%slots + slots) % slots
	slot := &Slot{shard: s, task: t}
	s.insert(slot, at)
	s.mu.Unlock()
	s.nudge()
	return slot
}

// Late is how late ticks were in the last five to ten seconds. One that was left
// out counts as late until the one that came.
func (w *Wheel) Late() (p50, p99 time.Duration) {
	w.recent.mu.Lock()
	defer w.recent.mu.Unlock()
	return w.recent.old.quantile(w.recent.new, 0.5), w.recent.old.quantile(w.recent.new, 0.99)
}

// Lateness is the histogram of all ticks since New, for metrics.
func (w *Wheel) Lateness() *Histogram { return &w.all }

// note takes one round's lateness, kept by the shard meanwhile.
func (w *Wheel) note(now time.Time, late []delay) {
	w.recent.mu.Lock()
	if now.Sub(w.recent.since) >= window {
		w.recent.old, w.recent.new = w.recent.new, w.recent.old
		w.recent.new.Reset()
		w.recent.since = now
	}
	for _, d := range late {
		d.into(w.recent.new)
	}
	w.recent.mu.Unlock()
	for _, d := range late {
		d.into(&w.all)
	}
}

// into counts a tick and those left out before it, which are as late as the
// packets that never went: a wheel that stood still for a second has not been
// late once by a few milliseconds. More than a second's worth is one silence.
func (d delay) into(h *Histogram) {
	for n := range min(d.missed, int(time.Second/Period)) + 1 {
		h.Add(d.of + time.Duration(n)*Period)
	}
}

// tick is the number of the millisecond t lies in.
func (w *Wheel) tick(t time.Time) int64 { return int64(t.Sub(w.epoch) / grain) }

func (w *Wheel) time(tick int64) time.Time { return w.epoch.Add(time.Duration(tick) * grain) }
