package twilio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/pcm"
	"flametree/media/vad"
)

// Options make a Stream. The zero value is useful.
type Options struct {
	VAD vad.Options
	Log *slog.Logger // default none
}

// Stream implements actors.Leg over Media Streams. It may be served by one
// socket after another, for a call that was lent to somebody else and came back.
// All methods may be called from any goroutine; the sink of facts may call every
// method but Close and Play, what is given to Hear and Record calls none.
type Stream struct {
	log   *slog.Logger
	facts facts
	in    ears
	out   listeners
	turn  chan struct{} // held by the Play that writes
	done  chan struct{} // closed by Close
	once  sync.Once
	wg    sync.WaitGroup // of the clock

	mu      sync.Mutex // guards what follows
	conn    Conn       // nil between two sockets
	stream  string
	play    playout
	mouth   mouth
	gain    pcm.Gain
	fill    *filler
	frame   [frameBytes]byte
	linear  [frameBytes]int16
	copies  copies
	sent    uint64
	waiting chan struct{} // closed when there is room again; nil when nobody waits
	trip    time.Duration
	started bool
	closed  bool
}

var _ actors.Leg = (*Stream)(nil)

// New returns a Stream without a socket, or fault.Invalid.
func New(o Options) (*Stream, error) {
	o.VAD.RateHz = wireHz
	detector, err := vad.New(o.VAD)
	if err != nil {
		return nil, fmt.Errorf("stream: %w: %w", fault.Invalid, err)
	}
	s := &Stream{
		log:  cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		turn: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.play.ring, s.play.facts = make([]byte, ringBytes), &s.facts
	s.in.open(detector)
	s.out.open()
	return s, nil
}

// Start implements actors.Leg. The clock of the leg runs from now on.
func (s *Stream) Start(sink func(actors.Fact)) {
	s.mu.Lock()
	first := !s.started && !s.closed
	if first {
		s.started = true
		s.wg.Go(s.clock)
	}
	s.mu.Unlock()
	if first {
		s.facts.open(sink)
	}
}

// clock ticks every 20 ms until Close. A tick that comes late makes up for those
// that were missed, for a recording must keep its time.
func (s *Stream) clock() {
	tick := time.NewTicker(pcm.FrameTime)
	defer tick.Stop()
	began, count := time.Now(), int64(0)
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		now := time.Now()
		due := int64(now.Sub(began) / pcm.FrameTime)
		if due-count > mostMissed {
			count = due - mostMissed
		}
		for ; count < due; count++ {
			s.tick(now)
		}
	}
}

const mostMissed = 500 // ticks made up for after a pause of the process

// tick is 20 ms of the call, both ways.
func (s *Stream) tick(now time.Time) {
	s.mu.Lock()
	s.pump(now)
	var stalled Conn
	if s.conn != nil && s.play.stalled(now) {
		stalled, s.conn = s.conn, nil
	}
	s.mu.Unlock()
	if stalled != nil {
		s.log.Warn("no mark came back: the stream is given up", "after_s", stallAfter.Seconds())
		stalled.Close(closePolicy, "marks are not acknowledged")
	}
	s.out.tick(now, s)
	s.facts.deliver()
}

// pump sends what may be sent now. The mutex is held, so that nothing comes
// between a decision and its frame.
func (s *Stream) pump(now time.Time) {
	p := &s.play
	for s.conn != nil && p.room(now) {
		n := p.take(s.frame[:])
		if n == 0 && !s.filled() {
			break
		}
		if !s.gain.Idle() {
			g711.MuLaw.Decode(s.linear[:], s.frame[:])
			s.gain.Apply(s.linear[:])
			g711.MuLaw.Encode(s.frame[:], s.linear[:])
		}
		s.write(mediaFrame(s.stream, s.frame[:]))
		s.copies.push(s.frame[:])
		s.sent++
		if n > 0 {
			p.gone(now, n)
		} else {
			p.spent(now)
		}
		if p.markDue() {
			s.write(markFrame(s.stream, p.put()))
		}
	}
	if s.conn != nil && p.markDue() {
		s.write(markFrame(s.stream, p.put()))
	}
	if s.waiting != nil && p.drained() {
		close(s.waiting)
		s.waiting = nil
	}
}

// write sends a frame. A socket that does not take it is about to fail its
// reader, who tells; here is nobody to tell.
func (s *Stream) write(b []byte) {
	if s.conn == nil || s.conn.Write(b) != nil {
		s.conn = nil
	}
}

