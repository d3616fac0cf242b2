package leg

import "time"

// Tune implements actors.Leg.
func (l *Leg) Tune(start, stop time.Duration) {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	l.in.vad.Tune(start, stop)
}
