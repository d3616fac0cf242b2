package leg

import (
	"context"
	"fmt"
	"time"

	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/pcm"
	"flametree/media/resample"
)

// mouth is the way from a synthesiser's samples to the wire's rate. It belongs
// to whoever holds the leg's turn.
type mouth struct {
	gen    uint64
	rateHz int
	down   *resample.Resampler
	staged []int16
}

// Play implements actors.Leg. Calls that overlap are served one after the
// other. It returns fault.Invalid for a rate that nobody uses, and
// fault.Cancelled when gen was flushed or ended, a later generation began, ctx
// ended or the leg was closed.
func (l *Leg) Play(ctx context.Context, gen uint64, samples []int16, rateHz int) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return cancelled(gen, "waiting for its turn", ctx.Err())
	case <-l.done:
		return cancelled(gen, "the leg is closed", nil)
	}
	if err := l.enter(gen); err != nil {
		return err
	}
	m := &l.mouth
	if err := m.tune(gen, rateHz); err != nil {
		return err
	}
	step := pcm.Samples(pcm.FrameTime, rateHz)
	for len(samples) > 0 {
		n := min(step, len(samples))
		m.staged = m.down.Process(m.staged[:0], samples[:n])
		if err := l.append(ctx, gen, m.staged); err != nil {
			return err
		}
		samples = samples[n:]
	}
	return nil
}

// enter begins a generation unless its time is over.
func (l *Leg) enter(gen uint64) error {
	l.mu.Lock()
	if l.closed || l.play.dead(gen) {
		l.mu.Unlock()
		return cancelled(gen, "flushed or ended, or a later one has begun", nil)
	}
	l.play.begin(gen)
	l.play.settle(time.Now())
	l.mu.Unlock()
	l.facts.deliver()
	return nil
}

// tune readies the filter: a new one for another rate, a clean one for another
// generation.
func (m *mouth) tune(gen uint64, rateHz int) error {
	if m.down == nil || m.rateHz != rateHz {
		down, err := resample.New(rateHz, g711.RateHz)
		if err != nil {
			return fmt.Errorf("leg: play generation %d: %w", gen, err)
		}
		m.down, m.rateHz = down, rateHz
		m.staged = make([]int16, 0, down.MaxOut(pcm.Samples(pcm.FrameTime, rateHz)))
	} else if m.gen != gen {
		m.down.Reset()
	}
	m.gen = gen
	return nil
}

// append puts up to a frame into the ring, waiting while it holds over 2 s.
func (l *Leg) append(ctx context.Context, gen uint64, samples []int16) error {
	for {
		l.mu.Lock()
		if l.closed || l.play.dead(gen) {
			l.mu.Unlock()
			return cancelled(gen, "flushed or ended, or a later one has begun", nil)
		}
		if l.play.pending() <= hardLimit {
			now := time.Now()
			l.play.write(now, samples)
			l.kick(now)
			l.mu.Unlock()
			l.facts.deliver()
			return nil
		}
		if l.waiting == nil {
			l.waiting = make(chan struct{})
		}
		waiting := l.waiting
		l.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return cancelled(gen, "while the ring was full", ctx.Err())
		case <-l.done:
			return cancelled(gen, "the leg is closed", nil)
		}
	}
}

func cancelled(gen uint64, why string, cause error) error {
	if cause == nil {
		return fmt.Errorf("leg: play generation %d: %s: %w", gen, why, fault.Cancelled)
	}
	return fmt.Errorf("leg: play generation %d: %s: %w: %w", gen, why, fault.Cancelled, cause)
}
