// Package plc conceals frames that never came: it repeats the last pitch
// period with a fade for at most 60 ms, then gives comfort noise at the level
// of the line. It is for linear samples at 8 or 16 kHz, in the manner of
// G.711 Appendix I; it decides nothing about when a frame is lost.
package plc

import (
	"math"
	"time"

	"flametree/media/pcm"
)

const (
	limit     = 60 * time.Millisecond // of repetition
	plain     = 10 * time.Millisecond // repeated before the fade begins
	join      = 5 * time.Millisecond  // crossfade back into real audio
	shortest  = 400                   // Hz, highest pitch looked for
	longest   = 66                    // Hz, lowest
	memory    = 45 * time.Millisecond // three of the longest periods
	enoughHz  = 4000                  // of samples that are correlated: pitch needs no more
	noiseTop  = 60.0                  // comfort noise is never louder than this amplitude, about -55 dB
	noiseRise = 1.02                  // the line's noise estimate doubles in 0.7 s
)

// Concealer keeps what was last heard. It is not safe for concurrent use.
type Concealer struct {
	rateHz int
	past   []int16 // the last memory of output, oldest first
	period []int16 // being repeated
	used   int     // samples of period already given
	gone   int     // samples concealed since the last good frame
	heard  bool
	noise  float64 // amplitude of the line when nobody speaks
	seed   uint32
}

// New returns a Concealer for streams at rateHz.
func New(rateHz int) *Concealer {
	c := &Concealer{
		rateHz: rateHz,
		past:   make([]int16, pcm.Samples(memory, rateHz)),
		period: make([]int16, 0, rateHz/longest+1),
	}
	c.Reset()
	return c
}

// Reset forgets the stream.
func (c *Concealer) Reset() {
	clear(c.past)
	c.period = c.period[:0]
	c.used, c.gone, c.heard = 0, 0, false
	c.noise, c.seed = 0, 1
}

// Good takes a frame that did come. After a concealment its first 5 ms are
// blended, in place, with what was invented.
func (c *Concealer) Good(frame []int16) {
	if c.gone > 0 {
		n := min(pcm.Samples(join, c.rateHz), len(frame))
		for i := range n {
			invented := c.next()
			frame[i] = int16((int(invented)*(n-i) + int(frame[i])*i) / n)
		}
		c.gone, c.used = 0, 0
		c.period = c.period[:0]
	}
	c.heard = true
	c.listen(frame)
	c.keep(frame)
}

// Lost fills dst with a concealment of the next frame.
func (c *Concealer) Lost(dst []int16) {
	if !c.heard {
		clear(dst)
		return
	}
	if c.gone == 0 {
		c.study()
	}
	for i := range dst {
		dst[i] = c.next()
	}
	c.keep(dst)
}

// next invents one sample.
func (c *Concealer) next() int16 {
	noise := c.hiss()
	at := c.gone
	c.gone++
	end, start := pcm.Samples(limit, c.rateHz), pcm.Samples(plain, c.rateHz)
	if at >= end || len(c.period) == 0 {
		return noise
	}
	s := c.period[c.used]
	c.used = (c.used + 1) % len(c.period)
	if at <= start {
		return s
	}
	left, whole := end-at, end-start
	return int16((int(s)*left + int(noise)*(whole-left)) / whole)
}

// hiss is white noise at the line's level from a generator of Numerical
// Recipes, so that the same stream is concealed the same way again.
func (c *Concealer) hiss() int16 {
	c.seed = c.seed*1664525 + 1013904223
	return int16(float64(int32(c.seed)) / (1 << 31) * c.noise)
}

// listen follows the quietest frames: that is the line itself.
func (c *Concealer) listen(frame []int16) {
	power := pcm.Power(frame)
	limited := min(power, noiseTop*noiseTop/3)
	target := c.noise * c.noise / 3
	switch {
	case limited < target:
		target = limited
	default:
		target = min(limited, max(target, 0.1)*noiseRise)
	}
	c.noise = math.Sqrt(3 * target) // uniform noise of amplitude a has power a²/3
}

func (c *Concealer) keep(frame []int16) {
	if len(frame) >= len(c.past) {
		copy(c.past, frame[len(frame)-len(c.past):])
		return
	}
	n := copy(c.past, c.past[len(frame):])
	copy(c.past[n:], frame)
}

// study finds the pitch: the lag at which the end of the past looks most like
// what came a lag before. The last period becomes what is repeated.
func (c *Concealer) study() {
	low, high := c.rateHz/shortest, c.rateHz/longest
	span := min(len(c.past)-high, pcm.Samples(20*time.Millisecond, c.rateHz))
	stride := max(c.rateHz/enoughHz, 1)
	tail := c.past[len(c.past)-span:]
	best, lag := 0.0, high
	for l := low; l <= high; l++ {
		shifted := c.past[len(c.past)-span-l : len(c.past)-l]
		var cross, energy int64
		for i := 0; i < span; i += stride {
			cross += int64(tail[i]) * int64(shifted[i])
			energy += int64(shifted[i]) * int64(shifted[i])
		}
		if cross <= 0 {
			continue
		}
		if score := float64(cross) * float64(cross) / float64(energy+1); score > best*1.02 {
			best, lag = score, l
		}
	}
	c.period = append(c.period[:0], c.past[len(c.past)-lag:]...)
	c.used = 0
	c.soften()
}

// soften blends the end of the period into what came before its start, so that
// its repetition has no step.
func (c *Concealer) soften() {
	lag := len(c.period)
	n := lag / 4
	for i := range n {
		before := c.past[len(c.past)-lag-n+i]
		at := lag - n + i
		c.period[at] = int16((int(c.period[at])*(n-i) + int(before)*i) / n)
	}
}
