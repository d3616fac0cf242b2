package dtmf

import (
	"fmt"
	"time"

	"flametree/engine/fault"
)

const (
	ends    = 3                      // the end is sent three times (RFC 4733 2.5.1.4)
	volume  = 10                     // -10 dBm0, what handsets send
	least   = 40 * time.Millisecond  // ITU-T Q.24: shorter tones may be missed
	most    = 8 * time.Second        // nobody means more
	between = 60 * time.Millisecond  // between two keys
	step    = 20 * time.Millisecond  // one packet
	normal  = 160 * time.Millisecond // when the caller does not say
)

// Encoder makes the packets of one key at a time, one for each 20 ms. The zero
// value is idle. It is not safe for concurrent use.
type Encoder struct {
	code    uint8
	rateHz  int
	total   int // packets while the key is down
	sent    int
	pause   int
	pressed bool
}

// Packet is what to send in this frame's place.
type Packet struct {
	Payload [Size]byte
	Marker  bool // first packet of the event
	Offset  int  // of the event's start before this frame, in timestamp units
	// Ahead is by how much this packet's timestamp lies after the event's start:
	// 0, but for a key held longer than one segment can say (RFC 4733 2.5.1.3).
	Ahead uint32
}

// Press starts a key; length 0 means 160 ms. It fails with fault.Invalid for
// what is no key, and with fault.Conflict while another key is down.
func (e *Encoder) Press(key byte, length time.Duration, rateHz int) error {
	code, ok := Code(key)
	if !ok {
		return fmt.Errorf("dtmf: %q is not a key: %w", string(rune(key)), fault.Invalid)
	}
	if e.pressed {
		return fmt.Errorf("dtmf: key %c is still down: %w", Key(e.code), fault.Conflict)
	}
	if length == 0 {
		length = normal
	}
	length = min(max(length, least), most)
	*e = Encoder{code: code, rateHz: rateHz, pressed: true, total: int((length + step - 1) / step), pause: int(between / step)}
	return nil
}

// Busy reports whether a key is down or its pause is not over.
func (e *Encoder) Busy() bool { return e.pressed }

// Next gives the packet for the next frame. Without one (false) the frame
// carries sound as usual; Busy may still be true during the pause after a key.
func (e *Encoder) Next() (Packet, bool) {
	if !e.pressed {
		return Packet{}, false
	}
	last := e.total + ends - 1
	if e.sent >= last {
		e.sent++
		e.pressed = e.sent < last+e.pause
		return Packet{}, false
	}
	per := int(step) * e.rateHz / int(time.Second)
	p := Packet{Marker: e.sent == 0, Offset: e.sent * per}
	e.sent++
	long := min(e.sent, e.total) * per
	segments := (long - 1) / segment
	p.Ahead = uint32(segments * segment)
	Event{
		Code:     e.code,
		End:      e.sent >= e.total,
		Volume:   volume,
		Duration: uint16(long - segments*segment),
	}.Put(p.Payload[:])
	return p, true
}
