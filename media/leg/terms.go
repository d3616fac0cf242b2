package leg

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"flametree/engine/fault"
	"flametree/media/codec"
	"flametree/media/noise"
)

// Direction says which way sound flows, as SDP names it from our side.
type Direction uint8

// The directions (RFC 8866 6.7).
const (
	SendRecv Direction = iota
	SendOnly           // the peer listens: we hold it
	RecvOnly           // the peer put us on hold
	Inactive
)

// Terms are what an offer and its answer agreed on. The zero value is PCMU both
// ways.
type Terms struct {
	Codec       string // as RTP names it; default PCMU
	Format      string // the peer's a=fmtp of it
	PayloadType uint8  // default the codec's static one
	DTMFType    uint8  // of telephone events; 0 when none were agreed on
	DTMFHz      int    // their clock; default that of the codec
	NoiseType   uint8  // of comfort noise; 0 when none was agreed on
	Direction   Direction
}

// check fills the defaults in and finds the codec.
func (t Terms) check() (Terms, codec.Codec, error) {
	wire, err := codec.Find(cmp.Or(t.Codec, "PCMU"))
	if err != nil {
		return t, wire, err
	}
	t.Codec, t.DTMFHz = wire.Name, cmp.Or(t.DTMFHz, wire.ClockHz)
	if t.PayloadType == 0 {
		t.PayloadType = wire.PayloadType
	}
	var errs []error
	if t.PayloadType > 127 || t.DTMFType > 127 || t.PayloadType == t.DTMFType && t.DTMFType != 0 {
		errs = append(errs, fmt.Errorf("payload type %d for sound and %d for events", t.PayloadType, t.DTMFType))
	}
	if t.NoiseType != 0 && (t.NoiseType > 127 || t.NoiseType == t.PayloadType || t.NoiseType == t.DTMFType) {
		errs = append(errs, fmt.Errorf("payload type %d for comfort noise beside %d and %d", t.NoiseType, t.PayloadType, t.DTMFType))
	}
	if t.DTMFHz < 8000 || t.DTMFHz > 48000 {
		errs = append(errs, fmt.Errorf("a clock of %d Hz for telephone events", t.DTMFHz))
	}
	return t, wire, errors.Join(errs...)
}

// expect tells the wire what to let in and how its timestamps count.
func (l *Leg) expect(wire codec.Codec, t Terms) {
	l.conn.Expect(t.PayloadType, t.DTMFType)
	if t.NoiseType != 0 && t.NoiseType != noise.PayloadType {
		l.conn.Admit(t.NoiseType)
	}
	l.conn.SetClock(wire.ClockHz)
}

// agree notes what is sent under which number. The leg's mutex is held, or
// nobody knows the leg yet.
func (l *Leg) agree(t Terms) {
	l.audible.Store(uint32(t.PayloadType))
	s := &l.sender
	s.audio, s.events, s.dtmfHz, s.quiet = t.PayloadType, t.DTMFType, t.DTMFHz, 0
	if l.hush && s.voice.bytes() {
		s.quiet = t.NoiseType
	}
}

// Renegotiate follows a re-INVITE. The Conn's remote address is the caller's
// to set, before, by rtp.Conn.SetRemote, which also re-arms its latch. Where we
// may not send, the playout stands still and nothing is sent; where the peer
// does not, its packets are not heard and not missed.
//
// Another codec goes on with the very next packet: what is queued, what was
// sent lately and what was heard are taken over at its rate, and every position
// keeps its time. What the peer still sends in the old codec is not heard.
func (l *Leg) Renegotiate(t Terms) error {
	t, wire, err := t.check()
	if err != nil {
		return fmt.Errorf("leg: %w: %w", fault.Invalid, err)
	}
	// The listeners' lock is the outer one, as in a tick.
	l.out.mu.Lock()
	defer l.facts.deliver()
	defer l.out.mu.Unlock()
	l.in.mu.Lock()
	other, err := l.in.another(wire)
	if err == nil {
		l.expect(wire, t)
		l.in.renegotiate(time.Now(), t, other, &l.facts)
	}
	l.in.mu.Unlock()
	if err == nil {
		l.mu.Lock()
		err = l.speak(wire, t)
		l.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("leg: %w: %w", fault.Bug, err)
	}
	if scale(wire) != l.out.scale {
		l.out.open(scale(wire))
	}
	l.log.Debug("leg renegotiated", "codec", wire.Name)
	return nil
}

// another makes the intake of another codec, nil for the same.
func (e *ears) another(wire codec.Codec) (*intake, error) {
	if wire.Name == e.wire.codec.Name {
		return nil, nil
	}
	n, err := newIntake(wire, e.jitter)
	return &n, err
}

// speak goes on sending under other terms. The leg's mutex is held.
func (l *Leg) speak(wire codec.Codec, t Terms) error {
	s := &l.sender
	law, to := ringLaw(wire), scale(wire)
	if wire.Name != s.voice.name || t.Format != s.voice.format {
		v, err := newVoice(wire, t.Format)
		if err != nil {
			return err
		}
		s.voice = v
	}
	if from := int(l.play.scale); from != to || law != l.play.law {
		s.copies.reshape(shape{l.play.law, from}, shape{law, to})
		l.play.reshape(law, int64(to))
		if l.fill != nil {
			l.fill.fit(to)
		}
		s.frame, s.linear = make([]byte, frameBytes*to), make([]int16, frameBytes*to)
	}
	l.agree(t)
	s.send = t.Direction == SendRecv || t.Direction == SendOnly
	s.talking = s.talking && s.send
	return nil
}
