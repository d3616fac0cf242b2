package pacer

import (
	"runtime"
	"sync"
	"time"
)

// Slot is a task's place on the wheel. All methods may be called from any
// goroutine, Tick included.
type Slot struct {
	shard *shard
	task  Task
	// Guarded by the shard's mutex.
	due   int64
	place int // in its row
	gone  bool
}

// Next is when the task is due next.
func (s *Slot) Next() time.Time {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	return s.shard.wheel.time(s.due)
}

// Move makes due, rounded up to the next time at which the thread wakes for calls,
// two milliseconds at most, the time of the next tick; from there it goes on every 20 ms. A time less than 20 ms ahead
// may be met late, for the shard may be asleep. A tick that was due before Move
// may still come after it: the task must know its own time.
func (s *Slot) Move(due time.Time) {
	h := s.shard
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.gone {
		return
	}
	h.remove(s)
	at := h.wheel.tick(due.Add(grain - 1))
	h.insert(s, at+(at-h.first)%stride)
}

// Beside gives another task the same time on the same thread.
func (s *Slot) Beside(t Task) *Slot {
	h := s.shard
	h.mu.Lock()
	defer h.mu.Unlock()
	other := &Slot{shard: h, task: t}
	h.insert(other, s.due)
	return other
}

// Leave takes the task off the wheel. A tick that is under way is not waited
// for. It may be called twice.
func (s *Slot) Leave() {
	h := s.shard
	h.mu.Lock()
	defer h.mu.Unlock()
	if !s.gone {
		h.remove(s)
		s.gone = true
	}
}

// shard is one thread's share of the wheel.
type shard struct {
	wheel *Wheel
	wake  chan struct{}
	hold  bool
	first int64 // of the slots that tasks join

	mu    sync.Mutex
	rows  [slots][]*Slot
	count int

	// The goroutine's own.
	last  int64 // newest millisecond that is done
	round []turn
	late  []delay
}

// delay is how late a tick came, and how many before it were left out.
type delay struct {
	of     time.Duration
	missed int
}

// turn is one tick to give.
type turn struct {
	task   Task
	due    int64
	missed int
}

// insert and remove are called with the mutex held.
func (h *shard) insert(s *Slot, due int64) {
	s.due = due
	row := &h.rows[due%slots]
	s.place = len(*row)
	*row = append(*row, s)
	h.count++
}

func (h *shard) remove(s *Slot) {
	row := &h.rows[s.due%slots]
	end := len(*row) - 1
	moved := (*row)[end]
	(*row)[s.place], moved.place = moved, s.place
	(*row)[end] = nil
	*row = (*row)[:end]
	h.count--
}

func (h *shard) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run turns the shard until the wheel is closed. The thread is never unlocked:
// it may have been given a priority, and ends with the goroutine.
func (h *shard) run(realTime bool) {
	runtime.LockOSThread()
	if realTime && raise() == nil {
		h.wheel.realTime.Add(1)
	}
	h.last = h.wheel.tick(time.Now())
	for !h.wheel.stop.Load() {
		next, ok := h.next()
		if !ok {
			<-h.wake
			h.last = max(h.last, h.wheel.tick(time.Now())-1)
			continue
		}
		if wait := time.Until(h.wheel.time(next)); wait > 0 {
			sleep(wait, h.hold)
		}
		h.advance(time.Now)
	}
}

// next is the first millisecond after the last with anybody in its row. It is
// at most 20 ms away, so a slot that joins or moves meanwhile is not missed.
func (h *shard) next() (int64, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == 0 {
		return 0, false
	}
	for at := h.last + 1; at < h.last+slots; at++ {
		if len(h.rows[at%slots]) > 0 {
			return at, true
		}
	}
	return h.last + slots, true
}

// advance gives every tick that is due. After a pause longer than the wheel's
// round each row still comes up once.
func (h *shard) advance(clock func() time.Time) {
	now := h.wheel.tick(clock())
	for at := max(h.last+1, now-slots+1); at <= now; at++ {
		h.collect(at)
		for _, t := range h.round {
			begun, due := clock(), h.wheel.time(t.due)
			h.late = append(h.late, delay{begun.Sub(due), t.missed})
			t.task.Tick(begun, due, t.missed)
		}
	}
	h.last = max(h.last, now)
	if len(h.late) > 0 {
		h.wheel.note(clock(), h.late)
		h.late = h.late[:0]
	}
}

// collect takes the slots that are due in this millisecond and moves each on
// by its period first, so that Move from anywhere has the last word. Ticks run
// without the mutex.
func (h *shard) collect(at int64) {
	clear(h.round)
	h.round = h.round[:0]
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.rows[at%slots] {
		if s.due > at {
			continue
		}
		missed := (at - s.due) / slots
		s.due = at + slots
		h.round = append(h.round, turn{s.task, at, int(missed)})
	}
}
