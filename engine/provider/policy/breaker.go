package policy

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// ErrOpen is the error of a provider that is left alone for a while. It is a
// fault.Unavailable; a fallback takes over at once.
var ErrOpen = fmt.Errorf("the provider failed too often and is left alone for now: %w", fault.Unavailable)

// BreakerOptions of a Breaker.
type BreakerOptions struct {
	Window int           // outcomes that are looked at; 0 = 20
	Least  int           // outcomes before anything is decided; 0 = 6
	Share  float64       // of failures that opens it; 0 = 0.5
	Open   time.Duration // how long it stays open; doubles with each failed trial up to ten times that; 0 = 10 s
}

// BreakerState is one of the three below.
type BreakerState string

// The states of a Breaker.
const (
	Closed   BreakerState = "closed"    // asked as usual
	Open     BreakerState = "open"      // not asked
	HalfOpen BreakerState = "half open" // one request may try
)

// Breaker stops asking a provider that fails. One Breaker belongs to one
// provider, whoever asks it. It is safe for concurrent use.
type Breaker struct {
	o BreakerOptions

	mu       sync.Mutex
	outcomes []bool // true = failed; the last Window ones
	next     int
	state    BreakerState
	until    time.Time     // when open: the end of it
	pause    time.Duration // the length of the next opening
	trying   bool          // half open: the one request is under way
	opened   uint64
}

// NewBreaker is a closed breaker.
func NewBreaker(o BreakerOptions) *Breaker {
	if o.Window <= 0 {
		o.Window = 20
	}
	if o.Least <= 0 {
		o.Least = 6
	}
	o.Least = min(o.Least, o.Window)
	if o.Share <= 0 || o.Share > 1 {
		o.Share = 0.5
	}
	if o.Open <= 0 {
		o.Open = 10 * time.Second
	}
	return &Breaker{o: o, state: Closed, pause: o.Open}
}

// State is the state now, and how often the breaker opened since the start.
func (b *Breaker) State() (state BreakerState, opened uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open && !time.Now().Before(b.until) {
		return HalfOpen, b.opened
	}
	return b.state, b.opened
}

// enter asks to be let through.
func (b *Breaker) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open && !time.Now().Before(b.until) {
		b.state = HalfOpen
	}
	if b.state == Open || b.state == HalfOpen && b.trying {
		return ErrOpen
	}
	b.trying = b.state == HalfOpen
	return nil
}

// verdict is what a request says about its provider.
type verdict int

const (
	neither verdict = iota // nobody waited for the end
	good
	bad
)

// leave tells how a request that was let through ended.
func (b *Breaker) leave(v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state == HalfOpen && b.trying:
		b.trying = false
		switch v {
		case good:
			b.state, b.outcomes, b.next, b.pause = Closed, nil, 0, b.o.Open
		case bad:
			b.open()
		case neither:
		}
	case b.state == Closed && v != neither:
		b.count(v == bad)
	}
}

func (b *Breaker) count(failed bool) {
	if len(b.outcomes) < b.o.Window {
		b.outcomes = append(b.outcomes, failed)
	} else {
		b.outcomes[b.next] = failed
		b.next = (b.next + 1) % b.o.Window
	}
	n := 0
	for _, f := range b.outcomes {
		if f {
			n++
		}
	}
	if failed && len(b.outcomes) >= b.o.Least && float64(n) >= b.o.Share*float64(len(b.outcomes)) {
		b.open()
	}
}

func (b *Breaker) open() {
	b.state, b.until = Open, time.Now().Add(b.pause)
	b.opened++
	b.pause = min(2*b.pause, 10*b.o.Open)
}

// judged says what the outcome of a request means. What is the caller's fault
// says nothing about the provider; a request that was ended because the provider
// was too slow does.
func judged(ctx context.Context, err error, answered bool) verdict {
	if errors.Is(context.Cause(ctx), errSlow) {
		return bad
	}
	if err == nil {
		if answered {
			return good
		}
		return neither
	}
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Exhausted:
		return bad
	case fault.Invalid, fault.Denied, fault.NotFound, fault.Conflict:
		return good // it is there and says what is wrong
	case fault.Cancelled, fault.Bug:
	}
	return neither
}

// Completer is c behind the breaker.
func (b *Breaker) Completer(c provider.Completer) provider.Completer {
	return observed{inner: c, enter: b.enter, leave: func(v verdict, _ error) { b.leave(v) }}
}

// Embedder is e behind the breaker.
func (b *Breaker) Embedder(e provider.Embedder) provider.Embedder {
	return observedEmbedder{Embedder: e, enter: b.enter, leave: func(v verdict, _ error) { b.leave(v) }}
}

// observed tells how each request ended.
type observed struct {
	inner provider.Completer
	enter func() error
	leave func(verdict, error)
}

// Complete implements provider.Completer.
func (o observed) Complete(ctx context.Context, q provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		if err := o.enter(); err != nil {
			yield(provider.Delta{}, err)
			return
		}
		answered := false
		var failed error
		defer func() { o.leave(judged(ctx, failed, answered), failed) }()
		for d, err := range o.inner.Complete(ctx, q) {
			failed, answered = err, answered || err == nil
			if !yield(d, err) {
				return
			}
		}
	}
}

type observedEmbedder struct {
	provider.Embedder
	enter func() error
	leave func(verdict, error)
}

// Embed implements provider.Embedder.
func (o observedEmbedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if err := o.enter(); err != nil {
		return nil, err
	}
	v, err := o.Embedder.Embed(ctx, texts)
	o.leave(judged(ctx, err, err == nil), err)
	return v, err
}
