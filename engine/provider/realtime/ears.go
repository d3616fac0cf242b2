package realtime

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire/speech"
)

// Hears is the call as a recogniser: the vendor's words for the caller's, and
// from the vendor's failure on the ordinary recogniser.
func (c *Call) Hears() provider.Transcriber { return hearer{c} }

type hearer struct{ c *Call }

// Open implements provider.Transcriber. It does not wait for the vendor.
func (h hearer) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	c := h.c
	c.mu.Lock()
	if c.lost != nil {
		c.mu.Unlock()
		return c.o.Hears.Open(ctx, f)
	}
	defer c.mu.Unlock()
	c.hot = c.fails > 0
	if c.hot { // what follows was said already
		c.turn, c.early, c.voiced, c.commits = nil, nil, false, 0
	}
	if c.link == nil && c.seed != nil {
		c.connect(*c.seed)
	}
	e := &ears{c: c, ctx: ctx}
	c.ears = e
	return e, nil
}

// ears implement provider.Transcription. All is guarded by the Call's mu.
type ears struct {
	c       *Call
	ctx     context.Context // of the stream
	queue   []provider.Hearing
	waiting []time.Time // of Finalize, oldest first
	fresh   bool        // something was sent since the last Finalize
	closing bool
	over    error
}

// Write implements provider.Transcription: silence between turns is not sent.
func (e *ears) Write(pcm []int16) error {
	c := e.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.over != nil:
		return e.over
	case e.closing || e.ctx.Err() != nil:
		return fmt.Errorf("the stream is closed: %w", fault.Cancelled)
	}
	if c.hot {
		c.hot = false
		c.begin()
	}
	if !c.voiced {
		if c.early = append(c.early, pcm...); len(c.early) > preroll {
			c.early = append([]int16(nil), c.early[len(c.early)-preroll:]...)
		}
		return nil
	}
	e.fresh = true
	c.keep(pcm)
	c.send(Hear{PCM: append([]int16(nil), pcm...)})
	return nil
}

// Finalize implements provider.Transcription.
func (e *ears) Finalize() error {
	c := e.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.over != nil {
		return e.over
	}
	if !c.voiced || !e.fresh {
		e.queue = append(e.queue, provider.Hearing{Final: true})
		c.changed()
		return nil
	}
	c.voiced, e.fresh = false, false
	c.commits++
	e.waiting = append(e.waiting, time.Now())
	c.send(Commit{})
	c.changed()
	return nil
}

// CloseSend implements provider.Transcription.
func (e *ears) CloseSend() error {
	e.c.mu.Lock()
	defer e.c.mu.Unlock()
	e.closing = true
	e.c.changed()
	return nil
}

// Heard implements provider.Transcription.
func (e *ears) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for {
			h, err, more := e.next()
			switch {
			case err != nil:
				yield(provider.Hearing{}, err)
				return
			case !more || !yield(h, nil):
				return
			}
		}
	}
}

// next waits for a hearing, or for the vendor to be silent for too long.
func (e *ears) next() (h provider.Hearing, err error, more bool) {
	c := e.c
	for {
		c.mu.Lock()
		wake, left := c.wake, time.Hour
		switch {
		case len(e.queue) > 0:
			h, e.queue = e.queue[0], e.queue[1:]
			c.mu.Unlock()
			return h, nil, true
		case e.over != nil:
			err = e.over
			c.mu.Unlock()
			return h, err, false
		case e.closing && len(e.waiting) == 0:
			c.mu.Unlock()
			return h, nil, false
		case len(e.waiting) > 0:
			if left = time.Until(e.waiting[0].Add(c.o.Silent)); left <= 0 {
				c.fail(c.silence("the caller's words do not come"))
				c.mu.Unlock()
				continue
			}
		}
		c.mu.Unlock()
		if !wait(e.ctx, wake, left) {
			return h, nil, false
		}
	}
}

// wait waits for a change or for some time; false = ctx has ended.
func wait(ctx context.Context, wake <-chan struct{}, most time.Duration) bool {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-wake:
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return true
}

func (e *ears) partial(text string) {
	if text = plain(text); text != "" && len(text) < 8<<10 {
		e.queue = append(e.queue, provider.Hearing{Text: text})
	}
}

func (e *ears) final(text string) {
	if len(e.waiting) > 0 {
		e.waiting = e.waiting[1:]
	}
	e.queue = append(e.queue, provider.Hearing{Text: plain(text), Final: true})
}

// settleAllBut answers what is awaited with nothing: what was said is heard again
// as a whole, or nobody will say any more what it was.
func (e *ears) settleAllBut(left int) {
	for len(e.waiting) > left {
		e.waiting = e.waiting[1:]
		e.queue = append(e.queue, provider.Hearing{Final: true})
	}
}

func (e *ears) broken(err error) {
	if e.over == nil {
		e.over = err
	}
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

func plain(text string) string { return speech.Plain(text) }
