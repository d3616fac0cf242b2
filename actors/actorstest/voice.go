package actorstest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Voice is a scripted provider.Synthesizer: each word lasts WordTime. Its
// exported fields may be changed before the call.
type Voice struct {
	First time.Duration // to the first audio of a clause; default 40 ms
	Chunk time.Duration // of audio that comes at once; 0 = a whole clause
	Every time.Duration // between chunks; default 5 ms
	Mute  bool          // tells no word timings
	Trace *Trace

	mu     sync.Mutex
	fail   int // how many Opens are refused
	opened int
	open   []*speech
}

// Fail has the next n Opens refused.
func (v *Voice) Fail(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fail = n
}

// Opened is how often a voice was opened or asked for.
func (v *Voice) Opened() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opened
}

// Die ends the voices that are open with an error, as a broken socket does.
func (v *Voice) Die() {
	v.mu.Lock()
	open := v.open
	v.open = nil
	v.mu.Unlock()
	for _, s := range open {
		s.die(fmt.Errorf("voice: connection reset: %w", fault.Unavailable))
	}
}

// Open implements provider.Synthesizer.
func (v *Voice) Open(ctx context.Context, _ provider.Voice) (provider.Speech, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opened++
	if v.fail > 0 {
		v.fail--
		return nil, fmt.Errorf("voice: no such host: %w", fault.Unavailable)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &speech{v: v, ctx: ctx, end: cancel, more: make(chan struct{}, 1)}
	v.open = append(v.open, s)
	return s, nil
}

// speech implements provider.Speech. Audio itself renders; there is no
// goroutine.
type speech struct {
	v    *Voice
	ctx  context.Context
	end  context.CancelCauseFunc
	more chan struct{}

	mu    sync.Mutex
	queue []provider.Audio // Words[0].Text is the clause
	dead  uint64
}

func (s *speech) die(err error) { s.end(err) }

// Speak implements provider.Speech.
func (s *speech) Speak(text string, gen, id uint64) error {
	if s.ctx.Err() != nil {
		return fmt.Errorf("voice is closed: %w", fault.Cancelled)
	}
	s.v.Trace.Add(fmt.Sprintf("speak %d/%d %s", gen, id, text))
	s.mu.Lock()
	s.queue = append(s.queue, provider.Audio{Gen: gen, ID: id, Words: []provider.Word{{Text: text}}})
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

// Cancel implements provider.Speech.
func (s *speech) Cancel(gen uint64) {
	s.v.Trace.Add(fmt.Sprintf("cancel voice %d", gen))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = max(s.dead, gen)
}

func (s *speech) cancelled(gen uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return gen <= s.dead
}

// Close implements provider.Speech.
func (s *speech) Close() error {
	s.end(nil)
	return nil
}

// Audio implements provider.Speech.
func (s *speech) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			clause, ok := s.next()
			if !ok {
				break
			}
			if !s.render(clause, yield) {
				return
			}
		}
		if cause := context.Cause(s.ctx); fault.KindOf(cause) == fault.Unavailable {
			yield(provider.Audio{}, cause)
		}
	}
}

func (s *speech) next() (provider.Audio, bool) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			c := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return c, s.ctx.Err() == nil
		}
		s.mu.Unlock()
		select {
		case <-s.more:
		case <-s.ctx.Done():
			return provider.Audio{}, false
		}
	}
}

// render yields a clause in chunks; false when the consumer has enough.
func (s *speech) render(c provider.Audio, yield func(provider.Audio, error) bool) bool {
	text := c.Words[0].Text
	frames := uttered(text)
	chunk := len(frames)
	if s.v.Chunk > 0 {
		chunk = int(s.v.Chunk / FrameTime)
	}
	if !pause(s.ctx, cmp.Or(s.v.First, 40*time.Millisecond)) {
		return true
	}
	words := timed(text)
	if s.v.Mute {
		words = nil
	}
	for from := 0; ; from += chunk {
		if s.cancelled(c.Gen) || s.ctx.Err() != nil {
			return true
		}
		to := min(from+chunk, len(frames))
		a := provider.Audio{Gen: c.Gen, ID: c.ID, RateHz: rateHz, Words: words, Last: to == len(frames)}
		for _, f := range frames[from:to] {
			var pcm [frameSize]int16
			f.encode(pcm[:])
			a.PCM = append(a.PCM, pcm[:]...)
		}
		words = nil
		if !yield(a, nil) {
			return false
		}
		if a.Last {
			return true
		}
		if !pause(s.ctx, cmp.Or(s.v.Every, 5*time.Millisecond)) {
			return true
		}
	}
}

// timed are the words of a clause as they are spoken.
func timed(text string) []provider.Word {
	var out []provider.Word
	for i, w := range strings.Fields(text) {
		out = append(out, provider.Word{Text: w, Start: time.Duration(i) * WordTime, End: time.Duration(i+1) * WordTime})
	}
	return out
}

// pause reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
