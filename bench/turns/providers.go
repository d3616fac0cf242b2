package turns

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// The delays that are played, as vendors publish them. A hypothesis comes as
// long after its last word as a final does after the pause.
const (
	sttFinal  = 150 * time.Millisecond
	llmFirst  = 350 * time.Millisecond
	ttsFirst  = 120 * time.Millisecond
	wayToEars = 60 * time.Millisecond // of the jitter buffer
)

// slot is where one call at a time takes place: an agent of each kind, whose
// model and ears belong to this slot, and the truth about the call.
type slot struct {
	reply atomic.Pointer[string] // what the model says next

	mu     sync.Mutex
	spoken []utterance // of the call, in order
}

// utterance is a word that the caller says, and when it has been said.
type utterance struct {
	text string
	at   time.Time
}

// begin makes the slot ready for another call.
func (s *slot) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoken = nil
	empty := "Goodbye."
	s.reply.Store(&empty)
}

// told adds words that are about to be said.
func (s *slot) told(words []utterance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoken = append(s.spoken, words...)
}

// said gives the words from the nth on that were said by then, and when the
// next one will have been; a zero time when none is known.
func (s *slot) said(n int, by time.Time) (words []string, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.spoken[min(n, len(s.spoken)):] {
		if u.at.After(by) {
			return words, u.at
		}
		words = append(words, u.text)
	}
	return words, time.Time{}
}

// Complete implements provider.Completer: the reply that the dialogue wants.
func (s *slot) Complete(ctx context.Context, _ provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		if !wait(ctx, llmFirst) {
			yield(provider.Delta{}, fmt.Errorf("played: %w: %w", fault.Cancelled, context.Cause(ctx)))
			return
		}
		if yield(provider.Delta{Text: *s.reply.Load()}, nil) {
			yield(provider.Delta{Finish: provider.FinishStop}, nil)
		}
	}
}

// Open implements provider.Transcriber: ears that are told the truth.
func (s *slot) Open(ctx context.Context, _ provider.Format) (provider.Transcription, error) {
	return &ears{slot: s, ctx: ctx, finals: make(chan time.Time, 64), closed: make(chan struct{})}, nil
}

// ears hear each word sttFinal after it was said. A question for the last words
// is answered sttFinal later, with those that were said by then.
type ears struct {
	slot   *slot
	ctx    context.Context
	finals chan time.Time
	once   sync.Once
	closed chan struct{}
}

// Write implements provider.Transcription. What was said is known otherwise.
func (e *ears) Write([]int16) error { return nil }

// Finalize implements provider.Transcription.
func (e *ears) Finalize() error {
	select {
	case e.finals <- time.Now():
	default: // 64 questions wait already
	}
	return nil
}

// CloseSend implements provider.Transcription.
func (e *ears) CloseSend() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

// glance is how often it is looked whether a word was said.
const glance = 10 * time.Millisecond

// Heard implements provider.Transcription.
func (e *ears) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		settled := 0
		told := ""
		tick := time.NewTicker(glance)
		defer tick.Stop()
		for {
			h := provider.Hearing{}
			select {
			case <-e.ctx.Done():
				return
			case <-e.closed:
				return
			case asked := <-e.finals:
				if !wait(e.ctx, time.Until(asked.Add(sttFinal))) {
					return
				}
				words, _ := e.slot.said(settled, asked.Add(-wayToEars))
				settled += len(words)
				h, told = provider.Hearing{Text: strings.Join(words, " "), Final: true}, ""
			case now := <-tick.C:
				words, _ := e.slot.said(settled, now.Add(-sttFinal))
				if h.Text = strings.Join(words, " "); h.Text == told {
					continue
				}
				told = h.Text
			}
			if !yield(h, nil) {
				return
			}
		}
	}
}

// wait reports false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
