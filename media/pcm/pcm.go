// Package pcm holds what every room does with linear samples: the size of a
// frame, its level, and a gain that changes without a click. It is no home for
// codecs, files or filters.
package pcm

import (
	"math"
	"time"
)

// FrameTime is the length of every frame inside the media core.
const FrameTime = 20 * time.Millisecond

// Rates used inside the media core, in hertz.
const (
	WireHz = 8000  // G.711
	EarHz  = 16000 // what recognisers and synthesisers speak
)

// Samples says how many samples at rateHz last d, rounded down.
func Samples(d time.Duration, rateHz int) int {
	return int(int64(d) * int64(rateHz) / int64(time.Second))
}

// Length says how long n samples at rateHz last.
func Length(n int64, rateHz int) time.Duration {
	return time.Duration(n * int64(time.Second) / int64(rateHz))
}

// Power is the mean square of frame around its own mean, so that an offset
// from a cheap line card does not count as sound. An empty frame has none.
func Power(frame []int16) float64 {
	if len(frame) == 0 {
		return 0
	}
	var sum, squares int64
	for _, s := range frame {
		v := int64(s)
		sum += v
		squares += v * v
	}
	n := float64(len(frame))
	mean := float64(sum) / n
	return max(float64(squares)/n-mean*mean, 0)
}

// LevelDB is the level of frame in decibels over one quantisation step, so
// digital silence is 0 and a full-scale sine is about 87.
func LevelDB(frame []int16) float64 { return 10 * math.Log10(Power(frame)+1) }

// Clip rounds v to the nearest sample, limited to what int16 can hold.
func Clip(v float32) int16 {
	switch {
	case v >= math.MaxInt16:
		return math.MaxInt16
	case v <= math.MinInt16:
		return math.MinInt16
	case v < 0:
		return int16(v - 0.5)
	}
	return int16(v + 0.5)
}
