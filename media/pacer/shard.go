package pacer

import (
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

// Move makes due, rounded up to the wheel's next millisecond, the time of the
// next tick; from there it goes on every 20 ms. A time less than 20 ms ahead
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
	h.insert(s, h.wheel.tick(due.Add(grain-1)))
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

	mu    sync.Mutex
	rows  [slots][]*Slot
	count int

	// The goroutine's own.
	last   int64 // newest millisecond that is done
	round  []turn
	late   []delay // not noted yet
	judged int     // of them
	grip   grip
	thread thread
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

// run turns the shard until the wheel is closed.
func (h *shard) run(realTime bool) {
	h.thread = thread{wheel: h.wheel, may: realTime, alarm: newAlarm()}
	defer h.thread.end()
	h.last = h.wheel.tick(time.Now())
	for !h.wheel.stop.Load() {
		next, ok := h.next()
		if !ok {
			h.thread.hold(false) // nobody to be late for
			<-h.wake
			h.last = max(h.last, h.wheel.tick(time.Now())-1)
			continue
		}
		if wait := time.Until(h.wheel.time(next)); wait > 0 {
			h.thread.sleep(wait)
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
	if len(h.late) > h.judged {
		h.judge(clock())
	}
}

// judge looks at how late the round was. While the priority can still be taken,
// lateness is told only when it is known whether it will be: what it cures is no
// reason to refuse calls.
func (h *shard) judge(now time.Time) {
	want, looked := h.grip.see(now, h.late[h.judged:])
	h.judged = len(h.late)
	if h.thread.curable() && !looked {
		return
	}
	cured := h.thread.hold(want)
	h.wheel.note(now, h.late, cured)
	h.late, h.judged = h.late[:0], 0
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