// wipe empties Twilio's buffer. The mutex is held: clear is the next frame.
func (s *Stream) wipe() {
	s.copies.n = 0
	if s.conn != nil {
		s.write(clearFrame(s.stream))
	}
}

// Play implements actors.Leg. Calls that overlap are served one after the
// other. It returns fault.Invalid for a rate that nobody uses.
func (s *Stream) Play(ctx context.Context, gen uint64, samples []int16, rateHz int) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return cancelled(gen, ctx.Err())
	case <-s.done:
		return cancelled(gen, errClosed)
	}
	if err := s.mouth.tune(gen, rateHz); err != nil {
		return err
	}
	step := pcm.Samples(pcm.FrameTime, rateHz)
	for first := true; first || len(samples) > 0; first = false {
		now := samples[:min(step, len(samples))]
		samples = samples[len(now):]
		if err := s.append(ctx, gen, s.mouth.narrow(now)); err != nil {
			return err
		}
	}
	return nil
}

// append puts up to a frame into the ring, waiting while it holds over 2 s.
func (s *Stream) append(ctx context.Context, gen uint64, samples []int16) error {
	for {
		s.mu.Lock()
		if s.closed || s.play.dead(gen) {
			s.mu.Unlock()
			return cancelled(gen, errDead)
		}
		if !s.play.full() {
			now := time.Now()
			s.play.begin(gen)
			s.play.settle(now)
			s.play.write(now, samples)
			if s.started {
				s.pump(now)
			}
			s.mu.Unlock()
			s.facts.deliver()
			return nil
		}
		if s.waiting == nil {
			s.waiting = make(chan struct{})
		}
		waiting := s.waiting
		s.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return cancelled(gen, ctx.Err())
		case <-s.done:
			return cancelled(gen, errClosed)
		}
	}
}

var (
	errClosed = errors.New("the leg is closed")
	errDead   = errors.New("flushed or ended, or a later one has begun")
)

func cancelled(gen uint64, why error) error {
	return fmt.Errorf("stream: play generation %d: %w: %w", gen, why, fault.Cancelled)
}

// with runs do under the mutex and delivers what came of it.
func (s *Stream) with(do func(now time.Time)) {
	s.mu.Lock()
	now := time.Now()
	do(now)
	if s.started && !s.closed {
		s.pump(now)
	}
	s.mu.Unlock()
	s.facts.deliver()
}

// Mark implements actors.Leg: the fact comes when Twilio says that it was heard.
func (s *Stream) Mark(gen, mark uint64) {
	s.with(func(now time.Time) { s.play.mark(now, gen, mark) })
}

// End implements actors.Leg: FactDrained comes when the last of it was heard.
func (s *Stream) End(gen uint64) { s.with(func(now time.Time) { s.play.end(now, gen) }) }

// Pause implements actors.Leg. What Twilio holds of it is not heard either.
func (s *Stream) Pause(gen uint64) {
	s.with(func(now time.Time) {
		if s.play.pause(now, gen) {
			s.wipe()
		}
	})
}

// Resume implements actors.Leg.
func (s *Stream) Resume(gen uint64, from time.Duration) {
	s.with(func(now time.Time) {
		if s.play.resume(now, gen, from) {
			s.wipe()
		}
	})
}

// Flush implements actors.Leg. When it returns, "clear" was sent if anything was
// on its way to the ear, and nothing of the generations up to gen follows.
func (s *Stream) Flush(gen uint64) (heard time.Duration) {
	s.with(func(now time.Time) {
		n, wipe := s.play.flush(now, gen)
		heard = length(n)
		if wipe {
			s.wipe()
		}
		if s.waiting != nil { // whoever waits sees that its generation is gone
			close(s.waiting)
			s.waiting = nil
		}
	})
	return heard
}

// Played implements actors.Leg: how much of gen was surely heard, by the last
// mark that came back.
func (s *Stream) Played(gen uint64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return length(s.play.reached(gen))
}

// Close implements actors.Leg. It must not be called from a sink. A socket that
// serves the leg is closed.
func (s *Stream) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		conn := s.conn
		s.conn = nil
		s.mu.Unlock()
		close(s.done)
		s.facts.close()
		s.wg.Wait()
		s.out.close()
		if conn != nil {
			conn.Close(closeNormal, "")
		}
	})
	return nil
}

// Stats implements actors.Leg.
func (s *Stream) Stats() actors.LegStats {
	s.mu.Lock()
	sent, trip := s.sent, s.trip
	s.mu.Unlock()
	st := s.in.stats()
	st.Codec, st.RateHz, st.Sent, st.RoundTrip = g711.MuLaw.Name(), wireHz, sent, trip
	return st
}
