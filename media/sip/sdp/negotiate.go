package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"flametree/engine/fault"
)

// Payload types that stand for "not agreed on".
const (
	NoDTMF  = 255
	NoNoise = 255
)

// Our packets are 20 ms long; peers may ask for and send 10 to 60 ms.
const (
	OurPtime  = 20
	minPtime  = 10
	mostPtime = 60
)

// Policy is what our side of a call can and wants. The zero value takes every
// codec, wide band first, and does not seal.
type Policy struct {
	// Codecs are ours, the preferred first, whatever order the peer has. nil is
	// Codecs(), where the peer's order decides between PCMU and PCMA.
	Codecs []string
	Noise  bool // offer comfort noise; offered to us it is always taken
	Mux    bool // our RTP socket takes RTCP too: say so
	Seal   Sealing
	// Pick chooses among the a=crypto lines of a peer, -1 when none fits; nil: we
	// do no SDES. It sees keys and keeps nothing.
	Pick func(lines []string) int
	// Fingerprint is that of our certificate, "sha-256 AB:…"; "": we do no DTLS.
	Fingerprint string
}

// Choice is what both sides can do: one stream, one codec.
type Choice struct {
	Index       int    // of the stream in the offer
	Codec       string // one of Codecs
	PayloadType uint8
	Format      string // the peer's a=fmtp of the codec
	DTMFType    uint8  // NoDTMF for none
	DTMFHz      int    // its clock, 8000 or 48000
	NoiseType   uint8  // NoNoise for none
	// Remote is where the peer wants RTP. Its address is not valid when c= named
	// a host, and unspecified (0.0.0.0) when the peer wants none.
	Remote   netip.AddrPort
	RTCPPort uint16 // where it wants RTCP, on the same address
	Mux      bool   // both sides take RTCP on the port of RTP
	// Direction is ours, already the answer to the peer's (RFC 3264 6.1, 8.4).
	Direction Direction
	PtimeMS   int // the peer's wish within 10 to 60, else 20
	// Crypto is the peer's a=crypto line that was picked, "" without SDES. It
	// holds a key: it never reaches a log.
	Crypto      string
	Fingerprint string // the peer's, "" without DTLS
	Active      bool   // with DTLS: we send the ClientHello (RFC 5763 5)
}

// Negotiate finds the audio stream to take and its codec: among the streams a
// sealed one before a plain one, else the first of the offer; among the codecs
// the first of ours. Without one the error is of kind fault.Invalid: 488.
func Negotiate(offer Session, p Policy) (Choice, error) {
	var plain *Choice
	for i := range offer.Streams {
		c, ok := offer.Streams[i].choose(i, p)
		if !ok {
			continue
		}
		if c.Crypto != "" || c.Fingerprint != "" || p.Seal != SealOptional {
			return c, nil
		}
		if plain == nil {
			plain = &c
		}
	}
	if plain != nil {
		return *plain, nil
	}
	return Choice{}, fmt.Errorf("no audio stream with %s over a profile of ours (sealing is %q): %w",
		strings.Join(orAll(p.Codecs), ", "), p.Seal, fault.Invalid)
}

func orAll(codecs []string) []string {
	if codecs == nil {
		return Codecs()
	}
	return codecs
}

// Settle reads the answer to an offer of ours whose stream index was the audio.
func Settle(answer Session, index int, p Policy) (Choice, error) {
	if len(answer.Streams) <= index {
		return Choice{}, fmt.Errorf("answer has %d streams, the offer had more: %w", len(answer.Streams), fault.Invalid)
	}
	// The first codec of an answer is the one the other side will send.
	first := p
	first.Codecs = answer.Streams[index].codecsInOrder(p)
	c, ok := answer.Streams[index].choose(index, first)
	if !ok {
		return Choice{}, fmt.Errorf("answer refuses the stream, its codecs or its sealing: %w", fault.Invalid)
	}
	return c, nil
}

