package speech

import (
	"context"
	"sync"

	"flametree/engine/provider"
)

// told is what was heard and not read yet. It is safe for concurrent use.
type told struct {
	more chan struct{} // holds at most one call to look again
	done chan struct{} // closed when nothing more comes

	mu    sync.Mutex
	ready []provider.Hearing // finals, in order, and at most one partial at the end
	err   error
	ended bool
}

func newTold() *told { return &told{more: make(chan struct{}, 1), done: make(chan struct{})} }

// add queues hypotheses. A partial nobody read yet is replaced by what came
// after it; that the vendor saw an end of turn is kept.
func (t *told) add(all []provider.Hearing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range all {
		if n := len(t.ready); n > 0 && !t.ready[n-1].Final && !t.ready[n-1].EndOfTurn {
			t.ready = t.ready[:n-1]
		}
		t.ready = append(t.ready, h)
	}
	nudge(t.more)
}

// fail ends it with an error; only the first counts.
func (t *told) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.err = err
	}
	t.close()
}

// end says that nothing more comes.
func (t *told) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.close()
}

func (t *told) close() {
	if !t.ended {
		t.ended = true
		close(t.done)
	}
}

func (t *told) over() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

func (t *told) take() ([]provider.Hearing, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.ready
	t.ready = nil
	return out, t.err
}

// each yields everything until the end, an error, or ctx's end.
func (t *told) each(ctx context.Context, yield func(provider.Hearing, error) bool) {
	for last := false; ; {
		all, err := t.take()
		for _, h := range all {
			if !yield(h, nil) {
				return
			}
		}
		if last {
			if err != nil {
				yield(provider.Hearing{}, err)
			}
			return
		}
		select {
		case <-t.more:
		case <-t.done:
			last = true
		case <-ctx.Done():
			last = true // a failure ends the context too
		}
	}
}
