package rig

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"flametree/engine/provider"
)

// hearer hears a word in every WordTime of voice, whatever was said.
type hearer struct{ script Script }

var _ provider.Transcriber = hearer{}

// Open implements provider.Transcriber.
func (h hearer) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	s := &stream{
		ctx: ctx, final: h.script.Final, bell: make(chan struct{}, 1),
		word: int(WordTime.Seconds() * float64(f.RateHz)),
	}
	return s, nil
}

// stream is one transcription.
type stream struct {
	ctx   context.Context
	final time.Duration
	word  int // samples
	bell  chan struct{}

	mu     sync.Mutex
	voiced int // samples since the last Finalize
	told   int // words in the last hypothesis
	queue  []heard
	closed bool
}

// heard is a Hearing and when it may be told.
type heard struct {
	due time.Time
	provider.Hearing
}

// loud is the mean magnitude over which a frame counts as voice.
const loud = 300

// Write implements provider.Transcription.
func (s *stream) Write(pcm []int16) error {
	if len(pcm) == 0 {
		return nil
	}
	sum := 0
	for _, v := range pcm {
		sum += max(int(v), -int(v))
	}
	if sum/len(pcm) < loud {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.voiced += len(pcm)
	if n := s.voiced / s.word; n > s.told {
		s.told = n
		s.push(heard{Hearing: provider.Hearing{Text: words(n)}})
	}
	return nil
}

// Finalize implements provider.Transcription.
func (s *stream) Finalize() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.voiced / s.word
	if s.voiced > 0 {
		n = max(n, 1) // a short "no" is a word
	}
	s.voiced, s.told = 0, 0
	s.push(heard{due: time.Now().Add(s.final), Hearing: provider.Hearing{Text: words(n), Final: true}})
	return nil
}

// CloseSend implements provider.Transcription.
func (s *stream) CloseSend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.ring()
	return nil
}

// push queues what was heard; the mutex is held.
func (s *stream) push(h heard) {
	s.queue = append(s.queue, h)
	s.ring()
}

func (s *stream) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Heard implements provider.Transcription.
func (s *stream) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for {
			h, ok, over := s.next()
			switch {
			case ok:
				if !precisely(s.ctx, h.due) || !yield(h.Hearing, nil) {
					return
				}
			case over:
				return
			default:
				select {
				case <-s.bell:
				case <-s.ctx.Done():
					return
				}
			}
		}
	}
}

func (s *stream) next() (h heard, ok, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return heard{}, false, s.closed
	}
	h = s.queue[0]
	s.queue = s.queue[1:]
	return h, true, false
}

// words makes n words that sound neither finished nor unfinished, are no
// backchannels, and do not stand in any reply.
func words(n int) string {
	alphabet := [...]string{"bravo", "delta", "echo", "golf", "hotel", "kilo", "lima", "oscar"}
	out := make([]string, n)
	for i := range out {
		out[i] = alphabet[i%len(alphabet)]
	}
	return strings.Join(out, " ")
}
