package pcm

import "math"

// rampSamples is how long a change of level takes: 1 ms at 8 kHz. That is
// enough against an audible step, and short enough for the frame that carries
// the change to be already 10 dB quieter when ducked by 12 dB.
const rampSamples = 8

// Gain changes the level of a stream, sliding from one level to the next over
// 1 ms. The zero value is ready and changes nothing. It is not safe for
// concurrent use.
type Gain struct{ from, to float32 } // offsets from 1, so that zero means unity

// Set asks for a level in dB, 0 being as it is. It takes effect at the start of
// the next Apply. Levels under -90 dB are silence.
func (g *Gain) Set(db float64) {
	if db <= -90 {
		g.to = -1
		return
	}
	g.to = float32(math.Pow(10, db/20)) - 1
}

// Idle reports that Apply would change nothing.
func (g *Gain) Idle() bool { return g.from == 0 && g.to == 0 }

// Apply changes frame in place.
func (g *Gain) Apply(frame []int16) {
	if g.Idle() {
		return
	}
	n := 0
	if g.from != g.to {
		n = min(rampSamples, len(frame))
		step := (g.to - g.from) / rampSamples
		at := 1 + g.from
		for i := range frame[:n] {
			at += step
			frame[i] = Clip(float32(frame[i]) * at)
		}
		g.from = g.to
	}
	level := 1 + g.to
	for i, s := range frame[n:] {
		frame[n+i] = Clip(float32(s) * level)
	}
}
