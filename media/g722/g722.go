// Package g722 is ITU-T G.722 at 64 kbit/s (mode 1): speech to 7 kHz, sampled at
// 16 kHz, one byte for two samples. It gives the same bits as the
// Recommendation's arithmetic. It knows neither the slower modes with a data
// channel in the low bits, nor packets, nor loss: whoever loses bytes conceals
// them, and the predictors find their way back by themselves.
package g722

import "math"

// RateHz is the rate of the sound. The clock of RTP counts 8000 a second, one
// for each byte, by an old mistake that stands (RFC 3551 4.5.2).
const RateHz = 16000

// The arithmetic is that of G.722 6.2: integers that are limited to 16 bits, and
// shifts that round down. Names in comments are the blocks of the Recommendation.

const (
	taps       = 24 // of the quadrature mirror filters
	stretch    = 40 // samples between two times that a line is moved
	lowFirst   = 32 // scale factors of a coder that starts (table 6-4)
	highFirst  = 8
	lowMost    = 18432 // upper limits of the logarithmic scale factors
	highMost   = 22528
	bandLimit  = 1 << 14
	secondMost = 12288 // a2 of the predictor stays within ±0.75
	firstMost  = 15360 // and a1 within ±(0.9375 - a2)
)

// band is one half of the spectrum: an adaptive quantiser's scale and a
// predictor of two poles and six zeros.
type band struct {
	estimate int    // s: what the predictor expects next
	zeroSum  int    // sz: the zeros' part of it
	before   int    // r: the newest reconstructed signal
	partial  [2]int // p: partially reconstructed, for their signs
	poles    [2]int // a
	zeros    [6]int // b
	diffs    [6]int // d: quantised differences, the newest first
	log      int    // nb: scale factor, logarithmic
	scale    int    // det: and linear
}

func limit16(v int) int {
	if int(int16(v)) == v {
		return v
	}
	return min(max(v, math.MinInt16), math.MaxInt16)
}

// line is the delay line of a mirror filter.
type line struct {
	samples [taps - 2 + stretch]int32
	at      int
}

// push takes two samples in and gives the sums of the filter's halves.
func (l *line) push(a, b int) (odd, even int) {
	if l.at == stretch {
		copy(l.samples[:taps-2], l.samples[l.at:])
		l.at = 0
	}
	w := (*[taps]int32)(l.samples[l.at:])
	w[taps-2], w[taps-1] = int32(a), int32(b)
	l.at += 2
	var x, y int32
	for k, c := range &mirror {
		x += w[2*k] * c
		y += w[taps-1-2*k] * c
	}
	return int(x), int(y)
}

// adapt is what both sides do with a quantised difference (blocks 4: RECONS,
// PARREC, UPPOL2, UPPOL1, UPZERO, FILTEP, FILTEZ, PREDIC).
func (b *band) adapt(d int) {
	whole, part := limit16(b.estimate+d), limit16(b.zeroSum+d)
	second := b.pole2(part)
	first := b.pole1(part, second)
	b.zeroSum = b.slideZeros(d)
	poles := first*limit16(2*whole)>>15 + second*limit16(2*b.before)>>15
	b.before = whole
	b.partial[1], b.partial[0] = b.partial[0], part
	b.poles = [2]int{first, second}
	b.estimate = limit16(limit16(poles) + b.zeroSum)
}

// pole2 is UPPOL2: the signs of the last three partial signals move a2.
func (b *band) pole2(part int) int {
	slope := limit16(4 * b.poles[0])
	if sameSign(part, b.partial[0]) {
		slope = min(-slope, math.MaxInt16)
	}
	step := -128
	if sameSign(part, b.partial[1]) {
		step = 128
	}
	return min(max(step+slope>>7+b.poles[1]*32512>>15, -secondMost), secondMost)
}

// pole1 is UPPOL1.
func (b *band) pole1(part, second int) int {
	step := -192
	if sameSign(part, b.partial[0]) {
		step = 192
	}
	most := limit16(firstMost - second)
	return min(max(limit16(step+b.poles[0]*32640>>15), -most), most)
}

// slideZeros is UPZERO, DELAY and FILTEZ in one: each zero moves by the sign of
// the difference it met, which then steps on to the next. No zero needs a limit:
// what is left of it and the step do not reach one.
func (b *band) slideZeros(d int) int {
	step := 128
	if d == 0 {
		step = 0
	}
	sum, next := 0, d
	for i := range b.zeros {
		old := b.diffs[i]
		// All ones where the signs differ: the step is taken off.
		against := (d ^ old) >> 63
		z := b.zeros[i]*32640>>15 + (step ^ against - against)
		b.zeros[i], b.diffs[i] = z, next
		sum += z * limit16(2*next) >> 15
		next = old
	}
	return limit16(sum)
}

func sameSign(a, b int) bool { return (a < 0) == (b < 0) }

// rescale is LOGSCL and SCALEL, or LOGSCH and SCALEH: the code that was sent
// moves the scale of the quantiser.
func (b *band) rescale(move, most, shift int) {
	b.log = min(max(b.log*127>>7+move, 0), most)
	mantissa := antilog[b.log>>6&31]
	if down := shift - b.log>>11; down >= 0 {
		b.scale = mantissa >> down << 2
	} else {
		b.scale = mantissa << -down << 2
	}
}

// low takes the upper four bits of a code of the lower band in.
func (b *band) low(code int) {
	d := b.scale * quant4[code] >> 15
	b.rescale(lowMove[code], lowMost, 8)
	b.adapt(d)
}

// high takes a code of the higher band in and gives the difference.
func (b *band) high(code int) int {
	d := b.scale * quant2[code] >> 15
	b.rescale(highMove[code], highMost, 10)
	b.adapt(d)
	return d
}
