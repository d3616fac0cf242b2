// Package line joins a leg to SIP: it opens the RTP sockets of a call that was
// negotiated and makes its leg, for whoever answers calls and for whoever
// places them. It holds no rule of its own.
package line

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"syscall"

	"flametree/actors"
	"flametree/media/codec"
	"flametree/media/leg"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
	"flametree/media/srtp"
)

// Maker makes the media of calls. Ports and Wheel are needed.
type Maker struct {
	Ports *rtp.Pool
	Wheel *pacer.Wheel
	Hush  bool // send comfort noise in place of silence where it was agreed on
	Log   *slog.Logger
	// Identity is the certificate of DTLS-SRTP, whose fingerprint signalling
	// tells; nil: calls that want DTLS are refused.
	Identity *srtp.Identity
}

// none is sip's way to say that a payload type was not agreed on.
const none = 255

// New implements sip.Options.NewMedia.
func (m Maker) New(p sip.MediaParams) (sip.Media, error) {
	terms, err := terms(p)
	if err != nil {
		return nil, err
	}
	conn, err := m.open(p.Local)
	if err != nil {
		return nil, err
	}
	if p.Remote.IsValid() {
		conn.SetRemote(p.Remote)
	}
	made := &media{conn: conn, identity: m.Identity, log: m.Log}
	if err := made.secure(p); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// No handshake begins before the leg is started.
	made.leg, err = leg.New(leg.Options{
		Conn: conn, Pacer: m.Wheel, Terms: terms, Hush: m.Hush, Log: m.Log,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return made, nil
}

// open binds where the peer is told we are or, where that is the outside of a
// NAT and no address of this machine, to all addresses of that family.
func (m Maker) open(at netip.Addr) (*rtp.Conn, error) {
	if !at.IsValid() {
		at = netip.IPv4Unspecified()
	}
	conn, err := m.Ports.Open(at)
	if !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return conn, err
	}
	if at.Unmap().Is4() {
		return m.Ports.Open(netip.IPv4Unspecified())
	}
	return m.Ports.Open(netip.IPv6Unspecified())
}

func terms(p sip.MediaParams) (leg.Terms, error) {
	if _, err := codec.Find(p.Codec); err != nil {
		return leg.Terms{}, err
	}
	t := leg.Terms{
		Codec: p.Codec, Format: p.Format, PayloadType: p.PayloadType,
		DTMFType: p.DTMFType, DTMFHz: p.DTMFHz, NoiseType: p.NoiseType,
	}
	if t.DTMFType == none {
		t.DTMFType = 0
	}
	if t.NoiseType == none {
		t.NoiseType = 0
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
	conn     *rtp.Conn
	leg      *leg.Leg
	identity *srtp.Identity
	log      *slog.Logger
	once     sync.Once
	err      error
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
	if err := m.secure(p); err != nil {
		return err
	}
	return m.leg.Renegotiate(t)
}

// Close implements sip.Media.
func (m *media) Close() error {
	m.once.Do(func() { m.err = m.leg.Close() })
	return m.err
}
