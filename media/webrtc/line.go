package webrtc

import (
	"sync"
	"time"

	"flametree/actors"
)

// line implements actors.Line for a call whose signalling is frames on a socket:
// the Peer tells it what happened. All methods may be called from any goroutine.
type line struct {
	hang func(reason string)

	mu    sync.Mutex // guards what follows
	sink  func(actors.Fact)
	queue []actors.Fact
	busy  bool
	up    bool
	ended bool
}

var _ actors.Line = (*line)(nil)

// Start implements actors.Line. What happened before is told at once.
func (l *line) Start(sink func(actors.Fact)) {
	l.mu.Lock()
	l.sink = sink
	l.mu.Unlock()
	l.deliver()
}

// Up says that the browser hears what is sent. Only the first call counts.
func (l *line) Up() {
	l.mu.Lock()
	first := !l.up && !l.ended
	l.up = true
	if first {
		l.queue = append(l.queue, actors.Fact{Kind: actors.FactLineUp, At: time.Now()})
	}
	l.mu.Unlock()
	l.deliver()
}

// End says that the call is over, and why: hangup, canceled, failed or
// media_lost. Only the first call counts, and none after Hangup.
func (l *line) End(reason string) {
	l.mu.Lock()
	first := !l.ended
	l.ended = true
	if first {
		if reason == "hangup" && !l.up {
			reason = "canceled"
		}
		l.queue = append(l.queue, actors.Fact{Kind: actors.FactLineEnded, At: time.Now(), Reason: reason})
	}
	l.mu.Unlock()
	l.deliver()
}

// digit says that a key was pressed on the page.
func (l *line) digit(d byte, length time.Duration) {
	l.mu.Lock()
	if !l.ended {
		l.queue = append(l.queue, actors.Fact{Kind: actors.FactDigit, At: time.Now(), Digit: d, Length: length})
	}
	l.mu.Unlock()
	l.deliver()
}

// Hangup implements actors.Line.
func (l *line) Hangup(reason string) {
	l.mu.Lock()
	first := !l.ended
	l.ended = true
	l.mu.Unlock()
	if first && l.hang != nil {
		l.hang(reason)
	}
}

// deliver hands facts on one at a time, in their order, without the lock:
// whoever finds nobody delivering delivers for all.
func (l *line) deliver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy || l.sink == nil {
		return
	}
	l.busy = true
	for len(l.queue) > 0 {
		f := l.queue[0]
		l.queue = l.queue[1:]
		l.mu.Unlock()
		l.sink(f)
		l.mu.Lock()
	}
	l.busy = false
}
