package policy

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// HedgeOptions of Hedge.
type HedgeOptions struct {
	After  time.Duration // without a first delta, a second request; until enough is known; 0 = 1.5 s
	Least  time.Duration // of the wait that is learnt; 0 = 300 ms
	Budget *Budget       // shared with Retry; nil = without bounds
}

// The memory of first deltas from which the wait is learnt.
const (
	remembered = 128
	enough     = 20
)

// Hedge asks a second time when the first delta is late: later than 95 of 100
// of the last ones, or After while fewer than 20 are known. The first delta of
// either wins, the loser is cancelled and awaited. A completion has no effects,
// so asking twice costs money and nothing else.
func Hedge(c provider.Completer, o HedgeOptions) provider.Completer {
	if o.After <= 0 {
		o.After = 1500 * time.Millisecond
	}
	if o.Least <= 0 {
		o.Least = 300 * time.Millisecond
	}
	return &hedging{inner: c, o: o}
}

type hedging struct {
	inner provider.Completer
	o     HedgeOptions

	mu     sync.Mutex
	firsts []time.Duration // the last ones, oldest overwritten
	next   int
}

// patience is how long the first delta may take before a second request.
func (h *hedging) patience() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.firsts) < enough {
		return h.o.After
	}
	s := slices.Sorted(slices.Values(h.firsts))
	return max(h.o.Least, s[(len(s)*95+99)/100-1])
}

func (h *hedging) learn(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.firsts) < remembered {
		h.firsts = append(h.firsts, d)
		return
	}
	h.firsts[h.next] = d
	h.next = (h.next + 1) % remembered
}

// errLost is the cause that ends the slower of two requests.
var errLost = fmt.Errorf("another request was faster: %w", fault.Cancelled)

// step is one element of a racer's reply; over follows the last.
type step struct {
	who  int
	d    provider.Delta
	err  error
	over bool
}

// Complete implements provider.Completer.
func (h *hedging) Complete(ctx context.Context, q provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		ctx, cancel := within(ctx, q.Deadline)
		r := &race{inner: h.inner, q: q, steps: make(chan step)}
		defer r.wg.Wait()
		defer cancel()
		begun := time.Now()
		late := time.NewTimer(h.patience())
		defer late.Stop()
		r.start(ctx)
		first, ok := r.first(ctx, late.C, func() bool { return h.o.Budget.spend() })
		if ok && first.err == nil && !first.over {
			h.learn(time.Since(begun))
		}
		r.forward(ctx, first, yield)
	}
}

// race is one completion asked once or twice. Its goroutines end when their
// contexts do, and are awaited.
type race struct {
	inner provider.Completer
	q     provider.Request
	steps chan step
	stops []context.CancelCauseFunc
	wg    sync.WaitGroup
}

func (r *race) start(ctx context.Context) {
	ctx, stop := context.WithCancelCause(ctx)
	who := len(r.stops)
	r.stops = append(r.stops, stop)
	r.wg.Go(func() { run(ctx, r.inner, r.q, who, r.steps) })
}

// run passes one reply on until nobody wants it.
func run(ctx context.Context, c provider.Completer, q provider.Request, who int, out chan<- step) {
	tell := func(s step) bool {
		select {
		case out <- s:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for d, err := range c.Complete(ctx, q) {
		if !tell(step{who: who, d: d, err: err}) {
			return
		}
	}
	tell(step{who: who, over: true})
}

// first waits for the first delta of any racer. An error counts when no other
// racer is left. It reports false when the context ended instead.
func (r *race) first(ctx context.Context, late <-chan time.Time, granted func() bool) (step, bool) {
	lost := map[int]step{}
	for {
		select {
		case <-late:
			late = nil
			if granted() {
				r.start(ctx)
			}
		case s := <-r.steps:
			if s.err == nil && !s.over {
				return s, true
			}
			if _, known := lost[s.who]; known {
				continue // the end after an error
			}
			lost[s.who] = s
			if len(lost) == len(r.stops) {
				return lost[0], true
			}
		case <-ctx.Done():
			return step{err: over(ctx)}, false
		}
	}
}

// forward passes on the reply that begins with s, and ends the others.
func (r *race) forward(ctx context.Context, s step, yield func(provider.Delta, error) bool) {
	for i, stop := range r.stops {
		if i != s.who {
			stop(errLost)
		}
	}
	for !s.over && yield(s.d, s.err) && s.err == nil {
		var ok bool
		if s, ok = r.next(ctx, s.who); !ok {
			yield(provider.Delta{}, over(ctx))
			return
		}
	}
}

// next is the next step of one racer. What another had on its way when it lost
// is dropped. It reports false when the context ended.
func (r *race) next(ctx context.Context, who int) (step, bool) {
	for {
		select {
		case s := <-r.steps:
			if s.who == who {
				return s, true
			}
		case <-ctx.Done():
			return step{}, false
		}
	}
}

// over is the error of a request whose context ended.
func over(ctx context.Context) error {
	cause := context.Cause(ctx)
	if fault.KindOf(cause) == fault.Bug {
		return fmt.Errorf("%w: %w", fault.Cancelled, cause)
	}
	return fmt.Errorf("%w: %w", fault.KindOf(cause), cause)
}
