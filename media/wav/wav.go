// Package wav reads and writes RIFF WAVE files. Reading takes what telephones,
// editors and browsers produce: PCM of 8, 16, 24 or 32 bits, µ-law and A-law,
// one or two channels, any rate, in plain or extensible form, with chunks in
// any order. Other containers and compressed formats are somebody else's.
package wav

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"flametree/engine/fault"
	"flametree/media/pcm"
)

// HeaderSize is the length of the header that Header makes.
const HeaderSize = 44

// Audio is a whole file in memory.
type Audio struct {
	RateHz   int
	Channels int     // 1 or 2
	PCM      []int16 // interleaved when there are two channels
}

// Length is how long it lasts.
func (a Audio) Length() time.Duration {
	if a.Channels == 0 || a.RateHz == 0 {
		return 0
	}
	return pcm.Length(int64(len(a.PCM)/a.Channels), a.RateHz)
}

// Channel copies one channel out: 0 is left, 1 is right.
func (a Audio) Channel(n int) []int16 {
	out := make([]int16, 0, len(a.PCM)/a.Channels)
	for i := n; i < len(a.PCM); i += a.Channels {
		out = append(out, a.PCM[i])
	}
	return out
}

// Mono is the mean of all channels, the only one being returned as it is.
func (a Audio) Mono() []int16 {
	if a.Channels == 1 {
		return a.PCM
	}
	out := make([]int16, len(a.PCM)/2)
	for i := range out {
		out[i] = int16((int32(a.PCM[2*i]) + int32(a.PCM[2*i+1])) / 2)
	}
	return out
}

// Header is the header of a file of 16-bit PCM with so many bytes of samples.
// What does not fit 32 bits is written as the largest size, which readers take
// for "until the end".
func Header(rateHz, channels int, dataBytes int64) [HeaderSize]byte {
	var h [HeaderSize]byte
	block := 2 * channels
	riff, data := dataBytes+HeaderSize-8, dataBytes
	if riff > unknownSize {
		riff, data = unknownSize, unknownSize
	}
	copy(h[0:], "RIFF")
	binary.LittleEndian.PutUint32(h[4:], uint32(riff))
	copy(h[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(h[16:], 16)
	binary.LittleEndian.PutUint16(h[20:], formatPCM)
	binary.LittleEndian.PutUint16(h[22:], uint16(channels))
	binary.LittleEndian.PutUint32(h[24:], uint32(rateHz))
	binary.LittleEndian.PutUint32(h[28:], uint32(rateHz*block))
	binary.LittleEndian.PutUint16(h[32:], uint16(block))
	binary.LittleEndian.PutUint16(h[34:], 16)
	copy(h[36:], "data")
	binary.LittleEndian.PutUint32(h[40:], uint32(data))
	return h
}

// Write writes a as 16-bit PCM. It fails with fault.Invalid for what is no
// audio, and with the writer's own error.
func Write(w io.Writer, a Audio) error {
	if a.Channels < 1 || a.Channels > 2 || a.RateHz < minHz || a.RateHz > maxHz || len(a.PCM)%a.Channels != 0 {
		return fmt.Errorf("wav: %d channels at %d Hz with %d samples: %w", a.Channels, a.RateHz, len(a.PCM), fault.Invalid)
	}
	h := Header(a.RateHz, a.Channels, int64(2*len(a.PCM)))
	var b bytes.Buffer
	b.Grow(HeaderSize + 2*len(a.PCM))
	b.Write(h[:])
	for _, s := range a.PCM {
		b.WriteByte(byte(s))
		b.WriteByte(byte(uint16(s) >> 8))
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("wav: write: %w", err)
	}
	return nil
}
