// Package quality estimates how a call sounds to people from what the network
// does to it: the E-model of ITU-T G.107, and G.107.1 for wide band, with
// everything but delay, coding and loss at its default. It is an estimate for
// comparing calls and finding bad lines. It hears nothing: clipping, echo and a
// bad microphone are not in it.
package quality

import (
	"strings"
	"time"
)

// Line is what is known of one direction of a call. The zero value is a perfect
// line in G.711.
type Line struct {
	Codec    string        // as RTP names it; one that is not known counts as G.711
	Loss     float64       // share of packets missing or too late, 0 to 1
	Burst    float64       // BurstR of G.107 3.5; 0 is 1, loss by chance
	Delay    time.Duration // mouth to ear, buffers and packets included
	Repaired float64       // share of the missing that FEC gave back, 0 to 1
}

const (
	base     = 93.2 // R with all defaults (G.107 7.7)
	wideBase = 129  // of G.107.1
	// knee is where people begin to speak into each other (Cole and Rosenbluth's
	// fit to the curve of G.107 3.3).
	knee = 177.3
)

// coding is how a codec fares: its impairment and how well it bears loss
// (G.113 appendices I and IV).
type coding struct {
	impairment, robustness float64
	wide                   bool
}

func codingOf(name string) coding {
	switch strings.ToUpper(name) {
	case "G722":
		// Ie,WB of G.113 IV at 64 kbit/s. Its loss figure there is for a decoder
		// without concealment; ours repeats the pitch.
		return coding{impairment: 13, robustness: 10, wide: true}
	case "OPUS":
		// No ITU figure exists: that of AMR-WB at 23.85 kbit/s, which it does not
		// sound worse than, and libopus's concealment.
		return coding{impairment: 8, robustness: 14, wide: true}
	}
	return coding{robustness: 25.1} // G.711 with concealment (G.113 table I.3)
}

// Score gives the rating R and the mean opinion score, 1 to 4.5. A score in
// wide band is on the scale of people who know wide band, one in narrow band on
// that of people who do not: they do not compare with each other.
func Score(l Line) (r, mos float64) {
	c := codingOf(l.Codec)
	burst := max(l.Burst, 1)
	loss := 100 * min(max(l.Loss, 0), 1) * (1 - min(max(l.Repaired, 0), 1))
	most := 95.0
	if c.wide {
		most = wideBase // the whole scale can be lost (G.107.1)
	}
	equipment := c.impairment
	if loss > 0 {
		equipment += (most - c.impairment) * loss / (loss/burst + c.robustness)
	}
	r = base
	if c.wide {
		r = wideBase
	}
	r = max(r-delayed(l.Delay)-equipment, 0)
	if c.wide {
		return r, opinion(r * 100 / wideBase)
	}
	return r, opinion(r)
}

// delayed is Id for a line without echo.
func delayed(d time.Duration) float64 {
	ms := max(float64(d)/float64(time.Millisecond), 0)
	return 0.024*ms + 0.11*max(ms-knee, 0)
}

// opinion is G.107 annex B.
func opinion(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1+0.035*r+r*(r-60)*(100-r)*7e-6, 1)
}

// EndToEnd puts the delay together from what a leg knows: half of the round
// trip, the jitter buffer, which holds twice the jitter but a frame at least,
// and the frame that is being spoken.
func EndToEnd(roundTrip, jitter, frame time.Duration) time.Duration {
	return roundTrip/2 + max(2*jitter, frame) + frame
}
