// Package dtmf is telephone events (RFC 4733): the payload, a decoder that
// tells each key once, and an encoder. It hears no tones in the audio itself.
package dtmf

import (
	"encoding/binary"
	"fmt"
	"time"

	"flametree/engine/fault"
)

// Size is the length of an event's payload in bytes.
const Size = 4

const keys = "0123456789*#ABCD" // RFC 4733 3.2: events 0 to 15

// Event is one payload (RFC 4733 2.3).
type Event struct {
	Code     uint8  // 0 to 15 are keys; 16 and more are other telephone events
	End      bool   // the key is up again
	Volume   uint8  // -dBm0, 0 to 63
	Duration uint16 // since the event's timestamp, in timestamp units
}

// Parse reads the first event of a payload, or says with fault.Invalid what is
// wrong. Redundant events after it are older and are left alone.
func Parse(payload []byte) (Event, error) {
	if len(payload) < Size {
		return Event{}, fmt.Errorf("telephone event: %d bytes, want %d: %w", len(payload), Size, fault.Invalid)
	}
	return Event{
		Code:     payload[0],
		End:      payload[1]&0x80 != 0,
		Volume:   payload[1] & 0x3F, // bit 6 is reserved and ignored
		Duration: binary.BigEndian.Uint16(payload[2:]),
	}, nil
}

// Put writes e to the first Size bytes of dst.
func (e Event) Put(dst []byte) {
	dst[0] = e.Code
	dst[1] = e.Volume & 0x3F
	if e.End {
		dst[1] |= 0x80
	}
	binary.BigEndian.PutUint16(dst[2:], e.Duration)
}

// Key is the key of an event code, 0 if it is no key.
func Key(code uint8) byte {
	if int(code) >= len(keys) {
		return 0
	}
	return keys[code]
}

// Code is the event code of a key; small letters are taken too.
func Code(key byte) (uint8, bool) {
	if key >= 'a' && key <= 'd' {
		key -= 'a' - 'A'
	}
	for i := range len(keys) {
		if keys[i] == key {
			return uint8(i), true
		}
	}
	return 0, false
}

// Digit is one press of a key.
type Digit struct {
	Key    byte
	Length time.Duration
}
