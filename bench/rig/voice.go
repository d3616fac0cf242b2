package rig

import (
	"context"
	"iter"
	"math"
	"strings"
	"sync"
	"time"

	"flametree/engine/provider"
)

// voice sounds for WordTime a word, without a gap: every packet of a reply is
// audibly one of the agent's.
type voice struct {
	script Script
	sound  func() []int16 // the same for all who speak
}

var _ provider.Synthesizer = voice{}

// speechHz is what built-in voices speak at.
const speechHz = 16000

// Open implements provider.Synthesizer.
func (v voice) Open(ctx context.Context, _ provider.Voice) (provider.Speech, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &speech{ctx: ctx, cancel: cancel, first: v.script.FirstByte, sound: v.sound(), bell: make(chan struct{}, 1)}, nil
}

// hum is a second of a tone whose loudness swings, as that of speech does.
func hum() []int16 {
	out := make([]int16, speechHz)
	for i := range out {
		t := float64(i) / speechHz
		out[i] = int16(6000 * (0.65 + 0.35*math.Sin(2*math.Pi*4*t)) * math.Sin(2*math.Pi*440*t))
	}
	return out
}

// speech is one open voice.
type speech struct {
	ctx    context.Context
	cancel context.CancelFunc
	first  time.Duration
	sound  []int16
	bell   chan struct{}

	mu    sync.Mutex
	dead  uint64 // generations up to this one are cancelled
	queue []clause
}

type clause struct {
	gen, id uint64
	words   []string
	due     time.Time
}

// Speak implements provider.Speech.
func (s *speech) Speak(text string, gen, id uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gen > s.dead {
		s.queue = append(s.queue, clause{gen: gen, id: id, words: strings.Fields(text), due: time.Now().Add(s.first)})
		s.ring()
	}
	return nil
}

// Cancel implements provider.Speech.
func (s *speech) Cancel(gen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = max(s.dead, gen)
	s.ring()
}

func (s *speech) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Close implements provider.Speech.
func (s *speech) Close() error {
	s.cancel()
	return nil
}

// Audio implements provider.Speech.
func (s *speech) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			c, ok := s.next()
			if !ok {
				select {
				case <-s.bell:
					continue
				case <-s.ctx.Done():
					return
				}
			}
			if !precisely(s.ctx, c.due) || !s.render(c, yield) {
				return
			}
		}
	}
}

// next takes the oldest clause that still may be heard.
func (s *speech) next() (clause, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		c := s.queue[0]
		s.queue = s.queue[1:]
		if c.gen > s.dead {
			return c, true
		}
	}
	return clause{}, false
}

func (s *speech) cancelled(gen uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return gen <= s.dead
}

// stretch is how much audio is given at once.
const stretch = 40 * time.Millisecond

// render gives a clause in stretches, each the consumer's own.
func (s *speech) render(c clause, yield func(provider.Audio, error) bool) bool {
	var timed []provider.Word
	for i, w := range c.words {
		timed = append(timed, provider.Word{Text: w, Start: time.Duration(i) * WordTime, End: time.Duration(i+1) * WordTime})
	}
	left := int(WordTime.Seconds()*speechHz) * len(c.words)
	each := int(stretch.Seconds() * speechHz)
	for at := 0; left > 0 && !s.cancelled(c.gen); {
		n := min(each, left, len(s.sound)-at)
		left -= n
		pcm := append([]int16(nil), s.sound[at:at+n]...)
		at = (at + n) % len(s.sound)
		if !yield(provider.Audio{Gen: c.gen, ID: c.id, PCM: pcm, RateHz: speechHz, Words: timed, Last: left == 0}, nil) {
			return false
		}
		timed = nil
	}
	return true
}
