package speech

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Ask has one stretch of speech recognised by a request; told, if the vendor
// tells it, is what it has of it so far. Words are timed from the stretch's first
// sample.
type Ask func(ctx context.Context, pcm []int16, told func(text string)) (text string, words []provider.Word, err error)

// Batch is how a stream is cut into requests.
type Batch struct {
	Ask     Ask
	Longest time.Duration // of one request; longer speech is asked for in parts; 0 = 30 s
	Least   time.Duration // shorter sound is filled up with silence
}

// quiet is the level under which nothing is worth a request: comfort noise and
// the hum of a line.
const quiet = 48

// HearBatch runs a stream that is recognised by requests: one after each
// Finalize, of what was written since. Sound without any level is not asked for.
func HearBatch(ctx context.Context, b Batch) provider.Transcription {
	b.Longest = orElse(b.Longest, 30*time.Second)
	ctx, cancel := context.WithCancel(ctx)
	s := &batch{ctx: ctx, cancel: cancel, b: b, wake: make(chan struct{}, 1), told: newTold()}
	s.wg.Go(func() {
		defer cancel()
		s.run()
	})
	return s
}

// stretch is one request to come.
type stretch struct {
	from time.Duration
	pcm  []int16
	last bool // a Finalize follows it
}

// batch implements provider.Transcription. One goroutine asks; it ends with ctx,
// and Heard awaits it.
type batch struct {
	ctx    context.Context // the life of the stream
	cancel context.CancelFunc
	b      Batch
	wake   chan struct{}
	told   *told
	wg     sync.WaitGroup

	mu      sync.Mutex
	pcm     []int16 // since the last stretch
	written int
	queue   []stretch
	waiting int // samples in the queue
	closing bool
}

// Write implements provider.Transcription. It never blocks: when requests take
// so long that minutes wait, the stream ends.
func (s *batch) Write(pcm []int16) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ended(); err != nil {
		return err
	}
	most := int(s.b.Longest * Rate / time.Second)
	for len(pcm) > 0 {
		n := min(len(pcm), most-len(s.pcm))
		s.pcm, s.written, pcm = append(s.pcm, pcm[:n]...), s.written+n, pcm[n:]
		if len(s.pcm) == most {
			s.cut(false)
		}
	}
	if s.waiting > 6*most {
		s.told.fail(fmt.Errorf("the recogniser answers too slowly: %w", fault.Unavailable))
		s.cancel()
	}
	return nil
}

func (s *batch) ended() error {
	if s.ctx.Err() != nil || s.closing {
		return fmt.Errorf("the stream is closed: %w", fault.Cancelled)
	}
	return nil
}

func (s *batch) cut(last bool) {
	from := time.Duration(s.written-len(s.pcm)) * time.Second / Rate
	s.queue = append(s.queue, stretch{from: from, pcm: s.pcm, last: last})
	s.waiting += len(s.pcm)
	s.pcm = nil
	nudge(s.wake)
}

// Finalize implements provider.Transcription.
func (s *batch) Finalize() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ended(); err != nil {
		return err
	}
	s.cut(true)
	return nil
}

// CloseSend implements provider.Transcription.
func (s *batch) CloseSend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pcm) > 0 || len(s.queue) > 0 && !s.queue[len(s.queue)-1].last {
		s.cut(true)
	}
	s.closing = true
	nudge(s.wake)
	return nil
}

// Heard implements provider.Transcription. Breaking out of it ends the stream.
func (s *batch) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		defer s.wg.Wait()
		defer s.cancel()
		s.told.each(s.ctx, yield)
	}
}

func (s *batch) next() (x stretch, ok, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return stretch{}, false, s.closing
	}
	x, s.queue = s.queue[0], s.queue[1:]
	s.waiting -= len(x.pcm)
	return x, true, false
}

func (s *batch) run() {
	var b book
	for {
		x, ok, over := s.next()
		if over {
			s.told.end()
			return
		}
		if ok {
			if err := s.ask(&b, x); err != nil {
				if s.ctx.Err() == nil || !errors.Is(err, fault.Cancelled) {
					s.told.fail(err)
				}
				return
			}
			continue
		}
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *batch) ask(b *book, x stretch) error {
	if loud(x.pcm) {
		pcm := x.pcm
		if least := int(s.b.Least * Rate / time.Second); len(pcm) < least {
			pcm = append(pcm, make([]int16, least-len(pcm))...)
		}
		text, words, err := s.b.Ask(s.ctx, pcm, func(text string) { s.told.add(b.take(Said{Text: text}, time.Now())) })
		if err != nil {
			return err
		}
		for i := range words {
			words[i].Start += x.from
			words[i].End += x.from
		}
		s.told.add(b.take(Said{Text: text, Words: words, Final: true}, time.Now()))
	}
	if x.last {
		s.told.add([]provider.Hearing{b.final()})
	}
	return nil
}

func loud(pcm []int16) bool {
	for _, v := range pcm {
		if v > quiet || v < -quiet {
			return true
		}
	}
	return false
}
