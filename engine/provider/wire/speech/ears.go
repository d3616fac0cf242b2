package speech

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// Codec is one vendor's way to write and to read a stream of audio. It is used
// by one goroutine at a time and belongs to one stream.
type Codec interface {
	// Audio holds samples at Rate; it must not keep pcm.
	Audio(pcm []int16) []wire.Frame
	// Finalize asks for the last words; fresh is how many samples were written
	// since the last time, for vendors that want a least number.
	Finalize(fresh int) []wire.Frame
	// End says that no more audio comes. nil = closing the socket says it.
	End() []wire.Frame
	// Read understands one message of s. Its error has a kind and ends the stream.
	Read(s *wire.Socket, f wire.Frame) ([]Said, error)
}

// Waiter is a Codec that may have to wait for the vendor before it says more.
type Waiter interface {
	// Waited gives what may be sent after the message that was read last.
	Waited() []wire.Frame
}

// Line is an open socket and how to speak on it.
type Line struct {
	Socket *wire.Socket
	Codec  Codec
	Hello  []wire.Frame // sent first
	Chunk  int          // samples sent at a time; 0 = 320
	// Alive is sent when nothing was for a while: vendors hang up on the silent.
	// No Data = nothing is sent.
	Alive wire.Frame
	Every time.Duration
}

// unsent bounds the audio that waits for a slow socket. An owner that opens a
// stream anew replays less than that.
const unsent = 60 * Rate

// Hear runs a stream on a line until ctx ends. It owns the socket from now on.
func Hear(ctx context.Context, l Line, o Options) provider.Transcription {
	if l.Chunk <= 0 {
		l.Chunk = 320
	}
	ctx, cancel := context.WithCancel(ctx)
	e := &ears{
		ctx: ctx, cancel: cancel, line: l, wait: orElse(o.FinalWait, 4*time.Second), silent: orElse(o.SilentAfter, 3*time.Second),
		wake: make(chan struct{}, 1), told: newTold(), unread: make(chan struct{}),
	}
	e.outbox = append(e.outbox, l.Hello...)
	nudge(e.wake)
	e.wg.Go(func() {
		defer close(e.unread)
		e.read()
	})
	e.wg.Go(func() {
		defer cancel() // the reader waits for the socket only
		e.send()
		l.Socket.Close()
	})
	return e
}

// ears implements provider.Transcription over a socket. One goroutine sends and
// watches the time, one reads; both end with ctx, and Heard awaits them.
type ears struct {
	ctx          context.Context // the life of the stream
	cancel       context.CancelFunc
	line         Line
	wait, silent time.Duration
	wake         chan struct{}
	told         *told
	unread       chan struct{} // closed when the reader has ended
	wg           sync.WaitGroup

	mu      sync.Mutex // guards the codec and what follows
	book    book
	outbox  []wire.Frame
	pending []int16 // less than a chunk
	queued  int     // samples in the outbox
	written int     // samples since the stream began
	marked  int     // of them before the last Finalize
	closing bool
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write implements provider.Transcription. It never blocks: a socket that takes
// the audio too slowly ends the stream.
func (e *ears) Write(pcm []int16) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.ended(); err != nil {
		return err
	}
	e.written += len(pcm)
	e.pending = append(e.pending, pcm...)
	for len(e.pending) >= e.line.Chunk {
		e.post(e.line.Chunk)
	}
	if e.queued > unsent {
		e.told.fail(fmt.Errorf("the recogniser takes audio too slowly: %w", fault.Unavailable))
		e.cancel()
	}
	nudge(e.wake)
	return nil
}

// post hands the first n pending samples to the sender.
func (e *ears) post(n int) {
	e.outbox = append(e.outbox, e.line.Codec.Audio(e.pending[:n])...)
	e.queued += n
	e.pending = append(e.pending[:0], e.pending[n:]...)
}

func (e *ears) ended() error {
	if e.ctx.Err() != nil || e.closing {
		return fmt.Errorf("the stream is closed: %w", fault.Cancelled)
	}
	return nil
}

// Finalize implements provider.Transcription.
func (e *ears) Finalize() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.ended(); err != nil {
		return err
	}
	e.finalize()
	return nil
}

