package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"flametree/engine/fault"
)

// NoDTMF is the DTMFType of a peer without telephone-event.
const NoDTMF = 255

// Our packets are 20 ms long; peers may ask for and send 10 to 60 ms.
const (
	OurPtime  = 20
	minPtime  = 10
	mostPtime = 60
)

// Choice is what both sides can do: one stream, one codec.
type Choice struct {
	Index       int    // of the stream in the offer
	Codec       string // PCMU or PCMA
	PayloadType uint8
	DTMFType    uint8 // NoDTMF for none
	// Remote is where the peer wants RTP. Its address is not valid when c= named
	// a host, and unspecified (0.0.0.0) when the peer wants none.
	Remote netip.AddrPort
	// Direction is ours, already the answer to the peer's (RFC 3264 6.1, 8.4).
	Direction Direction
	PtimeMS   int // the peer's wish within 10 to 60, else 20
}

// Negotiate finds the first audio stream with a codec of ours, in the order of
// the offer. Without one the error is of kind fault.Invalid: 488.
func Negotiate(offer Session) (Choice, error) {
	for i, s := range offer.Streams {
		if c, ok := s.choose(i); ok {
			return c, nil
		}
	}
	return Choice{}, fmt.Errorf("no audio stream with PCMU or PCMA over RTP/AVP: %w", fault.Invalid)
}

// Settle reads the answer to an offer of ours whose stream index was the audio.
func Settle(answer Session, index int) (Choice, error) {
	if len(answer.Streams) <= index {
		return Choice{}, fmt.Errorf("answer has %d streams, the offer had more: %w", len(answer.Streams), fault.Invalid)
	}
	c, ok := answer.Streams[index].choose(index)
	if !ok {
		return Choice{}, fmt.Errorf("answer refuses the stream or its codecs: %w", fault.Invalid)
	}
	return c, nil
}

func (s *Stream) choose(index int) (Choice, bool) {
	if s.Kind != "audio" || s.Port == 0 || s.Proto != "RTP/AVP" && s.Proto != "RTP/AVPF" {
		return Choice{}, false
	}
	if s.MaxPtime != 0 && s.MaxPtime < OurPtime {
		return Choice{}, false
	}
	c := Choice{Index: index, DTMFType: NoDTMF, Direction: s.ourDirection(), PtimeMS: OurPtime}
	for _, format := range s.Formats {
		pt, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		name := s.encoding(format)
		switch {
		case c.Codec == "" && (name == "PCMU" || name == "PCMA"):
			c.Codec, c.PayloadType = name, uint8(pt)
		case c.DTMFType == NoDTMF && name == "TELEPHONE-EVENT":
			c.DTMFType = uint8(pt)
		}
	}
	if s.Ptime >= minPtime && s.Ptime <= mostPtime {
		c.PtimeMS = s.Ptime
	}
	c.Remote = netip.AddrPortFrom(s.Addr, s.Port)
	return c, c.Codec != ""
}

// encoding names what a format stands for, "" unless its clock is 8000 and it
// has one channel. Types 0 and 8 need no rtpmap (RFC 3551 6).
func (s *Stream) encoding(format string) string {
	mapped, ok := s.maps[format]
	if !ok {
		switch format {
		case "0":
			return "PCMU"
		case "8":
			return "PCMA"
		}
		return ""
	}
	name, rest, _ := strings.Cut(mapped, "/")
	if rest != "8000" && rest != "8000/1" {
		return ""
	}
	return name
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

// Local is what our descriptions say of us.
type Local struct {
	ID      uint64 // of o=, constant for a call
	Version uint64 // of o=, one more with each description of a call (RFC 3264 8)
	Addr    netip.Addr
	Port    uint16
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
		if choice.DTMFType != NoDTMF {
			b = fmt.Appendf(b, " %d", choice.DTMFType)
		}
		b = append(b, "\r\n"...)
		b = fmt.Appendf(b, "a=rtpmap:%d %s/8000\r\n", choice.PayloadType, choice.Codec)
		b = tail(b, choice.DTMFType, choice.Direction)
	}
	return b
}

// offeredDTMF is the payload type our offers give to telephone-event.
const offeredDTMF = 101

// Offer writes an offer of our codecs, the first preferred. Unknown names are a bug.
func Offer(codecs []string, d Direction, l Local) []byte {
	b := l.head()
	b = fmt.Appendf(b, "m=audio %d RTP/AVP", l.Port)
	for _, name := range codecs {
		b = fmt.Appendf(b, " %d", staticType(name))
	}
	b = fmt.Appendf(b, " %d\r\n", offeredDTMF)
	for _, name := range codecs {
		b = fmt.Appendf(b, "a=rtpmap:%d %s/8000\r\n", staticType(name), name)
	}
	return tail(b, offeredDTMF, d)
}

// Codecs are the names of the codecs we know, the preferred first.
func Codecs() []string { return []string{"PCMU", "PCMA"} }

// Offered is what a call works with until its own offer is answered, and the
// session that offer described.
func Offered(codecs []string) (Choice, Session) {
	c := Choice{
		Codec: codecs[0], PayloadType: staticType(codecs[0]), DTMFType: offeredDTMF,
		Direction: SendRecv, PtimeMS: OurPtime,
	}
	return c, Session{Streams: []Stream{{Kind: "audio", Proto: "RTP/AVP", Formats: []string{"0"}}}}
}

func staticType(codec string) uint8 {
	i := slices.Index(Codecs(), codec)
	if i < 0 {
		panic("sdp: offer of unknown codec " + codec) // Listen and Dial check the names
	}
	return uint8(8 * i)
}

func (l Local) head() []byte {
	family := "IP4"
	if l.Addr.Is6() {
		family = "IP6"
	}
	return fmt.Appendf(make([]byte, 0, 320), "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
		l.ID, l.Version, family, l.Addr, family, l.Addr)
}

func tail(b []byte, dtmf uint8, d Direction) []byte {
	if dtmf != NoDTMF {
		b = fmt.Appendf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", dtmf, dtmf)
	}
	return fmt.Appendf(b, "a=ptime:%d\r\na=%s\r\n", OurPtime, d)
}
