package leg

import (
	"sync"

	"flametree/actors"
)

// facts hands facts to the sink one at a time, in the order they were added,
// without holding any lock of the leg's. Whoever finds nobody delivering
// delivers for all; so the sink may call the leg, and is never called twice at
// once.
type facts struct {
	mu     sync.Mutex
	sink   func(actors.Fact)
	queue  []actors.Fact
	next   int
	busy   bool
	closed bool
}

func (f *facts) add(fact actors.Fact) {
	f.mu.Lock()
	f.queue = append(f.queue, fact)
	f.mu.Unlock()
}

func (f *facts) deliver() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy || f.sink == nil {
		return
	}
	f.busy = true
	for f.next < len(f.queue) && !f.closed {
		fact := f.queue[f.next]
		f.next++
		f.mu.Unlock()
		f.sink(fact)
		f.mu.Lock()
	}
	f.queue, f.next = f.queue[:0], 0
	f.busy = false
}

func (f *facts) open(sink func(actors.Fact)) {
	f.mu.Lock()
	f.sink = sink
	f.mu.Unlock()
}

func (f *facts) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
}