// codecsInOrder are the codecs of a stream that our policy knows, in its order.
func (s *Stream) codecsInOrder(p Policy) []string {
	out := []string{}
	for _, pt := range s.Formats {
		if known, ok := s.meaning(pt).known(); ok {
			if _, ok := p.rank(known.name); ok {
				out = append(out, known.name)
			}
		}
	}
	return out
}

func (s *Stream) choose(index int, p Policy) (Choice, bool) {
	if s.Kind != "audio" || s.Port == 0 || s.MaxPtime != 0 && s.MaxPtime < OurPtime {
		return Choice{}, false
	}
	seal, ok := s.sealOf(p)
	if !ok {
		return Choice{}, false
	}
	c := Choice{
		Index: index, DTMFType: NoDTMF, NoiseType: NoNoise, Direction: s.ourDirection(), PtimeMS: OurPtime,
		Crypto: seal.crypto, Fingerprint: seal.fingerprint, Active: seal.active,
		Mux: s.Mux && p.Mux, Remote: netip.AddrPortFrom(s.Addr, s.Port),
	}
	if !s.chooseCodec(&c, p) {
		return Choice{}, false
	}
	s.chooseBeside(&c)
	if s.Ptime >= minPtime && s.Ptime <= mostPtime {
		c.PtimeMS = s.Ptime
	}
	switch {
	case c.Mux:
		c.RTCPPort = s.Port
	case s.RTCPPort != 0:
		c.RTCPPort = s.RTCPPort
	case s.Port < 1<<16-1:
		c.RTCPPort = s.Port + 1 // RFC 3550 11
	}
	return c, true
}

// chooseCodec takes the codec that ranks first with us; between equals the one
// the peer named first.
func (s *Stream) chooseCodec(c *Choice, p Policy) bool {
	best := -1
	for _, pt := range s.Formats {
		n, err := strconv.ParseUint(pt, 10, 7)
		if err != nil {
			continue
		}
		known, ok := s.meaning(pt).known()
		if !ok {
			continue
		}
		if rank, ok := p.rank(known.name); ok && (best < 0 || rank < best) {
			best = rank
			c.Codec, c.PayloadType, c.Format = known.name, uint8(n), s.formats[pt]
		}
	}
	return best >= 0
}

// chooseBeside finds digits and comfort noise that go with the codec. Digits
// share its clock where the peer can (RFC 4733 2.1); many phones know only 8000
// beside Opus too. Comfort noise is for the codecs that have none of their own.
func (s *Stream) chooseBeside(c *Choice) {
	clock := byName(c.Codec).clock
	for _, pt := range s.Formats {
		n, err := strconv.ParseUint(pt, 10, 7)
		if err != nil {
			continue
		}
		f := s.meaning(pt)
		switch {
		case f.channels != 1:
		case f.name == "TELEPHONE-EVENT" && f.clock == clock && c.DTMFHz != clock,
			f.name == "TELEPHONE-EVENT" && f.clock == 8000 && c.DTMFType == NoDTMF:
			c.DTMFType, c.DTMFHz = uint8(n), f.clock
		case f.name == "CN" && f.clock == clock && c.NoiseType == NoNoise:
			c.NoiseType = uint8(n)
		}
	}
}

// ourDirection answers the peer's: whoever does not send is not listened to.
// c=0.0.0.0 is the old way to say hold: nothing may be sent there (RFC 3264 8.4).
func (s *Stream) ourDirection() Direction {
	d := s.Direction
	switch d {
	case SendOnly:
		d = RecvOnly
	case RecvOnly:
		d = SendOnly
	case SendRecv, Inactive:
	}
	if s.Addr.IsValid() && s.Addr.IsUnspecified() {
		switch d {
		case SendRecv:
			return RecvOnly
		case SendOnly:
			return Inactive
		case RecvOnly, Inactive:
		}
	}
	return d
}

// Sends reports whether a side with this direction sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }
