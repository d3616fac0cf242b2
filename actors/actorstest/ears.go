package actorstest

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Ears is a scripted provider.Transcriber that understands coded sound: a word
// is recognised when most of it was written, with its last frame.
type Ears struct {
	Slow  time.Duration // to open a stream
	Last  time.Duration // from Finalize to the final; default 60 ms
	Trace *Trace

	mu   sync.Mutex
	fail int
	deaf bool // recognises nothing
	open []*hearing
	n    int
}

// Fail has the next n Opens refused.
func (e *Ears) Fail(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = n
}

// Deafen has nothing recognised any more, or again.
func (e *Ears) Deafen(deaf bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = deaf
}

// Opened is how often a stream was opened or asked for.
func (e *Ears) Opened() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n
}

// Die breaks the streams that are open.
func (e *Ears) Die() {
	e.mu.Lock()
	open := e.open
	e.open = nil
	e.mu.Unlock()
	for _, h := range open {
		h.end(fmt.Errorf("ears: connection reset: %w", fault.Unavailable))
	}
}

// Open implements provider.Transcriber.
func (e *Ears) Open(ctx context.Context, _ provider.Format) (provider.Transcription, error) {
	if e.Slow > 0 && !pause(ctx, e.Slow) {
		return nil, fmt.Errorf("ears: %w", fault.Cancelled)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	e.Trace.Add("open ears")
	if e.fail > 0 {
		e.fail--
		return nil, fmt.Errorf("ears: no such host: %w", fault.Unavailable)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	h := &hearing{e: e, ctx: ctx, end: cancel, more: make(chan struct{}, 1)}
	e.open = append(e.open, h)
	return h, nil
}

// hearing implements provider.Transcription.
type hearing struct {
	e    *Ears
	ctx  context.Context
	end  context.CancelCauseFunc
	more chan struct{}

	mu     sync.Mutex
	rest   []int16
	words  []string // since the last final
	got    int      // frames of the present word
	queue  []due
	closed bool
}

// due is something to be heard at a time.
type due struct {
	at time.Time
	h  provider.Hearing
}

// Write implements provider.Transcription.
func (h *hearing) Write(pcm []int16) error {
	if h.ctx.Err() != nil {
		return fmt.Errorf("ears: %w", fault.Cancelled)
	}
	h.e.mu.Lock()
	deaf := h.e.deaf
	h.e.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rest = append(h.rest, pcm...)
	for len(h.rest) >= 2*frameSize {
		if s := decode(h.rest); s.n > 0 && s.word != "" && !deaf {
			h.take(s)
		}
		h.rest = h.rest[2*frameSize:]
	}
	return nil
}

func (h *hearing) take(s sound) {
	if s.i == 0 {
		h.got = 0
	}
	if h.got++; s.i == s.n-1 && h.got > s.n/2 {
		h.words = append(h.words, s.word)
		h.put(due{at: time.Now(), h: provider.Hearing{Text: strings.Join(h.words, " ")}})
	}
}

func (h *hearing) put(d due) {
	h.queue = append(h.queue, d)
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// Finalize implements provider.Transcription.
func (h *hearing) Finalize() error {
	if h.ctx.Err() != nil {
		return fmt.Errorf("ears: %w", fault.Cancelled)
	}
	last := h.e.Last
	if last == 0 {
		last = 60 * time.Millisecond
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put(due{at: time.Now().Add(last), h: provider.Hearing{Text: strings.Join(h.words, " "), Final: true}})
	h.words = nil
	return nil
}

// CloseSend implements provider.Transcription.
func (h *hearing) CloseSend() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.put(due{})
	return nil
}

// Heard implements provider.Transcription.
func (h *hearing) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for {
			h.mu.Lock()
			var d due
			ready := len(h.queue) > 0
			if ready {
				d, h.queue = h.queue[0], h.queue[1:]
			}
			over := h.closed && !ready
			h.mu.Unlock()
			switch {
			case over:
				return
			case ready && !d.at.IsZero():
				if wait := time.Until(d.at); wait > 0 && !pause(h.ctx, wait) {
					continue
				}
				if h.ctx.Err() == nil && !yield(d.h, nil) {
					return
				}
				continue
			case ready:
				continue
			}
			select {
			case <-h.more:
			case <-h.ctx.Done():
				if cause := context.Cause(h.ctx); fault.KindOf(cause) == fault.Unavailable {
					yield(provider.Hearing{}, cause)
				}
				return
			}
		}
	}
}
