package pocketsphinx

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// stream implements provider.Transcription. One goroutine, started by Open,
// decodes; it ends with the context, with a break out of Heard, or when
// everything before CloseSend was heard.
type stream struct {
	ctx    context.Context // the life of the stream
	cancel context.CancelFunc
	in     *ring
	done   chan struct{} // closed when the goroutine has ended

	mu    sync.Mutex
	ready []provider.Hearing // finals, in order, and at most one partial at the end
	more  chan struct{}      // holds at most one call to look again
}

func newStream(ctx context.Context) *stream {
	ctx, cancel := context.WithCancel(ctx)
	return &stream{ctx: ctx, cancel: cancel, in: newRing(ringSamples), done: make(chan struct{}), more: make(chan struct{}, 1)}
}

// Write implements provider.Transcription. It never blocks: a decoder that is
// too far behind loses the oldest audio.
func (s *stream) Write(pcm []int16) error {
	if s.ctx.Err() != nil || !s.in.put(pcm) {
		return errClosed()
	}
	return nil
}

// Finalize implements provider.Transcription.
func (s *stream) Finalize() error {
	if s.ctx.Err() != nil || !s.in.mark() {
		return errClosed()
	}
	return nil
}

// CloseSend implements provider.Transcription. What was not finalized yet comes
// as a last final.
func (s *stream) CloseSend() error {
	s.in.end()
	return nil
}

func errClosed() error { return fmt.Errorf("pocketsphinx: the stream is closed: %w", fault.Cancelled) }

// Heard implements provider.Transcription. Breaking out of it ends the stream.
func (s *stream) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		defer func() {
			s.cancel()
			<-s.done
		}()
		for ended := false; ; {
			for _, h := range s.collect() {
				if s.ctx.Err() != nil || !yield(h, nil) {
					return
				}
			}
			if ended {
				return
			}
			select {
			case <-s.more:
			case <-s.done:
				ended = true // once more for what came last
			}
		}
	}
}

func (s *stream) collect() []provider.Hearing {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.ready
	s.ready = nil
	return out
}

// tell queues a hypothesis for Heard. A partial nobody read yet is replaced by
// what came after it.
func (s *stream) tell(h provider.Hearing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.ready); n > 0 && !s.ready[n-1].Final {
		s.ready = s.ready[:n-1]
	}
	s.ready = append(s.ready, h)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// run decodes until the stream ends.
func (s *stream) run(e *ear) {
	buf, open := make([]int16, chunk), false
	for s.ctx.Err() == nil {
		next := s.in.take(buf)
		switch {
		case next.mark:
			s.tell(e.hypothesis(true))
			open = false
		case next.n > 0:
			open = true
			e.skip(next.at)
			if e.hear(buf[:next.n]) {
				if h := e.hypothesis(false); h.Text != "" && h.Text != e.last {
					e.last = h.Text
					s.tell(h)
				}
			}
		case next.over:
			if open {
				s.tell(e.hypothesis(true))
			}
			return
		default:
			select {
			case <-s.in.wake:
			case <-s.ctx.Done():
			}
		}
	}
}
