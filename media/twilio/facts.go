package twilio

import (
	"sync"

	"flametree/actors"
)

// facts hands facts to the sink one at a time, in the order they were added, and
// holds no lock while it does: whoever finds nobody delivering delivers for all.
type facts struct {
	mu     sync.Mutex
	sink   func(actors.Fact)
	queue  []actors.Fact
	busy   bool
	closed bool
}

func (f *facts) add(one actors.Fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.queue = append(f.queue, one)
	}
}

// deliver must be called without any lock of the leg's.
func (f *facts) deliver() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy || f.sink == nil {
		return
	}
	f.busy = true
	for len(f.queue) > 0 {
		one := f.queue[0]
		f.queue = f.queue[1:]
		f.mu.Unlock()
		f.sink(one)
		f.mu.Lock()
	}
	f.queue, f.busy = nil, false
}

// open gives the sink, once.
func (f *facts) open(sink func(actors.Fact)) {
	f.mu.Lock()
	if f.sink == nil {
		f.sink = sink
	}
	f.mu.Unlock()
	f.deliver()
}

// close drops what comes from now on, and what was not delivered.
func (f *facts) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue, f.closed = nil, true
}
