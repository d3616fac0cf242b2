package webrtc

import (
	"flametree/media/leg"
	"flametree/media/rtp"
)

// newLeg makes the leg on the peer's carrier.
func newLeg(p *Peer, ssrc uint32, t terms) (*browserLeg, error) {
	conn, err := rtp.Over(p.carrier, ssrc)
	if err != nil {
		return nil, err
	}
	l, err := leg.New(leg.Options{
		Conn: conn, Pacer: p.s.opt.Pacer(), Log: p.s.opt.Log,
		Terms: leg.Terms{Codec: "opus", Format: t.format, PayloadType: t.opus, DTMFType: t.events, DTMFHz: t.eventsHz},
	})
	if err != nil {
		return nil, err
	}
	return &browserLeg{Leg: l, p: p, terms: t}, nil
}
