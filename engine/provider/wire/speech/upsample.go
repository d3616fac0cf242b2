package speech

import "math"

// Upsampler turns 16 kHz into 24 kHz, for vendors that take nothing else. It
// keeps what the next samples need; one belongs to one stream. The zero value is
// ready.
type Upsampler struct {
	tail  []float64 // the last taps of the input
	phase int       // of the next output: 0, 1, 2
	skip  int       // input samples until the next output
	table [3][]float64
}

// taps are the input samples that an output is made of: a sinc of 8 zero
// crossings a side under a Hann window.
const taps = 16

// Process gives the samples at 24 kHz for pcm, delayed by half a millisecond.
func (u *Upsampler) Process(pcm []int16) []int16 {
	if u.tail == nil {
		u.tail = make([]float64, taps)
		u.weigh()
	}
	out := make([]int16, 0, len(pcm)*3/2+2)
	for _, v := range pcm {
		copy(u.tail, u.tail[1:])
		u.tail[taps-1] = float64(v)
		for u.skip--; u.skip < 0; {
			out = append(out, u.at(u.phase))
			// Three outputs stand for two inputs: 2/3 of a sample further each time.
			if u.phase += 2; u.phase >= 3 {
				u.phase -= 3
				u.skip++
			}
		}
	}
	return out
}

func (u *Upsampler) at(phase int) int16 {
	sum := 0.0
	for i, w := range u.table[phase] {
		sum += w * u.tail[i]
	}
	return int16(max(math.MinInt16, min(math.MaxInt16, math.Round(sum))))
}

// weigh makes the weights of each phase; they sum to 1, so that a level stays.
func (u *Upsampler) weigh() {
	for p := range u.table {
		w, sum := make([]float64, taps), 0.0
		for i := range w {
			x := float64(i) - (taps/2 - 1) - float64(p)/3
			w[i] = 0.5 + 0.5*math.Cos(2*math.Pi*x/(taps+1))
			if x != 0 {
				w[i] *= math.Sin(math.Pi*x) / (math.Pi * x)
			}
			sum += w[i]
		}
		for i := range w {
			w[i] /= sum
		}
		u.table[p] = w
	}
}
