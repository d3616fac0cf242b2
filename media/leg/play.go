package leg

import (
	"context"
	"fmt"
	"time"

	"flametree/engine/fault"
	"flametree/media/pcm"
	"flametree/media/resample"
)

// mouth is the way from a synthesiser's samples to the wire's rate. It belongs
// to whoever holds the leg's turn.
type mouth struct {
	gen    uint64
	rateHz int // of the synthesiser
	wireHz int // of the playout
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
	wireHz, err := l.enter(gen)
	if err != nil {
		return err
	}
	m := &l.mouth
	if err := m.tune(gen, rateHz, wireHz, nil); err != nil {
		return err
	}
	step := pcm.Samples(pcm.FrameTime, rateHz)
	var before []int16
	for len(samples) > 0 {
		now := samples[:min(step, len(samples))]
		m.staged = m.down.Process(m.staged[:0], now)
		wireHz, err := l.append(ctx, gen, m.staged, m.wireHz)
		if err != nil {
			return err
		}
		if wireHz != m.wireHz { // another codec meanwhile: once more at its rate
			if err := m.tune(gen, rateHz, wireHz, before); err != nil {
				return err
			}
			continue
		}
		before, samples = now, samples[len(now):]
	}
	return nil
}

// enter begins a generation unless its time is over, and says at which rate.
func (l *Leg) enter(gen uint64) (wireHz int, err error) {
	l.mu.Lock()
	if l.closed || l.play.dead(gen) {
		l.mu.Unlock()
		return 0, cancelled(gen, "flushed or ended, or a later one has begun", nil)
	}
	l.play.begin(gen)
	l.play.settle(time.Now())
	wireHz = l.play.rateHz()
	l.mu.Unlock()
	l.facts.deliver()
	return wireHz, nil
}

// tune readies the filter: a new one for another rate, a clean one for another
// generation. Before is what was said last, for a filter that takes over in the
// middle.
func (m *mouth) tune(gen uint64, rateHz, wireHz int, before []int16) error {
	if m.down == nil || m.rateHz != rateHz || m.wireHz != wireHz {
		down, err := resample.New(rateHz, wireHz)
		if err != nil {
			return fmt.Errorf("leg: play generation %d: %w", gen, err)
		}
		m.down, m.rateHz, m.wireHz = down, rateHz, wireHz
		m.staged = make([]int16, 0, down.MaxOut(pcm.Samples(pcm.FrameTime, rateHz)))
		m.staged = m.down.Process(m.staged, before)
	} else if m.gen != gen {
		m.down.Reset()
	}
	m.gen = gen
	return nil
}

// append puts up to a frame into the ring, waiting while it holds over 2 s. When
// the ring has another rate than the samples it takes nothing; it says which.
func (l *Leg) append(ctx context.Context, gen uint64, samples []int16, hz int) (wireHz int, err error) {
	for {
		l.mu.Lock()
		if l.closed || l.play.dead(gen) {
			l.mu.Unlock()
			return 0, cancelled(gen, "flushed or ended, or a later one has begun", nil)
		}
		if wireHz := l.play.rateHz(); wireHz != hz {
			l.mu.Unlock()
			return wireHz, nil
		}
		if !l.play.full() {
			now := time.Now()
			l.play.write(now, samples)
			l.kick(now)
			l.mu.Unlock()
			l.facts.deliver()
			return hz, nil
		}
		if l.waiting == nil {
			l.waiting = make(chan struct{})
		}
		waiting := l.waiting
		l.mu.Unlock()
		select {
		case <-waiting:
		case <-ctx.Done():
			return 0, cancelled(gen, "while the ring was full", ctx.Err())
		case <-l.done:
			return 0, cancelled(gen, "the leg is closed", nil)
		}
	}
}

func cancelled(gen uint64, why string, cause error) error {
	if cause == nil {
		return fmt.Errorf("leg: play generation %d: %s: %w", gen, why, fault.Cancelled)
	}
	return fmt.Errorf("leg: play generation %d: %s: %w: %w", gen, why, fault.Cancelled, cause)
}
