package caller

import (
	"flametree/media/codec"
	"flametree/media/resample"
)

// voice is a codec both ways, with samples of 8 kHz on our side.
type voice struct {
	codec    codec.Codec
	encoder  codec.Encoder
	decoder  codec.Decoder
	up, down *resample.Resampler // nil at 8 kHz
	wide     []int16             // that is sent
	heard    []int16             // that came, at the codec's rate
	narrow   []int16             // and at ours
	packet   []byte
}

func newVoice(name, format string) (*voice, error) {
	c, err := codec.Find(name)
	if err != nil {
		return nil, err
	}
	v := &voice{codec: c, wide: make([]int16, 0, 400), heard: make([]int16, codec.MaxSamples), packet: make([]byte, codec.MaxBytes)}
	if v.encoder, err = c.NewEncoder(format); err != nil {
		return nil, err
	}
	if v.decoder, err = c.NewDecoder(); err != nil {
		return nil, err
	}
	if c.RateHz == RateHz {
		return v, nil
	}
	if v.up, err = resample.New(RateHz, c.RateHz); err != nil {
		return nil, err
	}
	v.down, err = resample.New(c.RateHz, RateHz)
	return v, err
}

// ticks is how many units of RTP's clock last a sample of ours.
func (v *voice) ticks() int { return v.codec.ClockHz / RateHz }

// encode gives the packet of a frame, valid until the next. Pauses are sent too:
// a phone that is measured has no gaps of its own.
func (v *voice) encode(f []int16) []byte {
	if v.up != nil {
		f = v.up.Process(v.wide[:0], f)
	}
	return v.packet[:v.encoder.Encode(v.packet, f)]
}

// decode gives a packet's samples, valid until the next; none when it is damaged.
func (v *voice) decode(packet []byte) []int16 {
	n, err := v.decoder.Decode(v.heard, packet)
	if err != nil {
		return nil
	}
	if v.down == nil {
		return v.heard[:n]
	}
	v.narrow = v.down.Process(v.narrow[:0], v.heard[:n])
	return v.narrow
}
