// Package codec is the list of what the media core can put on the wire, and the
// contract a codec keeps: frames of 20 ms in and packets out, packets of any
// common length in and sound out. It chooses nothing (SDP does), keeps no
// order (the jitter buffer does) and holds no samples of its own.
package codec

import (
	"fmt"
	"strings"

	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/g722"
	"flametree/media/opus"
)

// MaxSamples is the most sound Decode gives for one packet, MaxBytes the most
// Encode writes.
const (
	MaxSamples = opus.MaxSamples
	MaxBytes   = opus.MaxBytes
)

// Encoder makes packets. It is not safe for concurrent use and allocates
// nothing.
type Encoder interface {
	// Encode writes the packet of a frame of 20 ms at the codec's rate to dst,
	// which has room for MaxBytes, and gives its length. Up to 2 bytes mean
	// silence that need not be sent.
	Encode(dst []byte, frame []int16) int
	// Expect tells what share of our packets the peer misses, 0 to 1.
	Expect(loss float64)
}

// Decoder makes sound, packet by packet in the order they were made in. It is
// not safe for concurrent use and allocates nothing.
type Decoder interface {
	// Decode writes a packet's sound to dst, which has room for what Samples says
	// of it, and gives its length in samples. Bytes that are no packet, or longer
	// than 120 ms, fail with fault.Invalid and change nothing.
	Decode(dst []int16, packet []byte) (int, error)
	// Conceal fills dst, a multiple of 2.5 ms, with what was lost before next,
	// which is nil when it is not there. It reports whether next told what was
	// lost. Codecs that conceal nothing clear dst.
	Conceal(dst []int16, next []byte) bool
}

// Codec is one entry of the list.
type Codec struct {
	Name        string // as RTP names it (RFC 3551 6, RFC 7587 7)
	RateHz      int    // of the sound
	ClockHz     int    // of RTP's timestamps
	PayloadType uint8  // the static one, or what our offers say
	// Bytes says that a packet is one byte for each tick of the clock and may be
	// cut anywhere.
	Bytes bool
	// Conceals says that the decoder has a concealment of its own.
	Conceals bool
}

// List is every codec, wide band first.
func List() []Codec {
	return []Codec{
		{Name: "opus", RateHz: opus.RateHz, ClockHz: opus.ClockHz, PayloadType: 111, Conceals: true},
		{Name: "G722", RateHz: g722.RateHz, ClockHz: 8000, PayloadType: 9, Bytes: true},
		{Name: "PCMA", RateHz: g711.RateHz, ClockHz: g711.RateHz, PayloadType: 8, Bytes: true},
		{Name: "PCMU", RateHz: g711.RateHz, ClockHz: g711.RateHz, PayloadType: 0, Bytes: true},
	}
}

// Find gives a codec by its name in any case, or fault.Invalid.
func Find(name string) (Codec, error) {
	for _, c := range List() {
		if strings.EqualFold(c.Name, name) {
			return c, nil
		}
	}
	return Codec{}, fmt.Errorf("codec %.20q: known are opus, G722, PCMA, PCMU: %w", name, fault.Invalid)
}

// Law is the law of a codec that is one of G.711's two.
func (c Codec) Law() (g711.Law, bool) { return g711.Parse(c.Name) }

// Ticks is how long a packet lasts on RTP's clock, or fault.Invalid.
func (c Codec) Ticks(packet []byte) (int, error) {
	if c.Bytes {
		return len(packet), nil
	}
	return opus.Ticks(packet)
}

// Samples is how much sound a packet gives, 0 when it is none; MaxSamples at most.
func (c Codec) Samples(packet []byte) int {
	ticks, err := c.Ticks(packet)
	if err != nil {
		return 0
	}
	return min(ticks*c.RateHz/c.ClockHz, MaxSamples)
}

// NewEncoder returns an Encoder that follows the peer's a=fmtp, "" when it had
// none.
func (c Codec) NewEncoder(format string) (Encoder, error) {
	switch c.Name {
	case "opus":
		return opus.NewEncoder(opus.ParseWishes(format))
	case "G722":
		return g722Encoder{g722.NewEncoder()}, nil
	}
	law, ok := c.Law()
	if !ok {
		return nil, fmt.Errorf("codec %.20q has no encoder: %w", c.Name, fault.Invalid)
	}
	return g711Codec{law}, nil
}

// NewDecoder returns a Decoder at the beginning of a stream.
func (c Codec) NewDecoder() (Decoder, error) {
	switch c.Name {
	case "opus":
		return opus.NewDecoder()
	case "G722":
		return g722Decoder{g722.NewDecoder()}, nil
	}
	law, ok := c.Law()
	if !ok {
		return nil, fmt.Errorf("codec %.20q has no decoder: %w", c.Name, fault.Invalid)
	}
	return g711Codec{law}, nil
}
