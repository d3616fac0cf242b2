package policy

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// DefaultOpen is how long a recogniser or a voice may take to open, and
// DefaultFirstSound how long the next sound of a clause may take.
const (
	DefaultOpen       = 3 * time.Second
	DefaultFirstSound = 1500 * time.Millisecond
	defaultRest       = 30 * time.Second
)

// Ear is one of the recognisers of Ears.
type Ear struct {
	Name        string // for errors and traces
	Transcriber provider.Transcriber
}

// Mouth is one of the voices of Mouths.
type Mouth struct {
	Name        string
	Synthesizer provider.Synthesizer
	Voice       provider.Voice // in place of the asked one where set: names are a vendor's own
}

// LineOptions of Ears and Mouths.
type LineOptions struct {
	OpenIn     time.Duration // most time to open each but the last; 0 = DefaultOpen
	FirstSound time.Duration // Mouths: most time without a sound while somebody waits for one; 0 = DefaultFirstSound
	Rest       time.Duration // how long one that failed comes after the others; 0 = 30 s
	// Chosen is told who was opened, Left who failed and why. They must not block.
	Chosen func(name string)
	Left   func(name string, err error)
}

func (o LineOptions) filled() LineOptions {
	if o.OpenIn <= 0 {
		o.OpenIn = DefaultOpen
	}
	if o.FirstSound <= 0 {
		o.FirstSound = DefaultFirstSound
	}
	if o.Rest <= 0 {
		o.Rest = defaultRest
	}
	if o.Chosen == nil {
		o.Chosen = func(string) {}
	}
	if o.Left == nil {
		o.Left = func(string, error) {}
	}
	return o
}

// roster is the order in which candidates are asked: those that failed lately
// come last, whoever failed longest ago before the others.
type roster struct {
	o     LineOptions
	names []string

	mu    sync.Mutex
	until []time.Time
}

func newRoster(names []string, o LineOptions) *roster {
	return &roster{o: o.filled(), names: names, until: make([]time.Time, len(names))}
}

func (r *roster) order() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	var fit, resting []int
	for i, t := range r.until {
		if now.Before(t) {
			resting = append(resting, i)
		} else {
			fit = append(fit, i)
		}
	}
	slices.SortStableFunc(resting, func(a, b int) int { return r.until[a].Compare(r.until[b]) })
	return append(fit, resting...)
}

// left notes that a candidate failed. What the owner ended is no failure.
func (r *roster) left(i int, err error) {
	if fault.KindOf(err) == fault.Cancelled {
		return
	}
	r.mu.Lock()
	r.until[i] = time.Now().Add(r.o.Rest)
	r.mu.Unlock()
	r.o.Left(r.names[i], err)
}

// errLate is the cause that ends an opening that takes too long.
var errLate = fmt.Errorf("it did not open in time: %w", fault.Unavailable)

// open asks the candidates in their order until one opens. stop ends what was
// opened, and must be called when nobody wants it any more.
func open[T any](ctx context.Context, r *roster, ask func(ctx context.Context, i int) (T, error)) (line T, i int, stop context.CancelCauseFunc, err error) {
	var failed []error
	all := r.order()
	for n, i := range all {
		in, stop := context.WithCancelCause(ctx)
		late := time.AfterFunc(r.o.OpenIn, func() { stop(errLate) })
		if n == len(all)-1 {
			late.Stop()
		}
		line, err := ask(in, i)
		if !late.Stop() && n < len(all)-1 { // what was opened in the same moment is ended by its context
			err = errLate
		}
		if err == nil {
			r.o.Chosen(r.names[i])
			return line, i, stop, nil
		}
		stop(nil)
		if ctx.Err() != nil {
			return line, i, nil, fmt.Errorf("%s: %w: %w", r.names[i], fault.Cancelled, ctx.Err())
		}
		r.left(i, err)
		failed = append(failed, fmt.Errorf("%s: %w", r.names[i], err))
	}
	if len(failed) == 0 {
		failed = append(failed, fmt.Errorf("none is set: %w", fault.NotFound))
	}
	return line, 0, nil, errors.Join(failed...)
}

// Ears is a recogniser made of several: the first that opens is taken. One whose
// stream fails is left alone for Rest, and the stream ends with its error: the
// owner opens again, as it does for a single recogniser, and gets the next one.
// What was said meanwhile is given to it by the owner too, out of its ring (rule
// g of engine/turn: at most 5 s): that rule stands in one place and holds for one
// recogniser as for many.
func Ears(list []Ear, o LineOptions) provider.Transcriber {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name
	}
	return &ears{list: list, r: newRoster(names, o)}
}

type ears struct {
	list []Ear
	r    *roster
}

var _ provider.Preparer = (*ears)(nil)

// Prepare implements provider.Preparer for those that want it.
func (e *ears) Prepare(h provider.Hints) error {
	var failed []error
	for _, x := range e.list {
		if p, ok := x.Transcriber.(provider.Preparer); ok {
			if err := p.Prepare(h); err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", x.Name, err))
			}
		}
	}
	return errors.Join(failed...)
}

// Open implements provider.Transcriber.
func (e *ears) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	t, i, stop, err := open(ctx, e.r, func(ctx context.Context, i int) (provider.Transcription, error) {
		return e.list[i].Transcriber.Open(ctx, f)
	})
	if err != nil {
		return nil, err
	}
	return &ear{Transcription: t, failed: func(err error) { e.r.left(i, err) }, stop: stop, name: e.list[i].Name}, nil
}

// ear is a stream that tells the roster how it ends.
type ear struct {
	provider.Transcription
	name   string
	failed func(error)
	stop   context.CancelCauseFunc
}

// Heard implements provider.Transcription.
func (e *ear) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		defer e.stop(nil)
		for h, err := range e.Transcription.Heard() {
			if err != nil {
				e.failed(err)
				err = fmt.Errorf("%s: %w", e.name, err)
			}
			if !yield(h, err) {
				return
			}
		}
	}
}
