package index

import "math"

// wordBits is how many dimensions of a sketch share a machine word.
const wordBits = 64

// turn turns vectors at random, the same way every time: afterwards each
// dimension says as much as any other, so that its sign is worth keeping.
type turn struct {
	padded int // dimensions, up to a multiple of wordBits
	window int // the greatest power of two in it
	flips  [turnRounds][]float32
}

const turnRounds = 2

func newTurn(dim int) turn {
	t := turn{padded: (dim + wordBits - 1) / wordBits * wordBits, window: wordBits}
	for t.window*2 <= t.padded {
		t.window *= 2
	}
	seed := uint64(0x9e3779b97f4a7c15)
	for r := range t.flips {
		t.flips[r] = make([]float32, t.padded)
		for i := range t.flips[r] {
			// The generator of Steele, Lea and Flood: equal everywhere and for ever,
			// because sketches of different days are compared.
			seed += 0x9e3779b97f4a7c15
			z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
			z = (z ^ z>>27) * 0x94d049bb133111eb
			t.flips[r][i] = 1 - 2*float32(z>>63)
		}
	}
	return t
}

// apply turns v, of padded dimensions, in place; its length stays. A dimension
// count that is no power of two is turned in two windows that overlap.
func (t turn) apply(v []float32) {
	for _, flips := range t.flips {
		for i, f := range flips {
			v[i] *= f
		}
		hadamard(v[:t.window])
		if t.window < t.padded {
			hadamard(v[t.padded-t.window:])
		}
	}
}

// hadamard is the fast transform of Walsh and Hadamard, with length kept.
func hadamard(v []float32) {
	for h := 1; h < len(v); h *= 2 {
		for i := 0; i < len(v); i += 2 * h {
			a, b := v[i:i+h], v[i+h:i+2*h]
			for j, x := range a {
				y := b[j]
				a[j], b[j] = x+y, x-y
			}
		}
	}
	norm := float32(1 / math.Sqrt(float64(len(v))))
	for i := range v {
		v[i] *= norm
	}
}
