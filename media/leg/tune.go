package leg

import (
	"time"

	"flametree/actors"
)

// Tune implements actors.Leg.
func (l *Leg) Tune(start, stop time.Duration) {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	l.in.vad.Tune(start, stop)
}

// Mute says that the peer sends no sound now and says so: until it is called
// with false, that nothing comes is not taken for a lost stream.
func (l *Leg) Mute(on bool) {
	now := time.Now()
	e := &l.in
	e.mu.Lock()
	e.muted = on
	e.lastPacket = now // what was missed before counts no more
	if on && !e.flowing {
		e.flowing = true
		l.facts.add(actors.Fact{Kind: actors.FactPackets, At: now})
	}
	e.mu.Unlock()
	l.facts.deliver()
}
