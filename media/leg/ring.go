package leg

import (
	"flametree/media/g711"
	"flametree/media/resample"
)

// shape is how samples lie in memory.
type shape struct {
	law   g711.Law
	scale int // of 8 kHz
}

// reshape gives coded samples in another shape. What lay at index i lies at
// i·to/from afterwards. It costs a millisecond and some memory for a moment, once
// in a change of codec.
func reshape(coded []byte, from, to shape) []byte {
	if from.scale == to.scale {
		from.law.Convert(coded, to.law)
		return coded
	}
	linear := make([]int16, len(coded))
	from.law.Decode(linear, coded)
	linear = rerate(linear, from.scale, to.scale)
	out := make([]byte, len(linear))
	to.law.Encode(out, linear)
	return out
}

// rerate changes the rate of samples without moving them: the filter's delay is
// taken off.
func rerate(s []int16, from, to int) []int16 {
	r := converter(from, to)
	want := len(s) * to / from
	out := r.Process(make([]int16, 0, want+4*converterDelay), s)
	out = r.Process(out, make([]int16, 2*converterDelay))
	return out[delay(from, to):][:want]
}

// converterDelay is that of a filter between 8 and 16 kHz in samples of 8 kHz:
// twelve crossings of its sinc.
const converterDelay = 12

// delay is converterDelay in samples that come out.
func delay(from, to int) int {
	if from == to {
		return 0
	}
	return converterDelay * to
}

// converter gives a filter between two scales.
func converter(from, to int) *resample.Resampler {
	r, err := resample.New(from*g711.RateHz, to*g711.RateHz)
	if err != nil {
		panic("leg: 8 and 16 kHz are rates: " + err.Error())
	}
	return r
}
