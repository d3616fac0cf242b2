package phrases

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Of is a voice that renders fixed clauses once. Errors, order and cancelling
// are those of the contract; clauses that are kept need no voice that is well.
func Of(s provider.Synthesizer, o Options) provider.Synthesizer {
	if o.Told == nil {
		o.Told = func(bool) {}
	}
	return &synthesizer{s: s, o: o}
}

type synthesizer struct {
	s provider.Synthesizer
	o Options
}

// Open implements provider.Synthesizer.
func (s *synthesizer) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	ctx, stop := context.WithCancel(ctx)
	inner, err := s.s.Open(ctx, v)
	if err != nil {
		stop()
		return nil, err
	}
	return &speech{inner: inner, o: s.o, voice: v, life: ctx, stop: stop, wake: make(chan struct{}, 1)}, nil
}

// Warm has a voice made by Of say texts, one after the other, so that they are
// kept before anybody waits for them. It ends with the first error.
func Warm(ctx context.Context, s provider.Synthesizer, v provider.Voice, texts []string) error {
	voice, err := s.Open(ctx, v)
	if err != nil {
		return err
	}
	defer func() { _ = voice.Close() }()
	next, done := iter.Pull2(voice.Audio())
	defer done()
	for n, text := range texts { // one at a time: a call comes first everywhere
		if err := voice.Speak(text, 1, uint64(n)+1); err != nil {
			return fmt.Errorf("rendering a phrase: %w", err)
		}
		for last := false; !last; {
			a, err, ok := next()
			switch {
			case err != nil:
				return fmt.Errorf("rendering a phrase: %w", err)
			case !ok:
				return fmt.Errorf("rendering a phrase: the voice ended: %w", fault.Unavailable)
			}
			last = a.Last
		}
	}
	return nil
}

// line is a clause that was given to Speak and is not whole yet.
type line struct {
	gen, id uint64
	key     Key
	keep    bool    // it is fixed, and has to be rendered
	have    *Phrase // it is fixed, and was
	made    Phrase  // so far
}

type speech struct {
	inner provider.Speech
	o     Options
	voice provider.Voice
	life  context.Context
	stop  context.CancelFunc
	wake  chan struct{} // lines or dead changed; holds one

	mu    sync.Mutex
	lines []*line
	dead  uint64 // generations up to this one are cancelled
}

var _ provider.Speech = (*speech)(nil)

func (s *speech) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Speak implements provider.Speech.
func (s *speech) Speak(text string, gen, id uint64) error {
	if s.life.Err() != nil {
		return fmt.Errorf("speak: the voice is closed: %w", fault.Cancelled)
	}
	l := &line{gen: gen, id: id}
	if s.o.Fixed[text] {
		l.key, l.keep = s.o.whose(s.voice, text), true
		if p, ok := s.o.Store.Get(l.key); ok && p.RateHz > 0 && len(p.PCM) > 0 {
			l.have, l.keep = &p, false
		}
		s.o.Told(l.have != nil)
	}
	s.mu.Lock()
	if gen > s.dead {
		s.lines = append(s.lines, l)
	}
	s.mu.Unlock()
	if l.have != nil {
		s.nudge()
		return nil
	}
	err := s.inner.Speak(text, gen, id)
	if err != nil {
		s.mu.Lock()
		s.lines = slices.DeleteFunc(s.lines, func(x *line) bool { return x == l })
		s.mu.Unlock()
	}
	s.nudge()
	return err
}

// Cancel implements provider.Speech.
func (s *speech) Cancel(gen uint64) {
	s.mu.Lock()
	s.dead = max(s.dead, gen)
	s.lines = slices.DeleteFunc(s.lines, func(l *line) bool { return l.gen <= gen })
	s.mu.Unlock()
	s.inner.Cancel(gen)
	s.nudge()
}

// Close implements provider.Speech.
func (s *speech) Close() error {
	s.stop()
	return s.inner.Close()
}

type piece struct {
	audio provider.Audio
	err   error
}

// Audio implements provider.Speech. What is kept waits for what was to be said
// before it, as everything does.
func (s *speech) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		rendered := make(chan piece)
		var pump sync.WaitGroup
		defer pump.Wait()
		defer s.stop()
		pump.Go(func() { pull(s.life, s.inner, rendered) })
		for {
			if l := s.first(); l != nil {
				if !s.recite(l, yield) {
					return
				}
				continue
			}
			select {
			case <-s.wake:
			case p, ok := <-rendered:
				if !ok || !s.pass(p, yield) {
					return
				}
			}
		}
	}
}

// pull gives what a voice renders to whoever takes it. The voice ends with its context.
func pull(ctx context.Context, from provider.Speech, to chan<- piece) {
	defer close(to)
	for a, err := range from.Audio() {
		select {
		case to <- piece{a, err}:
		case <-ctx.Done():
			return
		}
	}
}

// first is the line to be said now, if it is kept; nil otherwise.
func (s *speech) first() *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) > 0 && s.lines[0].have != nil {
		return s.lines[0]
	}
	return nil
}

// recite gives a phrase that is kept, a fifth of a second at a time so that it
// can be cancelled. It reports whether the consumer wants more.
func (s *speech) recite(l *line, yield func(provider.Audio, error) bool) bool {
	words := l.have.Words
	for part := range slices.Chunk(l.have.PCM, max(1, l.have.RateHz/5)) {
		s.mu.Lock()
		dead := l.gen <= s.dead
		s.mu.Unlock()
		if dead {
			return true // Cancel took it off the list
		}
		last := len(part) == len(l.have.PCM)
		l.have.PCM = l.have.PCM[len(part):]
		if last {
			s.drop(l)
		}
		part = slices.Clone(part) // the consumer owns it, and others are told the same phrase
		if !yield(provider.Audio{Gen: l.gen, ID: l.id, PCM: part, RateHz: l.have.RateHz, Words: words, Last: last}, nil) {
			return false
		}
		words = nil
	}
	return true
}

func (s *speech) drop(l *line) {
	s.mu.Lock()
	s.lines = slices.DeleteFunc(s.lines, func(x *line) bool { return x == l })
	s.mu.Unlock()
}

// pass gives on what was rendered, and keeps what is to be kept.
func (s *speech) pass(p piece, yield func(provider.Audio, error) bool) bool {
	if p.err != nil {
		yield(p.audio, p.err)
		return false
	}
	s.mu.Lock()
	dead := p.audio.Gen <= s.dead
	var l *line
	for _, x := range s.lines {
		if x.gen == p.audio.Gen && x.id == p.audio.ID {
			l = x
			break
		}
	}
	s.mu.Unlock()
	if dead {
		return true
	}
	if l != nil {
		l.take(p.audio)
		if p.audio.Last {
			s.drop(l)
			if l.keep && len(l.made.PCM) > 0 {
				s.o.Store.Put(l.key, l.made)
			}
		}
	}
	return yield(p.audio, nil)
}

// take adds to what is to be kept. A clause whose rate changes half-way, or that
// has no end, is not.
func (l *line) take(a provider.Audio) {
	if !l.keep {
		return
	}
	if l.made.RateHz == 0 {
		l.made.RateHz = a.RateHz
	}
	if a.RateHz != l.made.RateHz && len(a.PCM) > 0 || len(l.made.PCM)+len(a.PCM) > longest*max(a.RateHz, 1) {
		l.keep, l.made = false, Phrase{}
		return
	}
	l.made.PCM = append(l.made.PCM, a.PCM...)
	if len(a.Words) > 0 {
		l.made.Words = a.Words
	}
}
