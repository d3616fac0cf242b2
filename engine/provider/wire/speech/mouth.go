package speech

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Sound is a stretch of a clause as a vendor sends it.
type Sound struct {
	PCM    []byte          // 16-bit little-endian, cut anywhere
	RateHz int             // 0 = as agreed
	Words  []provider.Word // that are timed by now, from the clause's first sample; the newest replaces those before
	Timed  bool            // Words are all
}

// Renderer makes the sound of clauses, one at a time. It belongs to one voice.
type Renderer interface {
	// Render gives the sound of a clause as it comes, until the clause is whole.
	// When ctx ends, it stops the vendor and returns; what the vendor still sends of
	// this clause is dropped by the next Render.
	Render(ctx context.Context, text string, emit func(Sound) error) error
	// Close frees what it holds. It is called once, after the last Render.
	Close()
}

// maxQueued bounds the clauses that wait to be rendered.
const maxQueued = 256

// Manner is how a voice is run.
type Manner struct {
	Vendor string
	RateHz int
	Timed  bool // the vendor tells times of words
}

// Speak runs a voice until ctx ends or it is closed. It owns r from now on.
func Speak(ctx context.Context, r Renderer, m Manner, o Options) provider.Speech {
	ctx, cancel := context.WithCancel(ctx)
	p := &mouth{
		ctx: ctx, cancel: cancel, r: r, m: m, o: o,
		in: make(chan utterance, maxQueued), out: make(chan provider.Audio, 8),
	}
	go func() {
		defer close(p.out)
		defer r.Close()
		defer cancel()
		p.run()
	}()
	return p
}

type utterance struct {
	text    string
	gen, id uint64
}

// mouth implements provider.Speech. One goroutine renders; it closes out when it
// ends, after it has set err.
type mouth struct {
	ctx    context.Context // the life of the voice
	cancel context.CancelFunc
	r      Renderer
	m      Manner
	o      Options
	in     chan utterance
	out    chan provider.Audio
	err    error // read after out is closed

	mu      sync.Mutex
	dropped uint64 // generations up to this one are cancelled
	now     uint64 // the generation being rendered
	stop    context.CancelFunc
}

// Speak implements provider.Speech.
func (p *mouth) Speak(text string, gen, id uint64) error {
	if p.ctx.Err() != nil {
		return fmt.Errorf("%s: the voice is closed: %w", p.m.Vendor, fault.Cancelled)
	}
	select {
	case p.in <- utterance{text: text, gen: gen, id: id}:
		return nil
	default:
		return fmt.Errorf("%s: %d clauses wait for the voice: %w", p.m.Vendor, maxQueued, fault.Exhausted)
	}
}

// Cancel implements provider.Speech.
func (p *mouth) Cancel(gen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped = max(p.dropped, gen)
	if p.stop != nil && p.now <= gen {
		p.stop()
	}
}

// begin reports whether a generation is still wanted, and notes how to stop it.
func (p *mouth) begin(gen uint64, stop context.CancelFunc) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.stop = gen, stop
	return gen > p.dropped
}

func (p *mouth) wanted(gen uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return gen > p.dropped
}

// Audio implements provider.Speech. Breaking out of it is only a pause.
func (p *mouth) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for a := range p.out {
			if p.wanted(a.Gen) && !yield(a, nil) {
				return
			}
		}
		if p.err != nil {
			yield(provider.Audio{}, p.err)
		}
	}
}

// Close implements provider.Speech. It waits until nothing is left behind.
func (p *mouth) Close() error {
	p.cancel()
	for range p.out { // until it is closed
	}
	return nil
}

func (p *mouth) run() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case u := <-p.in:
			err := p.say(u)
			if p.ctx.Err() != nil {
				return
			}
			if err != nil {
				p.err = err
				return
			}
		}
	}
}

// say renders one clause. What a cancelled one ends with is no failure.
func (p *mouth) say(u utterance) error {
	ctx, stop := context.WithCancel(p.ctx)
	defer stop()
	if !p.begin(u.gen, stop) {
		return nil
	}
	c := newClause(u, p.m, p.o.HoldWords, func(a provider.Audio) error { return p.put(ctx, a) })
	if Plain(u.text) == "" { // nothing to say: vendors refuse it
		return c.finish()
	}
	err := p.r.Render(ctx, u.text, c.add)
	if err == nil {
		err = c.finish()
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (p *mouth) put(ctx context.Context, a provider.Audio) error {
	select {
	case p.out <- a:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", fault.Cancelled, ctx.Err())
	}
}
