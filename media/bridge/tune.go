package bridge

import (
	"math"

	"flametree/media/pcm"
)

// Melody is music on hold that belongs to nobody: a slow broken chord, about
// ten seconds at 16 kHz, quiet enough to speak over.
func Melody() []int16 {
	const note = 400 // ms
	scale := []float64{261.63, 329.63, 392.00, 523.25, 392.00, 329.63, 220.00, 261.63, 329.63, 440.00, 329.63, 261.63, 174.61, 220.00, 261.63, 349.23, 261.63, 220.00, 196.00, 246.94, 293.66, 392.00, 293.66, 246.94}
	each := pcm.EarHz * note / 1000
	out := make([]int16, 0, each*len(scale))
	for _, hz := range scale {
		for i := range each {
			t := float64(i) / pcm.EarHz
			// Struck and fading, with a soft octave above; quiet at both ends so that
			// no note clicks.
			edge := math.Min(1, math.Min(float64(i), float64(each-i))/160)
			v := edge * math.Exp(-2.2*t) * (math.Sin(2*math.Pi*hz*t) + 0.25*math.Sin(4*math.Pi*hz*t))
			out = append(out, int16(2600*v))
		}
	}
	return out
}
