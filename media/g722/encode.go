package g722

// Encoder turns sound into bytes. The zero value is not ready: use NewEncoder.
// It is not safe for concurrent use.
type Encoder struct {
	lower, higher band
	past          line
}

// NewEncoder returns an Encoder at the beginning of a stream.
func NewEncoder() *Encoder {
	e := &Encoder{}
	e.Reset()
	return e
}

// Reset begins another stream.
func (e *Encoder) Reset() {
	*e = Encoder{lower: band{scale: lowFirst}, higher: band{scale: highFirst}}
}

// Encode writes a byte for every two samples of src to dst, which has the room.
// An odd sample at the end is left out: frames of 20 ms have none.
func (e *Encoder) Encode(dst []byte, src []int16) int {
	n := len(src) / 2
	for i := range dst[:n] {
		odd, even := e.past.push(int(src[2*i]), int(src[2*i+1]))
		low, high := (even+odd)>>14, (even-odd)>>14
		dst[i] = byte(e.encodeHigh(high)<<6 | e.encodeLow(low))
	}
	return n
}

// encodeLow is SUBTRA, QUANTL and the lower band's feedback, which hears four of
// the six bits only, so that a slower mode could drop two.
func (e *Encoder) encodeLow(sample int) int {
	b := &e.lower
	diff := limit16(sample - b.estimate)
	size := diff
	if diff < 0 {
		size = -(diff + 1)
	}
	// The interval is found by halving: the levels rise.
	from, to := 1, len(levels)
	for from < to {
		if mid := (from + to) / 2; size < levels[mid]*b.scale>>12 {
			to = mid
		} else {
			from = mid + 1
		}
	}
	code := int(positive[from])
	if diff < 0 {
		code = int(negative[from])
	}
	b.low(code >> 2)
	return code
}

// encodeHigh is QUANTH and the higher band's feedback.
func (e *Encoder) encodeHigh(sample int) int {
	b := &e.higher
	diff := limit16(sample - b.estimate)
	size := diff
	if diff < 0 {
		size = -(diff + 1)
	}
	code := 3 // small and positive
	if size >= 564*b.scale>>12 {
		code = 2
	}
	if diff < 0 {
		code -= 2
	}
	b.high(code)
	return code
}
