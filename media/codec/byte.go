package codec

import (
	"fmt"

	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/g722"
)

// errLong is made once: a flood of bad packets must not cost memory.
var errLong = fmt.Errorf("codec: a packet of more than 120 ms: %w", fault.Invalid)

// g711Codec is both halves: G.711 has no state.
type g711Codec struct{ law g711.Law }

func (g g711Codec) Encode(dst []byte, frame []int16) int {
	g.law.Encode(dst, frame)
	return len(frame)
}

func (g711Codec) Expect(float64) {}

func (g g711Codec) Decode(dst []int16, packet []byte) (int, error) {
	if len(packet) > MaxSamples/2 {
		return 0, errLong
	}
	g.law.Decode(dst, packet)
	return len(packet), nil
}

func (g711Codec) Conceal(dst []int16, _ []byte) bool {
	clear(dst)
	return false
}

type g722Encoder struct{ *g722.Encoder }

func (g722Encoder) Expect(float64) {}

type g722Decoder struct{ d *g722.Decoder }

func (g g722Decoder) Decode(dst []int16, packet []byte) (int, error) {
	if len(packet) > MaxSamples/2 {
		return 0, errLong
	}
	return g.d.Decode(dst, packet), nil
}

func (g722Decoder) Conceal(dst []int16, _ []byte) bool {
	clear(dst)
	return false
}
