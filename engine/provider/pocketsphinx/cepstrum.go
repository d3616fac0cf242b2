package pocketsphinx

import "math"

// A transform makes the cepstrum of a frame from its mel bands: one row of
// weights and an offset for each coefficient.
type transform struct {
	weights [cepstra][filters]float32
	offset  [cepstra]float32
}

// cosine is the transform the acoustic model was trained with: the orthonormal
// DCT-II of 25 bands, liftered by 22 (feat.params: -transform dct -lifter 22).
func cosine() *transform {
	const lifter = 22
	t := &transform{}
	for i := range cepstra {
		norm := math.Sqrt(2.0 / filters)
		if i == 0 {
			norm = math.Sqrt(1.0 / filters)
		}
		lift := 1 + lifter/2*math.Sin(float64(i)*math.Pi/lifter)
		for j := range filters {
			t.weights[i][j] = float32(norm * lift * math.Cos(float64(i)*(float64(j)+0.5)*math.Pi/filters))
		}
	}
	return t
}

func (t *transform) apply(in *[filters]float32, out *[cepstra]float32) {
	for i := range t.weights {
		sum := t.offset[i]
		for j, w := range &t.weights[i] {
			sum += w * in[j]
		}
		out[i] = sum
	}
}
