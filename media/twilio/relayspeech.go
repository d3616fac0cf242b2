package twilio

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/media/pcm"
)

// mostEarly bounds what is kept for who listens late, and what waits to be read.
const mostEarly = 64

// silenceHz is the rate of the silence that stands for Twilio's speech.
const silenceHz = 1000

// clause is text for Twilio.
type clause struct {
	gen   uint64
	text  string
	words []provider.Word
}

// Hears is the call's recogniser.
func (r *Relay) Hears() provider.Transcriber { return hears{r} }

// Speaks is the call's voice.
func (r *Relay) Speaks() provider.Synthesizer { return speaks{r} }

type hears struct{ r *Relay }

// hearing implements provider.Transcription.
type hearing struct {
	r    *Relay
	ctx  context.Context
	next chan provider.Hearing
	gone chan struct{}
	once sync.Once
}

// Open implements provider.Transcriber. What was understood while nobody
// listened comes first.
func (h hears) Open(ctx context.Context, _ provider.Format) (provider.Transcription, error) {
	r := h.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("relay: listen: the call is over: %w", fault.Cancelled)
	}
	one := &hearing{r: r, ctx: ctx, next: make(chan provider.Hearing, mostEarly), gone: make(chan struct{})}
	for _, e := range r.early {
		one.next <- e
	}
	r.early = nil
	r.ears[one] = struct{}{}
	return one, nil
}

// hear passes on what was understood. The mutex is held.
func (r *Relay) hear(h provider.Hearing) {
	if len(r.ears) == 0 && len(r.early) < mostEarly {
		r.early = append(r.early, h)
	}
	for one := range r.ears {
		select {
		case one.next <- h:
		default: // nobody reads: the stream is stuck, and says so by its end
			one.stop()
		}
	}
}

func (h *hearing) stop() { h.once.Do(func() { close(h.gone) }) }

// Write implements provider.Transcription; Twilio has the sound.
func (h *hearing) Write([]int16) error { return nil }

// Finalize implements provider.Transcription: Twilio's finals have come by
// themselves, so nothing is left.
func (h *hearing) Finalize() error {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	select {
	case h.next <- provider.Hearing{Final: true}:
	default:
		h.stop()
	}
	return nil
}

// Heard implements provider.Transcription.
func (h *hearing) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		defer h.leave()
		for {
			select {
			case one := <-h.next:
				if !yield(one, nil) {
					return
				}
				continue
			default:
			}
			select {
			case one := <-h.next:
				if !yield(one, nil) {
					return
				}
			case <-h.gone:
				return
			case <-h.ctx.Done():
				return
			}
		}
	}
}

func (h *hearing) leave() {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	delete(h.r.ears, h)
}

// CloseSend implements provider.Transcription.
func (h *hearing) CloseSend() error {
	h.stop()
	return nil
}

type speaks struct{ r *Relay }

// speech implements provider.Speech.
type speech struct {
	r      *Relay
	ctx    context.Context
	wake   chan struct{}
	gone   chan struct{}
	once   sync.Once
	mu     sync.Mutex
	queue  []provider.Audio
	cancel uint64 // generations below it are not spoken
}

// Open implements provider.Synthesizer; which voice speaks is said in the TwiML.
func (s speaks) Open(ctx context.Context, _ provider.Voice) (provider.Speech, error) {
	return &speech{r: s.r, ctx: ctx, wake: make(chan struct{}, 1), gone: make(chan struct{})}, nil
}

// Speak implements provider.Speech.
func (s *speech) Speak(text string, gen, id uint64) error {
	words, length := timed(text)
	s.mu.Lock()
	if gen < s.cancel {
		s.mu.Unlock()
		return nil
	}
	s.r.mu.Lock()
	s.r.clauses = append(s.r.clauses, clause{gen, text, words})
	s.r.mu.Unlock()
	s.queue = append(s.queue, provider.Audio{
		Gen: gen, ID: id, PCM: make([]int16, pcm.Samples(length, silenceHz)), RateHz: silenceHz, Words: words, Last: true,
	})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Cancel implements provider.Speech.
func (s *speech) Cancel(gen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = max(s.cancel, gen+1)
	kept := s.queue[:0]
	for _, a := range s.queue {
		if a.Gen >= s.cancel {
			kept = append(kept, a)
		}
	}
	s.queue = kept
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	var clauses []clause
	for _, c := range s.r.clauses {
		if c.gen >= s.cancel {
			clauses = append(clauses, c)
		}
	}
	s.r.clauses = clauses
}

// Audio implements provider.Speech.
func (s *speech) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			s.mu.Lock()
			var one provider.Audio
			ok := len(s.queue) > 0
			if ok {
				one, s.queue = s.queue[0], append([]provider.Audio(nil), s.queue[1:]...)
			}
			s.mu.Unlock()
			if ok {
				if !yield(one, nil) {
					return
				}
				continue
			}
			select {
			case <-s.wake:
			case <-s.gone:
				return
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// Close implements provider.Speech.
func (s *speech) Close() error {
	s.once.Do(func() { close(s.gone) })
	return nil
}
