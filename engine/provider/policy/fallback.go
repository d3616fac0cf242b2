package policy

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// DefaultFirstToken is LLM_FIRST_TOKEN_TIMEOUT_MS where it is not set.
const DefaultFirstToken = 2500 * time.Millisecond

// Candidate is one of the models of a Fallback.
type Candidate struct {
	Name      string // for errors and traces
	Completer provider.Completer
	Model     string // in place of the request's; "" = the request's
}

// FallbackOptions of Fallback.
type FallbackOptions struct {
	FirstToken time.Duration // most time to the first delta of each but the last; 0 = DefaultFirstToken
	// Chosen is told which candidate answers, before its first delta. It must not
	// block and is called from the goroutine that reads the reply. nil = nobody is.
	Chosen func(name string)
}

// errSlow is the cause that ends a request whose first delta is late. A
// breaker counts it as a failure of the provider.
var errSlow = fmt.Errorf("the first word did not come in time: %w", fault.Unavailable)

// firstBy is the key under which a context says when the first delta is due, so
// that Retry does not wait for what would come later.
type firstBy struct{}

// Fallback asks the candidates in their order until one begins to answer. A
// candidate that fails, or that says nothing within FirstToken, is left; the
// last one may take as long as the deadline lets it. After the first delta an
// error ends the reply. If all fail, the error names each.
//
// A candidate must end when its context does, as the contract says.
func Fallback(list []Candidate, o FallbackOptions) provider.Completer {
	if o.FirstToken <= 0 {
		o.FirstToken = DefaultFirstToken
	}
	if o.Chosen == nil {
		o.Chosen = func(string) {}
	}
	return fallback{list: list, o: o}
}

type fallback struct {
	list []Candidate
	o    FallbackOptions
}

// Complete implements provider.Completer.
func (f fallback) Complete(ctx context.Context, q provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		ctx, cancel := within(ctx, q.Deadline)
		defer cancel()
		var failed []error
		for i, c := range f.list {
			begun, err := f.try(ctx, c, q, i == len(f.list)-1, yield)
			if err == nil {
				return
			}
			err = fmt.Errorf("%s: %w", c.Name, err)
			if begun {
				yield(provider.Delta{}, err)
				return
			}
			if failed = append(failed, err); ctx.Err() != nil {
				break
			}
		}
		switch len(failed) {
		case 0:
			yield(provider.Delta{}, fmt.Errorf("no model is set: %w", fault.NotFound))
		case 1:
			yield(provider.Delta{}, failed[0])
		default:
			yield(provider.Delta{}, errors.Join(failed...))
		}
	}
}

// try asks one candidate. It reports whether something was passed on.
func (f fallback) try(ctx context.Context, c Candidate, q provider.Request, last bool, yield func(provider.Delta, error) bool) (begun bool, failed error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	late := time.AfterFunc(f.o.FirstToken, func() { stop(errSlow) })
	defer late.Stop()
	if last {
		late.Stop()
	} else {
		ctx = context.WithValue(ctx, firstBy{}, time.Now().Add(f.o.FirstToken))
	}
	if c.Model != "" {
		q.Model = c.Model
	}
	for d, err := range c.Completer.Complete(ctx, q) {
		if errors.Is(context.Cause(ctx), errSlow) && !begun {
			return false, errSlow // also a delta that came in the same moment: its reply is ended
		}
		if err != nil {
			return begun, err
		}
		if !begun {
			if !last && !late.Stop() {
				return false, errSlow
			}
			begun = true
			f.o.Chosen(c.Name)
		}
		if !yield(d, nil) {
			return true, nil
		}
	}
	if !begun {
		if errors.Is(context.Cause(ctx), errSlow) {
			return false, errSlow
		}
		return false, fmt.Errorf("it answered nothing: %w", fault.Unavailable)
	}
	return true, nil
}
