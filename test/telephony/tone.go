package telephony

import "math"

// Loud is the amplitude of every tone here: 10 dB below the loudest there is.
const Loud = 10000

// Tone makes n samples of a tone that began at samples ago.
func Tone(hz float64, rateHz, at, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(Loud * math.Sin(2*math.Pi*hz*float64(at+i)/float64(rateHz)))
	}
	return out
}

// Level is how loud a tone is in pcm, in dB below a Tone of Loud, by Goertzel's
// filter behind a window of Hann. Silence is -120.
func Level(pcm []int16, hz float64, rateHz int) float64 {
	if len(pcm) == 0 {
		return -120
	}
	w := 2 * math.Pi * hz / float64(rateHz)
	k, a, b := 2*math.Cos(w), 0.0, 0.0
	for i, v := range pcm {
		window := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(pcm)))
		a, b = float64(v)*window+k*a-b, a
	}
	power := a*a + b*b - k*a*b
	amplitude := math.Sqrt(max(0, power)) * 4 / float64(len(pcm)) // a window of Hann halves it
	return max(-120, 20*math.Log10(amplitude/Loud+1e-9))
}

// Loudest is the Level of a tone in the quarter of a second in which it is
// loudest.
func Loudest(pcm []int16, hz float64, rateHz int) float64 {
	most := -120.0
	for at := 0; at+rateHz/4 <= len(pcm); at += rateHz / 8 {
		most = max(most, Level(pcm[at:at+rateHz/4], hz, rateHz))
	}
	return most
}
