package pacer

import "time"

// How a shard judges its own lateness. The priority is taken within a tenth of
// a second of trouble, and kept long: to come and go with every gust costs more
// than to stay.
const (
	gripLook  = 100 * time.Millisecond
	gripLate  = 2 * time.Millisecond // what a shard that nobody disturbs does not reach
	gripShare = 50                   // one tick in so many is late: take it
	gripStay  = 30 * time.Second     // kept for at least this long
	gripMost  = 10 * time.Minute     // and at most, when trouble comes back at once
	gripSoon  = 10 * time.Second     // what is at once
)

// grip decides when a shard turns with real-time priority. A thread that has it
// wakes in time whatever else the machine does, but it costs: it sleeps in the
// kernel with a processor of Go's, which the runtime's monitor then watches each
// 20 µs. Measured with 100 calls: half of all the processor time. So a shard
// turns on Go's poller, and takes the priority when its ticks come late. It is
// pure; the zero value has no priority.
type grip struct {
	held   bool
	looked time.Time
	ticks  int
	late   int

	until    time.Time // held: not given back before
	stay     time.Duration
	released time.Time
}

// see takes the lateness of one round's ticks at now and reports whether the
// shard should have the priority from now on; looked says that this was judged now.
func (g *grip) see(now time.Time, round []delay) (want, looked bool) {
	for _, d := range round {
		g.ticks++
		if d.of > gripLate || d.missed > 0 {
			g.late++
		}
	}
	if g.looked.IsZero() {
		g.looked = now
	}
	if now.Sub(g.looked) < gripLook {
		return g.held, false
	}
	// The priority cannot be late for want of itself: what is late then is
	// our own doing, and no reason to go on holding.
	trouble := !g.held && g.late*gripShare > g.ticks
	g.looked, g.ticks, g.late = now, 0, 0
	switch {
	case trouble:
		if g.stay == 0 || now.Sub(g.released) > gripSoon {
			g.stay = gripStay
		} else {
			g.stay = min(2*g.stay, gripMost)
		}
		g.held, g.until = true, now.Add(g.stay)
	case g.held && !now.Before(g.until):
		g.held, g.released = false, now
	}
	return g.held, true
}
