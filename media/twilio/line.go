package twilio

import (
	"sync"
	"time"

	"flametree/actors"
)

// Line implements actors.Line for a call whose signalling is Twilio's: others
// tell it what happened, and it is hung up by what it was made with. All methods
// may be called from any goroutine.
type Line struct {
	hang  func(reason string)
	facts facts

	mu    sync.Mutex // guards what follows
	up    bool
	ended bool
	hung  bool
}

var _ actors.Line = (*Line)(nil)

// NewLine makes a Line; hang ends the call at Twilio. It is called at most once,
// must not block, and not at all for a call that ended before.
func NewLine(hang func(reason string)) *Line { return &Line{hang: hang} }

// Start implements actors.Line. What happened before is told at once.
func (l *Line) Start(sink func(actors.Fact)) { l.facts.open(sink) }

// Up says that the caller hears what is sent. Only the first call counts.
func (l *Line) Up() {
	l.mu.Lock()
	first := !l.up && !l.ended
	l.up = true
	l.mu.Unlock()
	if first {
		l.tell(actors.Fact{Kind: actors.FactLineUp, At: time.Now()})
	}
}

// End says that the call is over, and why: hangup, canceled, failed or
// media_lost. Only the first call counts.
func (l *Line) End(reason string) {
	l.mu.Lock()
	first := !l.ended
	l.ended = true
	l.mu.Unlock()
	if first {
		l.tell(actors.Fact{Kind: actors.FactLineEnded, At: time.Now(), Reason: reason})
	}
}

func (l *Line) tell(f actors.Fact) {
	l.facts.add(f)
	l.facts.deliver()
}

// Hangup implements actors.Line.
func (l *Line) Hangup(reason string) {
	l.mu.Lock()
	do := !l.hung && !l.ended
	l.hung = true
	l.mu.Unlock()
	if do && l.hang != nil {
		l.hang(reason)
	}
}
