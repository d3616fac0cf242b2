package line

import (
	"errors"
	"fmt"

	"flametree/engine/fault"
	"flametree/media/rtp"
	"flametree/media/sip"
	"flametree/media/srtp"
)

// secure makes the connection do what signalling agreed on about sealing. A call
// that was sealed does not become plain again: that fails with fault.Denied,
// whatever the peer may offer.
func (m *media) secure(p sip.MediaParams) error {
	conn := m.conn
	conn.Mux(p.Mux)
	if p.RemoteRTCP.IsValid() {
		conn.SetRemoteControl(p.RemoteRTCP)
	}
	s := p.Security
	switch s.Kind {
	case "":
		if conn.Sealed() {
			return fmt.Errorf("media: a sealed call is to become plain: %w", fault.Denied)
		}
		return nil
	case "sdes":
		return sdes(conn, s)
	case "dtls":
		// Without a port of its own RTCP needs no second handshake (RFC 5764 4.1).
		conn.Mux(true)
		return m.shake(s)
	}
	return fmt.Errorf("media: packets sealed by %.20q: %w", s.Kind, fault.Invalid)
}

func sdes(conn *rtp.Conn, s sip.Security) error {
	our, err := srtp.NewKey(srtp.Suite(s.Suite), s.OurKey)
	if err != nil {
		return fmt.Errorf("our key: %w", err)
	}
	var peer srtp.Key // a late answer brings it
	if len(s.PeerKey) > 0 {
		if peer, err = srtp.NewKey(srtp.Suite(s.Suite), s.PeerKey); err != nil {
			our.Wipe()
			return fmt.Errorf("the peer's key: %w", err)
		}
		marked, err := peer.Identified(s.PeerMKI)
		if err != nil {
			our.Wipe()
			peer.Wipe()
			return fmt.Errorf("the peer's key: %w", err)
		}
		peer = marked
	}
	return conn.Seal(our, peer)
}

func (m *media) shake(s sip.Security) error {
	if m.identity == nil {
		return fmt.Errorf("media: DTLS without a certificate: set Maker.Identity: %w", fault.Invalid)
	}
	terms := srtp.Terms{Identity: m.identity, Active: s.Active}
	if s.PeerFingerprint != "" { // a late answer brings it
		var err error
		if terms.Peer, err = srtp.ParseFingerprint(s.PeerFingerprint); err != nil {
			return err
		}
	}
	return m.conn.Shake(rtp.Shake{Terms: terms, Done: m.shaken})
}

// shaken ends the call when no keys were agreed on. One that has keys from
// before goes on with them, and a handshake that another took the place of says
// nothing.
func (m *media) shaken(err error) {
	if err == nil || errors.Is(err, fault.Cancelled) {
		return
	}
	ready := m.conn.Ready()
	if m.log != nil {
		m.log.Warn("no keys agreed on", "call_goes_on", ready, "err", err)
	}
	if !ready {
		m.leg.Lost()
	}
}
