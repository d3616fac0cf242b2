package actorstest

import (
	"context"
	"sync"
	"testing"
	"time"

	"flametree/actors"
	"flametree/engine/event"
)

// Exchange is the telephone network behind a House: it answers what is dialled
// and joins legs. It implements actors.Dialler and actors.Studio. Its fields are
// set before the first call.
type Exchange struct {
	Trace *Trace
	Rings time.Duration // before anybody answers
	Fails error         // in place of an answer
	// Answers makes what answers; nil is a Phone that is up.
	Answers func(d actors.Dialling) *Phone

	mu     sync.Mutex
	dialed []actors.Dialling
	phones []*Phone
}

var (
	_ actors.Dialler = (*Exchange)(nil)
	_ actors.Studio  = (*Exchange)(nil)
)

// Dial implements actors.Dialler.
func (x *Exchange) Dial(ctx context.Context, d actors.Dialling, progress func(actors.DialProgress)) (actors.Leg, actors.Line, error) {
	x.mu.Lock()
	x.dialed = append(x.dialed, d)
	x.mu.Unlock()
	x.Trace.Add("dial " + d.To)
	progress(actors.DialProgress{Stage: "ringing", Code: 180})
	ring := x.Rings
	if d.Ring > 0 && ring > d.Ring {
		ring = d.Ring
	}
	select {
	case <-time.After(ring):
	case <-ctx.Done():
		x.Trace.Add("cancel " + d.To)
		return nil, nil, &actors.NotReached{Status: event.Canceled, Reason: "canceled", Code: 487}
	}
	switch {
	case x.Fails != nil:
		return nil, nil, x.Fails
	case ring < x.Rings:
		return nil, nil, &actors.NotReached{Status: event.NoAnswer, Reason: "no_answer", Code: 408}
	}
	p := NewPhone(x.Trace)
	if x.Answers != nil {
		p = x.Answers(d)
	}
	x.mu.Lock()
	x.phones = append(x.phones, p)
	x.mu.Unlock()
	return p, p.Line, nil
}

// Dialled are the calls that were placed.
func (x *Exchange) Dialled() []actors.Dialling {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]actors.Dialling(nil), x.dialed...)
}

// Phone is the n-th phone that answered, from 0.
func (x *Exchange) Phone(n int) *Phone {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n >= len(x.phones) {
		return nil
	}
	return x.phones[n]
}

// Music implements actors.Studio.
func (x *Exchange) Music(actors.Leg) (stop func()) {
	x.Trace.Add("music")
	var once sync.Once
	return func() { once.Do(func() { x.Trace.Add("music ends") }) }
}

// Join implements actors.Studio.
func (x *Exchange) Join(_, _ actors.Leg) (part func()) {
	x.Trace.Add("join")
	var once sync.Once
	return func() { once.Do(func() { x.Trace.Add("part") }) }
}

// Referral is what a Line's other end does when it is asked to call somebody else.
type Referral struct {
	Takes time.Duration
	Err   error
}

// refer waits for the outcome of a referral.
func (l *Line) refer(ctx context.Context, what string) error {
	l.trace.Add(what)
	l.mu.Lock()
	r := l.referral
	l.mu.Unlock()
	if r == nil {
		return &actors.NotReached{Status: event.Failed, Reason: "unsupported", Code: 501}
	}
	select {
	case <-time.After(r.Takes):
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Refer implements actors.Referrer.
func (l *Line) Refer(ctx context.Context, target string, _ func(int)) error {
	return l.refer(ctx, "refer "+target)
}

// ReferTo implements actors.Referrer.
func (l *Line) ReferTo(ctx context.Context, _ actors.Line, _ func(int)) error {
	return l.refer(ctx, "refer to the other call")
}

// Refers says what the other end does when asked; without it, it knows no transfers.
func (l *Line) Refers(r Referral) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.referral = &r
}

// Placed asks for an outbound call and fails the test unless it is accepted.
func (h *House) Placed(t testing.TB, name, to string) {
	t.Helper()
	_, err := h.Dir.Ask(t.Context(), h.Call(name), &actors.Place{
		Session: name, Dial: actors.Dialling{Tenant: h.Tenant, Agent: "echo", To: to, From: "+100"},
		Born: event.SessionCreated{
			Agent: "echo", Revision: 1, Conversation: name, Channel: "sip", Call: h.Call(name).Name,
			Greeting: h.Cast.Revision.SpokenGreeting(), Timeout: time.Hour,
		},
	})
	if err != nil {
		t.Fatalf("call not placed: %v", err)
	}
}
