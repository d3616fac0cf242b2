package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
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
	Language    string                      // in place of the asked one; "" = that one
	Within      func() (time.Duration, int) // its last words, as Finals.P99; nil = not measured
}

// Mouth is one of the voices of Mouths.
type Mouth struct {
	Name        string
	Synthesizer provider.Synthesizer
	// Voice is in place of the asked one where set. Names are a vendor's own: the
	// name that was asked for is the first one's, the others have theirs or their default.
	Voice  provider.Voice
	Voices map[string]string // language → name, before Voice.Name; a language without its region is tried too
}

// voice is what the i-th of a list is asked for when v is wanted.
func (m Mouth) voice(i int, v provider.Voice) provider.Voice {
	w := v
	if m.Voice.Language != "" {
		w.Language = m.Voice.Language
	}
	if m.Voice.Rate != 0 {
		w.Rate = m.Voice.Rate
	}
	if i > 0 || w.Name == "" {
		w.Name = m.Voice.Name
	}
	short, _, _ := strings.Cut(w.Language, "-")
	for _, lang := range []string{short, w.Language} {
		if name := m.Voices[lang]; name != "" {
			w.Name = name
		}
	}
	return w
}

// LineOptions of Ears and Mouths.
type LineOptions struct {
	OpenIn     time.Duration // most time to open each but the last; 0 = DefaultOpen
	FirstSound time.Duration // Mouths: most time without a sound while somebody waits for one; 0 = DefaultFirstSound
	Rest       time.Duration // how long one that failed comes after the others; 0 = 30 s
	// Chosen is told who was opened, Left who failed and why. They must not block.
	Chosen func(name string)
	Left   func(name string, err error)
	// Fell is told that somebody was opened in place of another one, who failed just
	// now or rests. It must not block.
	Fell func(from, to string)
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
	if o.Fell == nil {
		o.Fell = func(string, string) {}
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
	why   []error // of the last failure
}

func newRoster(names []string, o LineOptions) *roster {
	return &roster{o: o.filled(), names: names, until: make([]time.Time, len(names)), why: make([]error, len(names))}
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

// instead is in whose place i is asked: of those before it that rest, the one
// that failed last, and why that was; "" = nobody's.
func (r *roster) instead(i int) (name string, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, of := time.Now(), -1
	for j, t := range r.until[:i] {
		if now.Before(t) && (of < 0 || t.After(r.until[of])) {
			of = j
		}
	}
	if of < 0 {
		return "", nil
	}
	return r.names[of], r.why[of]
}

// left notes that a candidate failed. What the owner ended is no failure.
func (r *roster) left(i int, err error) {
	if fault.KindOf(err) == fault.Cancelled {
		return
	}
	r.mu.Lock()
	r.until[i], r.why[i] = time.Now().Add(r.o.Rest), err
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
			if of, _ := r.instead(i); of != "" {
				r.o.Fell(of, r.names[i])
			}
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

// Named is a stream of Ears or a voice of Mouths.
type Named interface {
	// Provider is the name of the one who was opened.
	Provider() string
	// Instead is in whose place that was, and why; "" = nobody's.
	Instead() (name string, why error)
}

// Measured is what Ears make besides: it tells how long last words take.
type Measured interface {
	P99() (took time.Duration, of int)
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
		own := f
		own.Language = cmp.Or(e.list[i].Language, f.Language)
		return e.list[i].Transcriber.Open(ctx, own)
	})
	if err != nil {
		return nil, err
	}
	x := &ear{Transcription: t, failed: func(err error) { e.r.left(i, err) }, stop: stop, name: e.list[i].Name}
	x.instead.name, x.instead.why = e.r.instead(i)
	return x, nil
}

// P99 is that of the one who would be asked now, as Finals.P99; 0 of 0 where
// it is not measured.
func (e *ears) P99() (took time.Duration, of int) {
	if order := e.r.order(); len(order) > 0 {
		if within := e.list[order[0]].Within; within != nil {
			return within()
		}
	}
	return 0, 0
}

// Provider implements Named.
func (e *ear) Provider() string { return e.name }

// Instead implements Named.
func (e *ear) Instead() (string, error) { return e.instead.name, e.instead.why }

// place is in whose place somebody was opened.
type place struct {
	name string
	why  error
}

// ear is a stream that tells the roster how it ends.
type ear struct {
	provider.Transcription
	name    string
	instead place
	failed  func(error)
	stop    context.CancelCauseFunc
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
