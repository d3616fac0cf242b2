package caller

import (
	"context"
	"fmt"
	"time"

	"flametree/engine/fault"
	"flametree/media/dtmf"
	"flametree/media/rtp"
)

// keys are the keys that a call presses, as telephone events (RFC 4733).
type keys struct {
	kind    uint8 // payload type, 0 = the other side takes none
	rateHz  int
	encoder dtmf.Encoder
	queue   []byte
	stamp   uint32 // of the event that is being sent
	payload [dtmf.Size]byte
	pressed bool // since idle was asked last
}

// next gives the packet that takes the place of this frame's sound.
func (k *keys) next(stamp uint32) (rtp.Head, []byte, bool) {
	if !k.encoder.Busy() {
		if len(k.queue) == 0 {
			return rtp.Head{}, nil, false
		}
		key := k.queue[0]
		k.queue = k.queue[1:]
		if err := k.encoder.Press(key, 0, k.rateHz); err != nil {
			panic("caller: a key that was checked is none: " + err.Error())
		}
	}
	p, ok := k.encoder.Next()
	if !ok {
		return rtp.Head{}, nil, false
	}
	if p.Marker {
		k.stamp = stamp
	}
	k.payload = p.Payload
	return rtp.Head{Marker: p.Marker, PayloadType: k.kind, Timestamp: k.stamp + p.Ahead}, k.payload[:], true
}

// idle says once that all keys are up again.
func (k *keys) idle() bool {
	if !k.pressed || k.encoder.Busy() || len(k.queue) > 0 {
		return false
	}
	k.pressed = false
	return true
}

// Press presses keys one after the other and returns when the last one is up.
// It fails with fault.Invalid for what is no key, and with fault.Conflict when
// the other side takes no telephone events.
func (s *sound) Press(ctx context.Context, digits string) (Said, error) {
	for _, d := range []byte(digits) {
		if _, ok := dtmf.Code(d); !ok {
			return Said{}, fmt.Errorf("%q is not a key: %w", string(rune(d)), fault.Invalid)
		}
	}
	s.mu.Lock()
	if s.keys.kind == 0 {
		s.mu.Unlock()
		return Said{}, fmt.Errorf("the other side takes no telephone events: %w", fault.Conflict)
	}
	s.keys.queue, s.keys.pressed = append(s.keys.queue, digits...), digits != ""
	s.mu.Unlock()
	out := Said{First: time.Now()}
	err := s.until(ctx, func() bool { return !s.keys.pressed })
	out.Last = time.Now()
	return out, err
}
