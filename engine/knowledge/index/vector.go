package index

import (
	"math"
)

// vector is a vector of length 1 in eight bits a dimension; nil numbers for a
// passage without one.
type vector struct {
	numbers []int8
	step    float32 // what one unit of a number is
}

const mostStep = 127

// pack makes a vector of v, whatever its length. It reports false for one that
// has none or that holds no numbers.
func pack(v []float32) (vector, bool) {
	var square, most float64
	for _, f := range v {
		square += float64(f) * float64(f)
		most = max(most, math.Abs(float64(f)))
	}
	if !(square > 0) || math.IsInf(square, 0) {
		return vector{}, false
	}
	long := math.Sqrt(square)
	step := most / mostStep
	p := vector{numbers: make([]int8, len(v)), step: float32(step / long)}
	for i, f := range v {
		p.numbers[i] = int8(math.Round(float64(f) / step))
	}
	return p, true
}

// dot is the cosine of a vector and a question of length 1.
func (p vector) dot(q []float32) float32 {
	var a, b, c, d float32
	n := p.numbers
	for len(n) >= 4 && len(q) >= 4 {
		a += float32(n[0]) * q[0]
		b += float32(n[1]) * q[1]
		c += float32(n[2]) * q[2]
		d += float32(n[3]) * q[3]
		n, q = n[4:], q[4:]
	}
	for i, f := range n {
		a += float32(f) * q[i]
	}
	return (a + b + c + d) * p.step
}

// into writes a vector's numbers as they were, nearly.
func (p vector) into(out []float32) {
	for i, n := range p.numbers {
		out[i] = float32(n) * p.step
	}
}

// unit is v with length 1, nil when it has none.
func unit(v []float32) []float32 {
	var square float64
	for _, f := range v {
		square += float64(f) * float64(f)
	}
	if !(square > 0) || math.IsInf(square, 0) {
		return nil
	}
	out := make([]float32, len(v))
	for i, f := range v {
		out[i] = float32(float64(f) / math.Sqrt(square))
	}
	return out
}
