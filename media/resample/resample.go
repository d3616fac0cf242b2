// Package resample changes the rate of a stream of samples: a polyphase filter
// of windowed sinc taps, exact for any ratio of whole rates. It neither mixes
// channels nor buffers for anybody: what goes in comes out in the same call.
//
// The cutoff lies at half the lower rate and the filter is 6 dB down there.
// What a telephone carries (to 3.4 kHz) passes unchanged and its images are
// more than 50 dB down.
package resample

import (
	"fmt"
	"math"

	"flametree/engine/fault"
	"flametree/media/pcm"
)

const (
	crossings = 12      // zero crossings of the sinc on each side, at the lower rate
	beta      = 6.2     // Kaiser window: 65 dB of stop band
	chunk     = 160     // input samples worked on at once; bounds the scratch memory
	maxTaps   = 1 << 20 // of one table: 4 MB, met by no ratio of common rates
	minHz     = 4000
	maxHz     = 192000
)

// Resampler carries the filter's state from call to call. It is not safe for
// concurrent use.
type Resampler struct {
	up, down int       // the ratio in lowest terms
	whole    int       // down/up: how far the window moves for each output at least
	rest     int       // down%up: what is left of it
	taps     int       // of one phase
	coef     []float32 // up phases of taps, in the order of the samples they meet
	copies   []bool    // phases that only pass the sample in the middle
	buf      []float32 // taps-1 old samples, then the chunk
	at       int       // newest input the next output needs, relative to the chunk
	phase    int
}

// New returns a Resampler from one rate to another, both in hertz, or
// fault.Invalid for rates nobody uses.
func New(fromHz, toHz int) (*Resampler, error) {
	if fromHz < minHz || fromHz > maxHz || toHz < minHz || toHz > maxHz {
		return nil, fmt.Errorf("resample %d Hz to %d Hz: rates must lie in %d to %d: %w", fromHz, toHz, minHz, maxHz, fault.Invalid)
	}
	divisor := gcd(fromHz, toHz)
	r := &Resampler{up: toHz / divisor, down: fromHz / divisor}
	r.whole, r.rest = r.down/r.up, r.down%r.up
	widest := max(r.up, r.down)
	r.taps = 2 * ((crossings*widest + r.up - 1) / r.up)
	if r.up*r.taps > maxTaps {
		return nil, fmt.Errorf("resample %d Hz to %d Hz: the ratio %d/%d needs too large a filter: %w", fromHz, toHz, r.up, r.down, fault.Invalid)
	}
	if r.up != r.down {
		r.design(widest)
	}
	r.buf = make([]float32, r.taps-1+chunk)
	return r, nil
}

// design lays the taps of each phase out in the order in which they meet the
// samples, each phase summing to one so that no phase is louder than another.
func (r *Resampler) design(widest int) {
	r.coef = make([]float32, r.up*r.taps)
	r.copies = make([]bool, r.up)
	centre := r.up * r.taps / 2
	norm := bessel(beta)
	phase := make([]float64, r.taps)
	for p := range r.up {
		sum := 0.0
		for k := range phase {
			offset := float64(p + k*r.up - centre)
			edge := offset / float64(centre)
			phase[k] = sinc(offset/float64(widest)) * bessel(beta*math.Sqrt(max(0, 1-edge*edge))) / norm
			sum += phase[k]
		}
		for k, v := range phase {
			r.coef[p*r.taps+r.taps-1-k] = float32(v / sum)
		}
		r.copies[p] = p == 0 && r.up >= r.down
	}
}

// Reset forgets the past.
func (r *Resampler) Reset() {
	clear(r.buf)
	r.at, r.phase = 0, 0
}

// MaxOut is the most samples that Process appends for n samples of input.
func (r *Resampler) MaxOut(n int) int { return n*r.up/r.down + 1 }

// Process appends the resampled src to dst and returns it. It allocates only
// when dst lacks the room for MaxOut(len(src)). After n samples in all, between
// n·to/from and one more have come out.
func (r *Resampler) Process(dst, src []int16) []int16 {
	if r.up == r.down {
		return append(dst, src...)
	}
	for len(src) > 0 {
		n := min(chunk, len(src))
		dst = r.step(dst, src[:n])
		src = src[n:]
	}
	return dst
}

func (r *Resampler) step(dst, src []int16) []int16 {
	past := r.taps - 1
	for i, s := range src {
		r.buf[past+i] = float32(s)
	}
	at, phase, taps := r.at, r.phase, r.taps
	if r.up == 2 && r.down == 1 {
		return r.stepDouble(dst, len(src))
	}
	for at < len(src) {
		window := r.buf[at : at+taps]
		if r.copies[phase] {
			dst = append(dst, int16(window[taps/2-1]))
		} else {
			dst = append(dst, pcm.Clip(dot(r.coef[phase*taps:][:taps], window)))
		}
		// No division: at these rates one would cost more than half the taps.
		at += r.whole
		if phase += r.rest; phase >= r.up {
			phase -= r.up
			at++
		}
	}
	r.at, r.phase = at-len(src), phase
	copy(r.buf[:past], r.buf[len(src):len(src)+past])
	return dst
}

// stepDouble is step for twice the rate.
func (r *Resampler) stepDouble(dst []int16, n int) []int16 {
	const taps = 2 * crossings
	half := (*[taps / 2]float32)(r.coef[taps:])
	for at := range n {
		window := (*[taps]float32)(r.buf[at:])
		dst = append(dst, int16(window[taps/2-1]), pcm.Clip(double(half, window)))
	}
	copy(r.buf[:taps-1], r.buf[n:n+taps-1])
	return dst
}

// double is dot for the middle phase of twice the rate, whose 24 taps are the
// same from both ends: every call of a telephone is heard through it.
func double(x *[12]float32, y *[24]float32) float32 {
	var s0, s1, s2, s3 float32
	s0 += x[0] * (y[0] + y[23])
	s1 += x[1] * (y[1] + y[22])
	s2 += x[2] * (y[2] + y[21])
	s3 += x[3] * (y[3] + y[20])
	s0 += x[4] * (y[4] + y[19])
	s1 += x[5] * (y[5] + y[18])
	s2 += x[6] * (y[6] + y[17])
	s3 += x[7] * (y[7] + y[16])
	s0 += x[8] * (y[8] + y[15])
	s1 += x[9] * (y[9] + y[14])
	s2 += x[10] * (y[10] + y[13])
	s3 += x[11] * (y[11] + y[12])
	return (s0 + s1) + (s2 + s3)
}

// dot runs four sums side by side, or each addition would wait for the last.
// Taps come in even numbers, not always in eights.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s0 += x[4] * y[4]
		s1 += x[5] * y[5]
		s2 += x[6] * y[6]
		s3 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	b = b[:len(a)]
	for i, v := range a {
		s0 += v * b[i]
	}
	return s0 + s1 + s2 + s3
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// bessel is the modified Bessel function I0, by its power series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
