package opus

import (
	"errors"
	"fmt"
	"slices"

	lib "github.com/hraban/opus"

	"flametree/engine/fault"
)

const (
	// bitrate is what speech to 8 kHz needs; a coarse copy against loss lies
	// within it.
	bitrate = 28000
	// effort is of 10. Measured here: a tone of 1 kHz comes out 35.6 dB clear at 2,
	// 36.4 at 3 and only 17.4 at 1; 2 costs a sixth less than 3, 10 three times as
	// much.
	effort = 2
	// Loss in percent that FEC is ready for before the peer has reported any:
	// under about 5 the encoder writes no copies at this rate.
	firstLoss = 10
	mostLoss  = 30
	// settled is after how many frames of digital silence the encoder says the
	// same again and again: 200 ms.
	settled = 10
	// mostStill is room for such a packet; longer ones are made each time.
	mostStill = 256
)

// Encoder turns frames of 16 kHz into packets. It is not safe for concurrent
// use.
type Encoder struct {
	lib   *lib.Encoder
	fec   bool
	dtx   bool
	loss  int
	quiet int             // frames of digital silence in a row
	still [mostStill]byte // the packet of one, once there were enough
	size  int             // its length
}

// NewEncoder returns an Encoder that follows the peer's wishes.
func NewEncoder(w Wishes) (*Encoder, error) {
	e, err := lib.NewEncoder(RateHz, 1, lib.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("opus: encoder: %w: %w", fault.Bug, err)
	}
	rate := bitrate
	if w.Bitrate != 0 {
		rate = min(rate, w.Bitrate)
	}
	band := lib.Wideband
	switch {
	case w.Play == 0 || w.Play >= 16000:
	case w.Play >= 12000:
		band = lib.Mediumband
	default:
		band = lib.Narrowband
	}
	out := &Encoder{lib: e, fec: w.FEC, dtx: w.DTX}
	err = errors.Join(
		e.SetBitrate(rate), e.SetComplexity(effort), e.SetMaxBandwidth(band), e.SetVBR(!w.Steady),
		e.SetInBandFEC(w.FEC), e.SetDTX(w.DTX),
	)
	if w.FEC {
		err = errors.Join(err, e.SetPacketLossPerc(firstLoss))
		out.loss = firstLoss
	}
	if err != nil {
		return nil, fmt.Errorf("opus: encoder: %w: %w", fault.Bug, err)
	}
	return out, nil
}

// Encode writes the packet of a frame of 20 ms to dst, which has room for
// MaxBytes, and gives its length. Up to 2 bytes mean that it need not be sent.
//
// An agent that listens sends silence, more than half of the time. After a while
// every frame of it gives the same packet, and it is not made anew: the state of
// the encoder and of a decoder that gets it again stay where they are.
func (e *Encoder) Encode(dst []byte, frame []int16) int {
	if e.quiet++; e.dtx || !silent(frame) {
		e.quiet = 0
	}
	if e.quiet > settled && e.size > 0 {
		return copy(dst, e.still[:e.size])
	}
	n, err := e.lib.Encode(frame, dst[:MaxBytes:MaxBytes])
	if err != nil {
		panic("opus: a frame of " + fmt.Sprint(len(frame)) + " samples does not encode: " + err.Error()) // the leg makes 20 ms
	}
	if e.quiet == settled {
		if e.size = 0; n <= mostStill {
			e.size = copy(e.still[:], dst[:n])
		}
	}
	return n
}

func silent(frame []int16) bool {
	for _, v := range frame {
		if v != 0 {
			return false
		}
	}
	return true
}

// Expect tells what share of our packets the peer misses, 0 to 1. Without FEC
// it changes nothing.
func (e *Encoder) Expect(loss float64) {
	percent := min(max(int(100*loss+0.5), firstLoss), mostLoss)
	if !e.fec || percent == e.loss {
		return
	}
	if e.lib.SetPacketLossPerc(percent) == nil {
		e.loss = percent
	}
}

// Decoder turns packets into sound at 16 kHz. It is not safe for concurrent use.
type Decoder struct{ lib *lib.Decoder }

// NewDecoder returns a Decoder at the beginning of a stream.
func NewDecoder() (*Decoder, error) {
	d, err := lib.NewDecoder(RateHz, 1)
	if err != nil {
		return nil, fmt.Errorf("opus: decoder: %w: %w", fault.Bug, err)
	}
	return &Decoder{d}, nil
}

// Decode writes a packet's sound to dst, which has room for what Ticks says of
// it, and gives its length in samples. A packet that is none fails with
// fault.Invalid and leaves the stream as it was.
func (d *Decoder) Decode(dst []int16, packet []byte) (int, error) {
	ticks, err := Ticks(packet)
	if err != nil {
		return 0, err
	}
	n := ticks / (ClockHz / RateHz)
	n, err = d.lib.Decode(packet, dst[:n:n])
	if err != nil {
		return 0, errDamaged
	}
	return n, nil
}

var errDamaged = fmt.Errorf("opus: a damaged packet: %w", fault.Invalid)

// Conceal fills dst, any multiple of 2.5 ms up to 120 ms, with what was lost:
// from next, the packet right after the gap, when that carries a copy, else by
// guess. It reports whether it knew.
func (d *Decoder) Conceal(dst []int16, next []byte) bool {
	if len(dst) == 0 {
		return false
	}
	dst = slices.Clip(dst) // the library looks at what there is room for
	if HasFEC(next) && d.lib.DecodeFEC(next, dst) == nil {
		return true
	}
	if d.lib.DecodePLC(dst) != nil {
		clear(dst)
	}
	return false
}
