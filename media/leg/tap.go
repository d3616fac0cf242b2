package leg

import (
	"net/netip"
	"time"

	"flametree/actors"
	"flametree/media/noise"
	"flametree/media/rtp"
)

var _ actors.Tapped = (*Leg)(nil)

// Tap implements actors.Tapped. Of RTP it shows sound and comfort noise alone:
// whatever has another payload type may be a telephone event, and that a digit
// of a card. Sealed packets keep their header in the clear (RFC 3711 3.1), so the
// same holds for them. The address is ours as the socket has it.
func (l *Leg) Tap(take func(actors.Packet)) {
	if take == nil {
		l.conn.Tap(nil)
		return
	}
	own := l.conn.Local()
	own = netip.AddrPortFrom(own.Addr().Unmap(), own.Port())
	l.conn.Tap(func(way rtp.Way, at time.Time, peer netip.AddrPort, raw []byte) {
		control, shown := l.shows(raw)
		if !shown {
			return
		}
		here := own
		if control && peer != l.conn.Remote() { // on the next port, unless both share one
			here = netip.AddrPortFrom(own.Addr(), own.Port()+1)
		}
		p := actors.Packet{At: at, From: peer, To: here, Raw: raw}
		if way == rtp.Out {
			p.From, p.To = here, peer
		}
		take(p)
	})
}

// shows sorts a datagram by its first bytes (RFC 5764 5.1.2, RFC 5761 4).
func (l *Leg) shows(raw []byte) (control, shown bool) {
	switch {
	case len(raw) < 2:
		return false, false
	case raw[0] >= 20 && raw[0] <= 63: // DTLS
		return false, true
	case raw[0]>>6 != 2:
		return false, false
	case raw[1] >= 192 && raw[1] <= 223:
		return true, true
	}
	kind := raw[1] & 0x7F
	return false, kind == noise.PayloadType || uint32(kind) == l.audible.Load()
}
