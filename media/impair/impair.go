// Package impair is a bad road for the packets of one call: it loses, delays
// and reorders them by the chance of a seed, so that a test or a rehearsal meets
// the same weather again. It stands between a phone and whom it calls as a pair
// of sockets (RTP and RTCP) and refuses to read what it carries.
package impair

import (
	"fmt"
	"math/rand/v2"
	"time"

	"flametree/engine/fault"
)

// Weather is what happens to packets, in both directions alike. The zero value
// is a good road.
type Weather struct {
	Seed    uint64
	Loss    float64       // share of packets that are lost, 0 to 1
	Reorder float64       // share that others overtake, 0 to 1
	Behind  time.Duration // by how much later those come; 0 is 50 ms
	Delay   time.Duration // of every packet, at most 5 s
	Jitter  time.Duration // up to which each is delayed further, in order, at most 5 s
}

// behind is more than two packets of 20 ms.
const behind = 50 * time.Millisecond

// Zero reports whether the road is a good one.
func (w Weather) Zero() bool {
	return w.Loss == 0 && w.Reorder == 0 && w.Delay == 0 && w.Jitter == 0
}

// Check fails with fault.Invalid for what no road does.
func (w Weather) Check() error {
	const most = 5 * time.Second
	switch {
	case w.Loss < 0 || w.Loss > 1 || w.Reorder < 0 || w.Reorder > 1:
		return fmt.Errorf("impair: loss and reorder are shares from 0 to 1: %w", fault.Invalid)
	case w.Delay < 0 || w.Delay > most || w.Jitter < 0 || w.Jitter > most || w.Behind < 0 || w.Behind > most:
		return fmt.Errorf("impair: delays are from 0 to %v: %w", most, fault.Invalid)
	}
	return nil
}

// fate is what happens to one packet.
type fate struct {
	lost, overtaken bool
	wait            time.Duration // without what comes of being overtaken
}

// lane is one direction. The n-th packet of a lane meets the same fate for the
// same seed, whatever the other lane carries: each draws the same three numbers.
type lane struct {
	weather Weather
	chance  *rand.Rand
	last    time.Time // when the latest packet that keeps the order leaves
}

func newLane(w Weather, way uint64) *lane {
	if w.Behind == 0 {
		w.Behind = behind
	}
	return &lane{weather: w, chance: rand.New(rand.NewPCG(w.Seed, way))} // it repeats itself by intent
}

func (l *lane) next() fate {
	lose, swap, late := l.chance.Float64(), l.chance.Float64(), l.chance.Float64()
	return fate{
		lost:      lose < l.weather.Loss,
		overtaken: swap < l.weather.Reorder,
		wait:      l.weather.Delay + time.Duration(late*float64(l.weather.Jitter)),
	}
}

// take decides about the packet that came at now: when it leaves, unless it is lost.
func (l *lane) take(now time.Time) (due time.Time, f fate) {
	f = l.next()
	due = now.Add(f.wait)
	switch {
	case f.lost:
	case f.overtaken:
		due = due.Add(l.weather.Behind)
	case due.Before(l.last):
		due = l.last // a queue keeps its order: jitter alone reorders nothing
	default:
		l.last = due
	}
	return due, f
}
