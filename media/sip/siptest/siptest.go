// Package siptest holds the media tests give to package sip: it keeps what it
// was told and moves no audio. It is no stand-in for media/leg in a running
// server.
package siptest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"flametree/actors"
	"flametree/media/sip"
)

// Studio makes and remembers the media of a test. The zero Studio is ready; it
// may be used from any goroutine.
type Studio struct {
	Err error // what NewMedia fails with, nil to succeed

	mu   sync.Mutex // guards made
	made []*Media
}

// NewMedia is for sip.Options.
func (s *Studio) NewMedia(p sip.MediaParams) (sip.Media, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &Media{port: 20000 + 2*(len(s.made)%10000)}
	m.params = append(m.params, p)
	s.made = append(s.made, m)
	return m, nil
}

// Made gives the media made so far.
func (s *Studio) Made() []*Media {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Media(nil), s.made...)
}

// Unbalanced counts media that was not closed exactly once.
func (s *Studio) Unbalanced() int {
	n := 0
	for _, m := range s.Made() {
		if m.Closed() != 1 {
			n++
		}
	}
	return n
}

// Media implements sip.Media.
type Media struct {
	port   int
	closed atomic.Int32
	leg    Leg

	mu     sync.Mutex // guards what follows
	params []sip.MediaParams
	refuse error
}

// Port implements sip.Media. Nothing listens there.
func (m *Media) Port() int { return m.port }

// Leg implements sip.Media.
func (m *Media) Leg() actors.Leg { return &m.leg }

// Close implements sip.Media and counts.
func (m *Media) Close() error {
	m.closed.Add(1)
	return nil
}

// Closed is how often Close was called.
func (m *Media) Closed() int { return int(m.closed.Load()) }

// Refuse makes the next Renegotiate fail.
func (m *Media) Refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

// Renegotiate implements sip.Media.
func (m *Media) Renegotiate(p sip.MediaParams) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	m.params = append(m.params, p)
	return nil
}

// Params are all that was negotiated, in order, the first by NewMedia.
func (m *Media) Params() []sip.MediaParams {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]sip.MediaParams(nil), m.params...)
}

// Last is what was negotiated last.
func (m *Media) Last() sip.MediaParams {
	all := m.Params()
	return all[len(all)-1]
}

// Leg implements actors.Leg in silence.
type Leg struct{}

var _ actors.Leg = (*Leg)(nil)

// Start implements actors.Leg.
func (*Leg) Start(func(actors.Fact)) {}

// Hear implements actors.Leg.
func (*Leg) Hear(func([]int16), time.Duration) {}

// Play implements actors.Leg.
func (*Leg) Play(context.Context, uint64, []int16, int) error { return nil }

// Mark implements actors.Leg.
func (*Leg) Mark(_, _ uint64) {}

// End implements actors.Leg.
func (*Leg) End(uint64) {}

// Duck implements actors.Leg.
func (*Leg) Duck(float64) {}

// Pause implements actors.Leg.
func (*Leg) Pause(uint64) {}

// Resume implements actors.Leg.
func (*Leg) Resume(uint64, time.Duration) {}

// Flush implements actors.Leg.
func (*Leg) Flush(uint64) time.Duration { return 0 }

// Played implements actors.Leg.
func (*Leg) Played(uint64) time.Duration { return 0 }

// Record implements actors.Leg.
func (*Leg) Record(actors.Recorder) {}

// Tune implements actors.Leg.
func (*Leg) Tune(_, _ time.Duration) {}

// Stats implements actors.Leg.
func (*Leg) Stats() actors.LegStats { return actors.LegStats{} }

// Close implements actors.Leg.
func (*Leg) Close() error { return nil }

// Ear collects facts of a line. The zero Ear is ready.
type Ear struct {
	mu    sync.Mutex // guards facts
	facts []actors.Fact
}

// Hear is for actors.Line.Start.
func (e *Ear) Hear(f actors.Fact) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.facts = append(e.facts, f)
}

// Facts gives what was heard so far.
func (e *Ear) Facts() []actors.Fact {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]actors.Fact(nil), e.facts...)
}

// Kinds gives the kinds of what was heard so far.
func (e *Ear) Kinds() []actors.FactKind {
	var out []actors.FactKind
	for _, f := range e.Facts() {
		out = append(out, f.Kind)
	}
	return out
}
