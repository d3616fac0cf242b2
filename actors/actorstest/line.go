package actorstest

import (
	"sync"
	"time"

	"flametree/actors"
)

// Line is the signalling beside a Phone. Its exported deeds but Start and
// Hangup are the peer's.
type Line struct {
	trace *Trace
	mu    sync.Mutex
	sink  func(actors.Fact)
	early []actors.Fact
	ended []string

	referral *Referral
	signals  []actors.Signal
	owner    actors.ID
}

var _ actors.Line = (*Line)(nil)

// Start implements actors.Line.
func (l *Line) Start(sink func(actors.Fact)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sink = sink
	for _, f := range l.early { // what happened before is told first
		f.At = time.Now()
		sink(f)
	}
	l.early = nil
}

// Hangup implements actors.Line.
func (l *Line) Hangup(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trace.Add("hang up " + reason)
	l.ended = append(l.ended, reason)
}

// Ended are the reasons for which our side hung up, one a time.
func (l *Line) Ended() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.ended...)
}

func (l *Line) tell(f actors.Fact) {
	l.mu.Lock()
	sink := l.sink
	if sink == nil {
		l.early = append(l.early, f)
	}
	l.mu.Unlock()
	f.At = time.Now()
	if sink != nil {
		sink(f)
	}
}

// Up confirms the dialog: the peer's ACK came.
func (l *Line) Up() { l.tell(actors.Fact{Kind: actors.FactLineUp}) }

// Hold puts us on hold.
func (l *Line) Hold() { l.tell(actors.Fact{Kind: actors.FactLineHeld}) }

// Unhold takes us off hold.
func (l *Line) Unhold() { l.tell(actors.Fact{Kind: actors.FactLineResumed}) }

// Replaced says that another line was answered in place of this one.
func (l *Line) Replaced() {
	l.tell(actors.Fact{Kind: actors.FactLineReplaced})
	l.End("hangup")
}

// Own implements actors.Owned.
func (l *Line) Own(by actors.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owner = by
}

// Owner is whose the line is.
func (l *Line) Owner() actors.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner
}

// End has the peer, or the network, end the call.
func (l *Line) End(reason string) {
	l.tell(actors.Fact{Kind: actors.FactLineEnded, Reason: reason})
}
