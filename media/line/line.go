// Package line joins a leg to SIP: it opens the RTP sockets of a call that was
// negotiated and makes its leg, for whoever answers calls and for whoever
// places them. It holds no rule of its own.
package line

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/g711"
	"flametree/media/leg"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
)

// Maker makes the media of calls. All fields but Log are needed.
type Maker struct {
	Ports *rtp.Pool
	Wheel *pacer.Wheel
	Log   *slog.Logger
}

// noEvents is sip's way to say that no telephone events were negotiated.
const noEvents = 255

// New implements sip.Options.NewMedia.
func (m Maker) New(p sip.MediaParams) (sip.Media, error) {
	terms, err := terms(p)
	if err != nil {
		return nil, err
	}
	at := p.Local
	if !at.IsValid() || at.IsUnspecified() {
		at = netip.IPv4Unspecified()
	}
	conn, err := m.Ports.Open(at)
	if err != nil {
		return nil, err
	}
	if p.Remote.IsValid() {
		conn.SetRemote(p.Remote)
	}
	l, err := leg.New(leg.Options{
		Conn: conn, Pacer: m.Wheel, Codec: terms.Codec, PayloadType: terms.PayloadType, DTMFType: terms.DTMFType, Log: m.Log,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &media{conn: conn, leg: l}, nil
}

func terms(p sip.MediaParams) (leg.Terms, error) {
	law, ok := g711.Parse(p.Codec)
	if !ok {
		return leg.Terms{}, fmt.Errorf("codec %q: %w", p.Codec, fault.Invalid)
	}
	t := leg.Terms{Codec: law, PayloadType: p.PayloadType, DTMFType: p.DTMFType}
	if p.DTMFType == noEvents {
		t.DTMFType = 0
	}
	switch p.Direction {
	case "sendonly":
		t.Direction = leg.SendOnly
	case "recvonly":
		t.Direction = leg.RecvOnly
	case "inactive":
		t.Direction = leg.Inactive
	default:
		t.Direction = leg.SendRecv
	}
	return t, nil
}

// media implements sip.Media.
type media struct {
	conn *rtp.Conn
	leg  *leg.Leg
	once sync.Once
	err  error
}

// Port implements sip.Media.
func (m *media) Port() int { return int(m.conn.Local().Port()) }

// Leg implements sip.Media.
func (m *media) Leg() actors.Leg { return m.leg }

// Renegotiate implements sip.Media.
func (m *media) Renegotiate(p sip.MediaParams) error {
	t, err := terms(p)
	if err != nil {
		return err
	}
	if p.Remote.IsValid() && !p.Remote.Addr().IsUnspecified() {
		m.conn.SetRemote(p.Remote)
	}
	return m.leg.Renegotiate(t)
}

// Close implements sip.Media.
func (m *media) Close() error {
	m.once.Do(func() { m.err = m.leg.Close() })
	return m.err
}
