package g722

// Decoder turns bytes into sound. The zero value is not ready: use NewDecoder.
// It is not safe for concurrent use.
type Decoder struct {
	lower, higher band
	past          line // sums and differences of the bands
}

// NewDecoder returns a Decoder at the beginning of a stream.
func NewDecoder() *Decoder {
	d := &Decoder{}
	d.Reset()
	return d
}

// Reset begins another stream.
func (d *Decoder) Reset() {
	*d = Decoder{lower: band{scale: lowFirst}, higher: band{scale: highFirst}}
}

// Decode writes two samples for every byte of src to dst, which has the room.
// All bytes are valid. A stream may be entered anywhere.
func (d *Decoder) Decode(dst []int16, src []byte) int {
	dst = dst[:2*len(src)]
	for i, code := range src {
		low, high := d.decodeLow(int(code&63)), d.decodeHigh(int(code>>6))
		second, first := d.past.push(low+high, low-high)
		dst[2*i], dst[2*i+1] = int16(limit16(first>>11)), int16(limit16(second>>11))
	}
	return len(dst)
}

func (d *Decoder) decodeLow(code int) int {
	b := &d.lower
	out := limitBand(b.estimate + b.scale*quant6[code]>>15)
	b.low(code >> 2)
	return out
}

func (d *Decoder) decodeHigh(code int) int {
	b := &d.higher
	expected := b.estimate
	return limitBand(b.high(code) + expected)
}

// limitBand is LIMIT of the decoder.
func limitBand(v int) int { return min(max(v, -bandLimit), bandLimit-1) }
