package policy

import (
	"context"
	"errors"
	"iter"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// RetryOptions of Retry.
type RetryOptions struct {
	Attempts int            // with the first; 0 = 3
	Base     time.Duration  // the first wait is 0 to Base, the next 0 to twice that; 0 = 250 ms
	Most     time.Duration  // of one wait; 0 = 4 s
	Budget   *Budget        // shared by all that ask this provider; nil = without bounds
	Chance   func() float64 // 0 up to 1, safe for concurrent use; nil = always the whole wait
}

func (o RetryOptions) whole() RetryOptions {
	if o.Attempts <= 0 {
		o.Attempts = 3
	}
	if o.Base <= 0 {
		o.Base = 250 * time.Millisecond
	}
	if o.Most <= 0 {
		o.Most = 4 * time.Second
	}
	if o.Chance == nil {
		o.Chance = func() float64 { return 1 }
	}
	return o
}

// Retry asks again what failed as fault.Unavailable or fault.Exhausted before
// its first delta, after a wait with full jitter or what the vendor asked for,
// whichever is longer. It does not wait for what would come after the deadline,
// or after a Fallback's FirstToken, but ends at once with the error. An open
// breaker is not asked again.
func Retry(c provider.Completer, o RetryOptions) provider.Completer {
	return retrying{inner: c, o: o.whole()}
}

type retrying struct {
	inner provider.Completer
	o     RetryOptions
}

// Complete implements provider.Completer.
func (r retrying) Complete(ctx context.Context, q provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		ctx, cancel := within(ctx, q.Deadline)
		defer cancel()
		r.o.Budget.earn()
		for n := 0; ; n++ {
			passed := false
			var failed error
			for d, err := range r.inner.Complete(ctx, q) {
				if failed = err; err != nil {
					break
				}
				passed = true
				if !yield(d, nil) {
					return
				}
			}
			if failed == nil {
				return
			}
			if passed || !r.o.again(ctx, n, failed) {
				yield(provider.Delta{}, failed)
				return
			}
		}
	}
}

// RetryEmbedder is Retry for an Embedder.
func RetryEmbedder(e provider.Embedder, o RetryOptions) provider.Embedder {
	return retryingEmbedder{Embedder: e, o: o.whole()}
}

type retryingEmbedder struct {
	provider.Embedder
	o RetryOptions
}

// Embed implements provider.Embedder.
func (r retryingEmbedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	r.o.Budget.earn()
	for n := 0; ; n++ {
		v, err := r.Embedder.Embed(ctx, texts)
		if err == nil || !r.o.again(ctx, n, err) {
			return v, err
		}
	}
}

// again waits before try n+1 and reports whether it should happen.
func (o RetryOptions) again(ctx context.Context, n int, failed error) bool {
	k := fault.KindOf(failed)
	if n+1 >= o.Attempts || ctx.Err() != nil || errors.Is(failed, ErrOpen) || k != fault.Unavailable && k != fault.Exhausted {
		return false
	}
	wait := o.Most
	if n < 16 { // beyond, the shift is longer than any Most
		wait = min(o.Most, o.Base<<n)
	}
	wait = max(time.Duration(o.Chance()*float64(wait)), asked(failed))
	due, waited := ctx.Value(firstBy{}).(time.Time)
	if at, ok := ctx.Deadline(); ok && time.Until(at) <= wait || waited && time.Until(due) <= wait {
		return false
	}
	if !o.Budget.spend() {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// asked is how long the vendor wants to be left alone.
func asked(err error) time.Duration {
	var w interface{ RetryAfter() time.Duration }
	if errors.As(err, &w) {
		return w.RetryAfter()
	}
	return 0
}

func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
