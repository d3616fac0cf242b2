package sip

import (
	"net/netip"

	"flametree/media/sip/sdp"
	"flametree/media/srtp"
)

// here begins the description of our side of a call. codecs is nil for those of
// the endpoint, sealing "" likewise.
func (e *Endpoint) here(l link, codecs []string, sealing Sealing) sdp.Local {
	if codecs == nil {
		codecs = e.opt.Codecs
	}
	return sdp.Local{ID: randomID(), Version: 1, Addr: e.face(l), Policy: sdp.Policy{
		Codecs: codecs, Noise: e.opt.Noise, Mux: e.opt.Mux,
		Seal: orDefault(sealing, e.opt.Seal), Fingerprint: e.opt.Fingerprint, Pick: e.picker(),
	}}
}

// picker is nil when only DTLS may seal.
func (e *Endpoint) picker() func([]string) int {
	if e.opt.SealBy == "dtls" {
		return nil
	}
	return pickCrypto
}

// agree chooses from an offer of the peer and gets our half of its sealing
// ready for the answer.
func (c *Call) agree(offer sdp.Session) (sdp.Choice, error) {
	choice, err := sdp.Negotiate(offer, c.local.Policy)
	if err != nil {
		return choice, err
	}
	c.local.Proto = offer.Streams[choice.Index].Proto
	c.answerKeys(choice)
	return choice, nil
}

// answerKeys makes the line of an answer: our key, their tag (RFC 4568 5.1.2).
// Ours has no identifier, whatever theirs has: each says how its own packets are.
func (c *Call) answerKeys(choice sdp.Choice) {
	c.local.Crypto = nil
	if choice.Crypto == "" {
		return
	}
	if theirs, err := srtp.ParseCrypto(choice.Crypto); err == nil {
		c.local.Crypto = []string{srtp.Attribute{Tag: theirs.Tag, Key: c.keys.of(theirs.Key.Suite())}.Line()}
	}
}

// offered begins a call with an offer of ours: what it works with until the
// answer came, and the session the offer describes.
func (c *Call) offered() (sdp.Choice, sdp.Session) {
	c.local.Crypto = nil
	if c.local.Seal != sdp.SealOff && c.local.Pick != nil {
		c.local.Crypto = c.keys.offer()
	}
	choice, shape := sdp.Offered(c.local)
	c.local.Proto = shape.Streams[0].Proto
	return choice, shape
}

// offer is the SDP of an offer that offered began.
func (c *Call) offer() []byte { return sdp.Offer(sdp.SendRecv, c.local) }

// params is what was negotiated, for the media.
func (c *Call) params() MediaParams {
	remote := c.choice.Remote
	if !remote.Addr().IsValid() && remote.Port() != 0 { // c= named a host
		remote = netip.AddrPortFrom(c.dlg.peer.addr.Addr(), remote.Port())
	}
	p := MediaParams{
		Codec: c.choice.Codec, PayloadType: c.choice.PayloadType, Format: c.choice.Format,
		DTMFType: c.choice.DTMFType, DTMFHz: c.choice.DTMFHz, NoiseType: c.choice.NoiseType,
		Security: c.security(), Remote: remote, Mux: c.choice.Mux, Local: c.local.Addr,
		Direction: string(c.choice.Direction), PtimeMS: c.choice.PtimeMS,
	}
	if remote.IsValid() {
		p.RemoteRTCP = netip.AddrPortFrom(remote.Addr(), c.choice.RTCPPort)
	}
	return p
}

// security is how the packets are sealed. Before a late answer came, a call that
// must be sealed has only our half.
func (c *Call) security() Security {
	switch {
	case c.choice.Crypto != "":
		theirs, err := srtp.ParseCrypto(c.choice.Crypto)
		if err != nil { // it was picked, so it was read before
			return Security{}
		}
		suite := theirs.Key.Suite()
		return Security{
			Kind: "sdes", Suite: string(suite), OurKey: c.keys.of(suite).Reveal(),
			PeerKey: theirs.Key.Reveal(), PeerMKI: theirs.Key.Identifier(),
		}
	case c.choice.Fingerprint != "":
		return Security{Kind: "dtls", PeerFingerprint: c.choice.Fingerprint, Active: c.choice.Active}
	case c.local.Seal != sdp.SealRequired:
		return Security{}
	case c.local.Pick == nil:
		return Security{Kind: "dtls"}
	}
	first := offeredSuites()[0]
	return Security{Kind: "sdes", Suite: string(first), OurKey: c.keys.of(first).Reveal()}
}