func (e *ears) finalize() {
	if len(e.pending) > 0 {
		e.post(len(e.pending))
	}
	fresh := e.written - e.marked
	e.marked = e.written
	h, ask := e.book.ask(time.Duration(e.written)*time.Second/Rate, fresh, time.Now())
	if ask {
		e.outbox = append(e.outbox, e.line.Codec.Finalize(fresh)...)
	}
	e.settle(h)
	nudge(e.wake)
}

// CloseSend implements provider.Transcription. What was not finalized yet comes
// as a last final.
func (e *ears) CloseSend() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return nil
	}
	if e.written > e.marked && e.ctx.Err() == nil {
		e.finalize()
	}
	e.closing = true
	e.outbox = append(e.outbox, e.line.Codec.End()...)
	e.settle(nil)
	nudge(e.wake)
	return nil
}

// settle tells what is known; a stream that is closing and owes nothing is over.
func (e *ears) settle(h []provider.Hearing) {
	e.told.add(h)
	if e.closing && len(e.book.questions) == 0 {
		e.told.end()
	}
}

// Heard implements provider.Transcription. Breaking out of it ends the stream.
func (e *ears) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		defer e.wg.Wait()
		defer e.cancel()
		e.told.each(e.ctx, yield)
	}
}

// send sends what is queued and watches the time.
func (e *ears) send() {
	tick := time.NewTimer(time.Hour)
	defer tick.Stop()
	for e.ctx.Err() == nil {
		out, next := e.take()
		for _, f := range out {
			if err := e.line.Socket.Send(f); err != nil {
				e.refused(err)
				return
			}
		}
		if e.told.over() { // its last messages are sent
			return
		}
		tick.Reset(next)
		select {
		case <-e.wake:
		case <-e.told.done: // the last words are there: send what is queued, then go
		case <-e.ctx.Done():
			return
		case <-tick.C:
			if len(out) == 0 && len(e.line.Alive.Data) > 0 {
				e.mu.Lock()
				e.outbox = append(e.outbox, e.line.Alive)
				e.mu.Unlock()
			}
			e.late()
		}
	}
}

// parting is how long a vendor's reason may take to be read after its socket
// takes nothing any more.
const parting = 250 * time.Millisecond

// refused ends the stream: with what the vendor said last, if it said why.
func (e *ears) refused(err error) {
	t := time.NewTimer(parting)
	defer t.Stop()
	select {
	case <-e.unread:
	case <-t.C:
	case <-e.ctx.Done():
	}
	e.told.fail(err) // the reader's own comes first
}

// take takes what is to be sent, and says when to look at the time again.
func (e *ears) take() ([]wire.Frame, time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.outbox
	e.outbox, e.queued = nil, 0
	next := orElse(e.line.Every, time.Hour)
	if due := e.book.due(e.wait, e.silent); !due.IsZero() {
		next = min(next, max(time.Until(due), time.Millisecond))
	}
	return out, next
}

func (e *ears) late() {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, err := e.book.late(time.Now(), e.wait, e.silent)
	if err != nil {
		e.told.fail(err)
		e.cancel()
		return
	}
	e.settle(h)
}

// read takes in what the vendor says until the socket ends.
func (e *ears) read() {
	defer e.cancel()
	for {
		f, err := e.line.Socket.Read()
		if err == nil {
			err = e.hear(f)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			e.hungUp()
		case e.ctx.Err() == nil: // otherwise it is we who ended it
			e.told.fail(err)
		}
		return
	}
}

func (e *ears) hear(f wire.Frame) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	all, err := e.line.Codec.Read(e.line.Socket, f)
	if err != nil {
		return err
	}
	if w, waits := e.line.Codec.(Waiter); waits {
		e.outbox = append(e.outbox, w.Waited()...)
	}
	if len(all) == 0 { // it is alive
		all = []Said{{}}
	}
	now := time.Now()
	for _, s := range all {
		e.settle(e.book.take(s, now))
	}
	nudge(e.wake) // the time to look at may have changed
	return nil
}

// hungUp is the regular end of a socket: what is owed is answered from what is
// known if we are done, otherwise the vendor left us in the middle.
func (e *ears) hungUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closing {
		e.told.fail(fmt.Errorf("the recogniser hung up: %w", fault.Unavailable))
		return
	}
	e.settle(e.book.rest())
}
