package sdp

import (
	"fmt"
	"strings"
)

// Sealing says whether packets are to be sealed.
type Sealing string

// The sealings. Optional offers and answers RTP/AVP with keys (RFC 8643) and
// takes whatever comes; Required refuses calls that are not sealed.
const (
	SealOff      Sealing = "off"
	SealOptional Sealing = "optional"
	SealRequired Sealing = "required"
)

// seal is how one stream is sealed.
type seal struct {
	crypto      string // the peer's line, "" without SDES
	fingerprint string // of the peer, "" without DTLS
	active      bool   // we send the ClientHello
}

func (s seal) plain() bool { return s.crypto == "" && s.fingerprint == "" }

// profile cuts a transport protocol of SDP into its parts (RFC 4566 5.14).
type profile struct {
	rtp    bool // one of the four profiles of RTP
	sealed bool // SAVP or SAVPF: not without keys
	dtls   bool // UDP/TLS: keys by DTLS only (RFC 5764 8)
}

func profileOf(proto string) profile {
	rest, dtls := strings.CutPrefix(strings.ToUpper(proto), "UDP/TLS/")
	switch rest {
	case "RTP/AVP", "RTP/AVPF":
		return profile{rtp: !dtls}
	case "RTP/SAVP", "RTP/SAVPF":
		return profile{rtp: true, sealed: true, dtls: dtls}
	}
	return profile{}
}

// sealOf finds how a stream of the peer can be sealed; false when it cannot be
// as its profile or our policy demands.
func (s *Stream) sealOf(p Policy) (seal, bool) {
	kind := profileOf(s.Proto)
	if !kind.rtp {
		return seal{}, false
	}
	if p.Seal == SealOff || p.Seal == "" {
		return seal{}, !kind.sealed
	}
	var out seal
	if !kind.dtls && p.Pick != nil && len(s.Crypto) > 0 {
		if at := p.Pick(s.Crypto); at >= 0 && at < len(s.Crypto) {
			out.crypto = s.Crypto[at]
		}
	}
	if out.crypto == "" && s.Fingerprint != "" && p.Fingerprint != "" {
		out.fingerprint, out.active = s.Fingerprint, s.Setup != "active"
	}
	if out.plain() && (kind.sealed || p.Seal == SealRequired) {
		return seal{}, false
	}
	return out, true
}

// proto is the profile of our offers. Best effort is offered as RTP/AVP with
// keys, which who cannot do them reads over (RFC 8643 3.1).
func (l Local) proto() string {
	switch {
	case l.Proto != "":
		return l.Proto
	case l.Seal != SealRequired:
		return "RTP/AVP"
	case len(l.Crypto) == 0:
		return "UDP/TLS/RTP/SAVP"
	}
	return "RTP/SAVP"
}

// offerSeal writes what we can seal with into an offer.
func (l Local) offerSeal(b []byte) []byte {
	if l.Seal == SealOff || l.Seal == "" {
		return b
	}
	for _, line := range l.Crypto {
		b = fmt.Appendf(b, "a=crypto:%s\r\n", line)
	}
	if l.Fingerprint != "" && len(l.Crypto) == 0 {
		b = fmt.Appendf(b, "a=setup:actpass\r\na=fingerprint:%s\r\n", l.Fingerprint)
	}
	return b
}

// answerSeal writes how the chosen stream is sealed.
func (l Local) answerSeal(b []byte, c Choice) []byte {
	switch {
	case c.Crypto != "":
		for _, line := range l.Crypto {
			b = fmt.Appendf(b, "a=crypto:%s\r\n", line)
		}
	case c.Fingerprint != "":
		role := "passive"
		if c.Active {
			role = "active"
		}
		b = fmt.Appendf(b, "a=setup:%s\r\na=fingerprint:%s\r\n", role, l.Fingerprint)
	}
	return b
}
