// Package flite is the built-in voice: it renders English speech with flite
// (Carnegie Mellon, BSD licence), in this process and without a key. It speaks
// words only: figures and addresses are turned into words before, by package
// spoken. It offers no other language and no emphasis.
//
// flite counts references to a voice's data without locks, so one utterance is
// rendered at a time in a process. That costs 1 % of a core per second of
// speech and a clause is done in some tens of milliseconds; whoever speaks on
// hundreds of calls at once wants a vendor.
package flite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Options of a Synthesizer.
type Options struct {
	Voice string // default slt
}

// Synthesizer implements provider.Synthesizer.
type Synthesizer struct{ voice int }

var _ provider.Synthesizer = (*Synthesizer)(nil)

// New prepares flite's voices.
func New(opt Options) (*Synthesizer, error) {
	engine().ready()
	n, err := find(cmp.Or(opt.Voice, "slt"))
	if err != nil {
		return nil, err
	}
	return &Synthesizer{voice: n}, nil
}

// Voices lists the names that a provider.Voice may have.
func Voices() []string {
	engine().ready()
	return names()
}

func find(name string) (int, error) {
	for i, v := range names() {
		if v == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("voice %q is not one of %v: %w", name, names(), fault.Invalid)
}

// maxQueued bounds the clauses that wait to be rendered.
const maxQueued = 256

// Open implements provider.Synthesizer.
func (s *Synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	n := s.voice
	if v.Name != "" {
		var err error
		if n, err = find(v.Name); err != nil {
			return nil, err
		}
	}
	rate := v.Rate
	if rate == 0 {
		rate = 1
	}
	if rate < 0.25 || rate > 4 {
		return nil, fmt.Errorf("rate %v is not between 0.25 and 4: %w", rate, fault.Invalid)
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &speech{
		ctx: ctx, cancel: cancel, voice: n, stretch: float32(1 / rate),
		in: make(chan clause, maxQueued), out: make(chan provider.Audio, 8), done: make(chan struct{}),
	}
	go p.run()
	return p, nil
}

type clause struct {
	text    string
	gen, id uint64
}

// speech implements provider.Speech. It has one goroutine, which renders.
type speech struct {
	ctx     context.Context
	cancel  context.CancelFunc
	voice   int
	stretch float32
	in      chan clause
	out     chan provider.Audio
	done    chan struct{}
	dropped atomic.Uint64 // generations up to this one are cancelled
	once    sync.Once
}

// Speak implements provider.Speech.
func (p *speech) Speak(text string, gen, id uint64) error {
	select {
	case <-p.ctx.Done():
		return fmt.Errorf("voice is closed: %w", fault.Cancelled)
	default:
	}
	select {
	case p.in <- clause{text: text, gen: gen, id: id}:
		return nil
	default:
		return fmt.Errorf("%d clauses wait for the voice: %w", maxQueued, fault.Exhausted)
	}
}

// Cancel implements provider.Speech.
func (p *speech) Cancel(gen uint64) {
	for {
		old := p.dropped.Load()
		if gen <= old || p.dropped.CompareAndSwap(old, gen) {
			return
		}
	}
}

// Audio implements provider.Speech.
func (p *speech) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			select {
			case a := <-p.out:
				if a.Gen <= p.dropped.Load() {
					continue
				}
				if !yield(a, nil) { // Close ends the speech; a break is only a pause
					return
				}
			case <-p.done:
				return
			}
		}
	}
}

// Close implements provider.Speech.
func (p *speech) Close() error {
	p.once.Do(p.cancel)
	<-p.done
	return nil
}

func (p *speech) run() {
	defer close(p.done)
	for {
		select {
		case <-p.ctx.Done():
			return
		case c := <-p.in:
			if c.gen > p.dropped.Load() && p.render(c) != nil {
				return
			}
		}
	}
}

// render renders a clause in a goroutine of its own, so that it never holds
// flite while the consumer is slow: what is rendered waits here.
func (p *speech) render(c clause) error {
	r := &rendering{wanted: func() bool { return p.ctx.Err() == nil && c.gen > p.dropped.Load() }}
	r.more = sync.NewCond(&r.mu)
	var work sync.WaitGroup
	work.Go(func() { r.finish(engine().render(p.voice, c.text, p.stretch, r)) })
	defer work.Wait()
	first := true
	for {
		pcm, rate, words, last, err := r.next()
		if err != nil && !errors.Is(err, errStopped) {
			pcm, last = nil, true // flite failed on this clause: it is as if it were empty
		}
		if errors.Is(err, errStopped) {
			return nil
		}
		a := provider.Audio{Gen: c.gen, ID: c.id, PCM: pcm, RateHz: rate, Last: last}
		if first {
			a.Words, first = words, false
		}
		select {
		case p.out <- a:
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
		if last {
			return nil
		}
	}
}
