// Package noise is comfort noise (RFC 3389): the payload that describes the hiss
// of a line on which nobody speaks, and the hiss itself. It decides neither
// when a line is silent nor when a description is sent.
package noise

import (
	"fmt"
	"math"

	"flametree/engine/fault"
	"flametree/media/pcm"
)

// PayloadType is the static one, for a clock of 8 kHz (RFC 3551 6).
const PayloadType = 13

// order is how many reflection coefficients are used; 10 shape a telephone
// line's hiss (RFC 3389 3.1 bounds nothing). Those beyond it are stepped over.
const order = 10

// quietest is the level that stands for silence.
const quietest = 127

// Description is what a payload says. The zero value is the loudest noise there
// is: begin with Quiet.
type Description struct {
	Level  uint8 // below overload in dB, 0 to 127 (RFC 3389 3)
	Shape  [order]float64
	Shaped int // coefficients of Shape that are meaningful
}

// Quiet is a line without any noise.
func Quiet() Description { return Description{Level: quietest} }

// Parse reads a payload, or fails with fault.Invalid when it is empty.
func Parse(payload []byte) (Description, error) {
	if len(payload) == 0 {
		return Quiet(), fmt.Errorf("comfort noise: no level: %w", fault.Invalid)
	}
	d := Description{Level: payload[0] & 0x7F}
	for _, n := range payload[1:] {
		if d.Shaped == order {
			break
		}
		// 258·(N-127) in 1/32768 (RFC 3389 3.1); 255 would reach past one, where
		// a filter rings for ever.
		k := 258 * float64(int(n)-127) / 32768
		d.Shape[d.Shaped] = min(max(k, -0.99), 0.99)
		d.Shaped++
	}
	return d, nil
}

// Put writes the payload to dst, which has the room, and gives its length: one
// byte and one for each coefficient.
func (d Description) Put(dst []byte) int {
	out := append(dst[:0], min(d.Level, quietest))
	for _, k := range d.Shape[:d.Shaped] {
		out = append(out, byte(min(max(math.Round(k*32768/258)+127, 0), 254)))
	}
	return len(out)
}

// Measure describes a frame by its level alone.
func Measure(frame []int16) Description {
	power := pcm.Power(frame)
	if power < 1 {
		return Quiet()
	}
	below := 10 * math.Log10(32768*32768/power)
	return Description{Level: uint8(min(max(math.Round(below), 0), quietest))}
}

// Generator makes the hiss. The zero value makes silence. The same descriptions
// give the same hiss again. It is not safe for concurrent use.
type Generator struct {
	set   bool
	to    Description
	gain  float64 // amplitude before the filter
	state [order + 1]float64
	seed  uint32
}

// Set changes to another description, from the next frame on.
func (g *Generator) Set(d Description) {
	g.set = true
	if d.Shaped != g.to.Shaped {
		g.state = [order + 1]float64{}
	}
	g.to = d
	// Uniform noise of amplitude a has power a²/3; the filter lets through more
	// by the product of 1/(1-k²).
	power := 32768 * 32768 * math.Pow(10, -float64(d.Level)/10)
	for _, k := range d.Shape[:d.Shaped] {
		power *= 1 - k*k
	}
	g.gain = math.Sqrt(3 * power)
}

// Fill writes hiss.
func (g *Generator) Fill(dst []int16) {
	if !g.set || g.to.Level >= quietest {
		clear(dst)
		return
	}
	for i := range dst {
		// A generator of Numerical Recipes.
		g.seed = g.seed*1664525 + 1013904223
		dst[i] = pcm.Clip(float32(g.shape(float64(int32(g.seed)) / (1 << 31) * g.gain)))
	}
}

// shape is the lattice of an all-pole filter.
func (g *Generator) shape(v float64) float64 {
	for m := g.to.Shaped - 1; m >= 0; m-- {
		k := g.to.Shape[m]
		v -= k * g.state[m]
		g.state[m+1] = g.state[m] + k*v
	}
	g.state[0] = v
	return v
}
