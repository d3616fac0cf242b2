package caller

import (
	"sync"
	"time"
)

// clock sends the packets of all calls of a phone, one millisecond of the
// 20 ms round after the other.
type clock struct {
	mu    sync.Mutex
	slots [20][]*seat
	next  int
	quit  chan struct{}
	done  chan struct{}
}

type seat struct {
	s    *sound
	slot int
}

func newClock() *clock {
	c := &clock{quit: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

func (c *clock) join(s *sound) *seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := &seat{s: s, slot: c.next % len(c.slots)}
	c.next += 7 // spreads neighbours over the round
	c.slots[at.slot] = append(c.slots[at.slot], at)
	return at
}

func (c *clock) leave(at *seat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var kept []*seat
	for _, o := range c.slots[at.slot] {
		if o != at {
			kept = append(kept, o)
		}
	}
	c.slots[at.slot] = kept
}

func (c *clock) run() {
	defer close(c.done)
	begun := time.Now()
	for n := 0; ; n++ {
		select {
		case <-c.quit:
			return
		case <-time.After(time.Until(begun.Add(time.Duration(n) * time.Millisecond))):
		}
		c.mu.Lock()
		due := c.slots[n%len(c.slots)]
		c.mu.Unlock()
		now := time.Now()
		for _, at := range due {
			at.s.tick(now)
		}
	}
}

func (c *clock) stop() {
	close(c.quit)
	<-c.done
}
