package duplextest

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/speechtest"
)

// Ordinary are an agent's ordinary recogniser, model and voice; what they are
// used for is kept. They speak and read the sound of package speechtest.
type Ordinary struct {
	mu    sync.Mutex
	said  []string
	heard int // streams
	asked int
}

// Said are the texts that the voice was given.
func (o *Ordinary) Said() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.said...)
}

// Heard is how many streams the recogniser had.
func (o *Ordinary) Heard() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heard
}

// Asked is how often the model was asked.
func (o *Ordinary) Asked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

// Complete implements provider.Completer: it says that it answers.
func (o *Ordinary) Complete(_ context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		o.mu.Lock()
		o.asked++
		o.mu.Unlock()
		last := r.Messages[len(r.Messages)-1].Text
		_ = yield(provider.Delta{Text: "The other one answers " + last + "."}, nil) && yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

// Open implements provider.Transcriber.
func (o *Ordinary) Open(ctx context.Context, _ provider.Format) (provider.Transcription, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard++
	return &stream{ctx: ctx, l: speechtest.NewListener(16000, speechtest.Letter), out: make(chan provider.Hearing, 100)}, nil
}

type stream struct {
	ctx context.Context
	l   *speechtest.Listener
	out chan provider.Hearing
}

func (s *stream) Write(pcm []int16) error { s.l.Hear(pcm); return nil }

func (s *stream) Finalize() error {
	s.out <- provider.Hearing{Text: s.l.Text(), Final: true}
	s.l = speechtest.NewListener(16000, speechtest.Letter)
	return nil
}

func (s *stream) CloseSend() error { close(s.out); return nil }

func (s *stream) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for {
			select {
			case h, ok := <-s.out:
				if !ok || !yield(h, nil) {
					return
				}
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// Voice is o as a voice.
func (o *Ordinary) Voice() provider.Synthesizer { return voices{o} }

type voices struct{ o *Ordinary }

func (v voices) Open(ctx context.Context, _ provider.Voice) (provider.Speech, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &speech{o: v.o, ctx: ctx, cancel: cancel, in: make(chan provider.Audio, 100)}, nil
}

type speech struct {
	o      *Ordinary
	ctx    context.Context
	cancel context.CancelFunc
	in     chan provider.Audio
	mu     sync.Mutex
	dead   uint64
}

func (s *speech) Speak(text string, gen, id uint64) error {
	if s.ctx.Err() != nil {
		return fmt.Errorf("closed: %w", fault.Cancelled)
	}
	s.o.mu.Lock()
	s.o.said = append(s.o.said, text)
	s.o.mu.Unlock()
	s.in <- provider.Audio{
		Gen: gen, ID: id, RateHz: 16000, PCM: speechtest.Sound(strings.TrimRight(text, ".?! "), 16000, speechtest.Voiced), Last: true,
		Words: []provider.Word{{Text: text, End: time.Duration(len(text)) * speechtest.Voiced}},
	}
	return nil
}

func (s *speech) Cancel(gen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = max(s.dead, gen)
}

func (s *speech) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			select {
			case a := <-s.in:
				s.mu.Lock()
				gone := a.Gen <= s.dead
				s.mu.Unlock()
				if !gone && !yield(a, nil) {
					return
				}
			case <-s.ctx.Done():
				return
			}
		}
	}
}

func (s *speech) Close() error { s.cancel(); return nil }
