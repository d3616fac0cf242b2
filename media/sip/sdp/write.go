package sdp

import (
	"fmt"
	"net/netip"
	"slices"
)

// Local is what our descriptions say of us.
type Local struct {
	ID      uint64 // of o=, constant for a call
	Version uint64 // of o=, one more with each description of a call (RFC 3264 8)
	Addr    netip.Addr
	Port    uint16
	Proto   string // of offers within a call, as its stream has it; "" follows Policy
	Policy
	// Crypto are our a=crypto lines behind the colon: all we can do in an offer,
	// the one with the peer's tag in an answer. They hold keys: they never reach a
	// log.
	Crypto []string
}

// Answer writes the answer to offer by choice. It has a stream for each of the
// offer's, port 0 for those refused (RFC 3264 6). The same text with another
// direction is a valid new offer within the call, for the streams of a call may
// not become fewer (RFC 3264 8).
func Answer(offer Session, choice Choice, l Local) []byte {
	b := l.head()
	for i, s := range offer.Streams {
		if i != choice.Index {
			b = fmt.Appendf(b, "m=%s 0 %s %s\r\n", s.Kind, s.Proto, s.Formats[0])
			continue
		}
		b = fmt.Appendf(b, "m=audio %d %s %d", l.Port, s.Proto, choice.PayloadType)
		if choice.NoiseType != NoNoise {
			b = fmt.Appendf(b, " %d", choice.NoiseType)
		}
		if choice.DTMFType != NoDTMF {
			b = fmt.Appendf(b, " %d", choice.DTMFType)
		}
		b = append(b, "\r\n"...)
		b = choice.lines(b)
		b = l.answerSeal(b, choice)
		if choice.Mux {
			b = append(b, "a=rtcp-mux\r\n"...)
		}
		b = tail(b, choice.Direction)
	}
	return b
}

// Offer writes an offer of the policy's codecs, the first preferred. Unknown
// names are a bug.
func Offer(d Direction, l Local) []byte {
	codecs := orAll(l.Codecs)
	wide := slices.Contains(codecs, "opus")
	narrow := len(codecs) > 1 || !wide
	b := l.head()
	b = fmt.Appendf(b, "m=audio %d %s", l.Port, l.proto())
	for _, name := range codecs {
		b = fmt.Appendf(b, " %d", byName(name).kind)
	}
	if l.Noise && narrow {
		b = fmt.Appendf(b, " %d", noiseType)
	}
	b = fmt.Appendf(b, " %d", offeredDTMF)
	if wide {
		b = fmt.Appendf(b, " %d", offeredWideDTMF)
	}
	b = append(b, "\r\n"...)
	for _, name := range codecs {
		c := byName(name)
		b = c.lines(b, c.kind)
	}
	if l.Noise && narrow {
		b = fmt.Appendf(b, "a=rtpmap:%d CN/8000\r\n", noiseType)
	}
	b = dtmfLines(b, offeredDTMF, 8000)
	if wide {
		b = dtmfLines(b, offeredWideDTMF, 48000)
	}
	b = l.offerSeal(b)
	if l.Mux {
		b = append(b, "a=rtcp-mux\r\n"...)
	}
	return tail(b, d)
}

// Offered is what a call works with until its own offer is answered, and the
// session that offer described.
func Offered(l Local) (Choice, Session) {
	first := byName(orAll(l.Codecs)[0])
	c := Choice{
		Codec: first.name, PayloadType: first.kind, DTMFType: offeredDTMF, DTMFHz: 8000, NoiseType: NoNoise,
		Direction: SendRecv, PtimeMS: OurPtime,
	}
	if first.clock == 48000 {
		c.DTMFType, c.DTMFHz = offeredWideDTMF, first.clock
	}
	return c, Session{Streams: []Stream{{Kind: "audio", Proto: l.proto(), Formats: []string{"0"}}}}
}

func (l Local) head() []byte {
	family := "IP4"
	if l.Addr.Is6() {
		family = "IP6"
	}
	return fmt.Appendf(make([]byte, 0, 512), "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
		l.ID, l.Version, family, l.Addr, family, l.Addr)
}

func tail(b []byte, d Direction) []byte {
	return fmt.Appendf(b, "a=ptime:%d\r\na=%s\r\n", OurPtime, d)
}
