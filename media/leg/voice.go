package leg

import (
	"flametree/media/codec"
	"flametree/media/noise"
	"flametree/media/rtp"
)

const (
	hushAfter = 10  // silent frames that are sent as sound before comfort noise
	hushEvery = 10  // frames: callers hang up on a line without packets
	hushLevel = 75  // dB under overload: the room behind an agent
	askEvery  = 250 // frames between two looks at the peer's loss
	unsent    = 2   // bytes of a packet that says only that nothing is said (RFC 6716 2.1.9)
)

// voice is the encoder of what is sent. G.711 has none: the playout ring holds
// what goes out.
type voice struct {
	name    string // of the codec
	ticks   uint32 // of RTP's clock in a frame
	format  string // the peer's, by which the encoder was made
	encoder codec.Encoder
	packet  []byte
	frames  int
}

func newVoice(c codec.Codec, format string) (voice, error) {
	v := voice{name: c.Name, ticks: uint32(c.ClockHz / 50), format: format}
	if _, plain := c.Law(); plain {
		return v, nil
	}
	var err error
	v.encoder, err = c.NewEncoder(format)
	v.packet = make([]byte, codec.MaxBytes)
	return v, err
}

// bytes says that comfort noise as RFC 3389 has it fits beside the codec: its
// clock is the same.
func (v *voice) bytes() bool { return v.ticks == frameBytes }

// encode gives the packet of a frame; none while the coder pauses.
func (v *voice) encode(frame []int16, conn *rtp.Conn) []byte {
	if v.frames++; v.frames%askEvery == 0 {
		v.encoder.Expect(conn.Stats().LossThere)
	}
	n := v.encoder.Encode(v.packet, frame)
	if n <= unsent {
		return nil
	}
	return v.packet[:n]
}

// hush is the description of our silence, in every tenth frame.
func (s *sender) hush() []byte {
	if (s.silent-hushAfter-1)%hushEvery != 0 {
		return nil
	}
	n := noise.Description{Level: hushLevel}.Put(s.hushed[:])
	return s.hushed[:n]
}
