package sip

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"flametree/engine/provider"
)

// voice speaks at the wire's own rate, from what is there already: what a voice
// costs is no part of setting up a call.
type voice struct{}

var _ provider.Synthesizer = voice{}

const (
	voiceHz   = 8000
	firstByte = 60 * time.Millisecond
	word      = 300 * time.Millisecond
)

// Open implements provider.Synthesizer.
func (voice) Open(ctx context.Context, _ provider.Voice) (provider.Speech, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &speech{ctx: ctx, cancel: cancel, bell: make(chan struct{}, 1)}, nil
}

// speech is one open voice.
type speech struct {
	ctx    context.Context
	cancel context.CancelFunc
	bell   chan struct{}

	mu    sync.Mutex // guards what follows
	dead  uint64
	queue []clause
}

// clause is to be spoken.
type clause struct {
	gen, id uint64
	words   []string
}

// Speak implements provider.Speech.
func (s *speech) Speak(text string, gen, id uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, clause{gen, id, strings.Fields(text)})
	select {
	case s.bell <- struct{}{}:
	default:
	}
	return nil
}

// Cancel implements provider.Speech.
func (s *speech) Cancel(gen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = max(s.dead, gen)
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
			if !until(s.ctx, time.Now().Add(firstByte)) || !yield(c.audio(), nil) {
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

// audio is the whole clause: a square wave, a word each 300 ms.
func (c clause) audio() provider.Audio {
	pcm := make([]int16, len(c.words)*int(word.Seconds()*voiceHz))
	for i := range pcm {
		pcm[i] = int16(4000 - i/8%2*8000)
	}
	timed := make([]provider.Word, len(c.words))
	for i, w := range c.words {
		timed[i] = provider.Word{Text: w, Start: time.Duration(i) * word, End: time.Duration(i+1) * word}
	}
	return provider.Audio{Gen: c.gen, ID: c.id, PCM: pcm, RateHz: voiceHz, Words: timed, Last: true}
}
