package sdp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// codec is one row of what we know.
type codec struct {
	name   string // as RTP names it
	clock  int    // of RTP; that of G.722 is 8000 by an old mistake (RFC 3551 4.5.2)
	stereo bool   // the map says two channels (RFC 7587 4.1)
	kind   uint8  // payload type in our offers; below 96 it is static (RFC 3551 6)
	format string // our a=fmtp
}

// Payload types of our offers that stand for no codec.
const (
	offeredDTMF     = 101
	offeredWideDTMF = 110
	noiseType       = 13 // static (RFC 3551 6)
)

// dtmfEvents are the digits, * # A B C D (RFC 4733 3.2).
const dtmfEvents = "0-15"

func table() []codec {
	return []codec{
		// 16 kHz is all a voice needs; stereo and 48 kHz would be encoded for nobody.
		{name: "opus", clock: 48000, stereo: true, kind: 111, format: "maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1;usedtx=1"},
		{name: "G722", clock: 8000, kind: 9},
		{name: "PCMU", clock: 8000, kind: 0},
		{name: "PCMA", clock: 8000, kind: 8},
	}
}

// Codecs are the names of the codecs we know, wide band first.
func Codecs() []string {
	var names []string
	for _, c := range table() {
		names = append(names, c.name)
	}
	return names
}

// byName finds a codec; an unknown name is a bug, for Listen and Dial check names.
func byName(name string) codec {
	for _, c := range table() {
		if c.name == name {
			return c
		}
	}
	panic("sdp: unknown codec " + name)
}

// encoding is the map of the codec, as a=rtpmap writes it.
func (c codec) encoding() string {
	text := c.name + "/" + strconv.Itoa(c.clock)
	if c.stereo {
		text += "/2"
	}
	return text
}

// rank tells which codec is taken first: the lowest. Without a list of ours wide
// codecs come first, and both laws of G.711 are worth the same, so that the peer
// need not convert between them.
func (p Policy) rank(name string) (int, bool) {
	if p.Codecs != nil {
		at := slices.Index(p.Codecs, name)
		return at, at >= 0
	}
	at := slices.Index(Codecs(), name)
	if name == "PCMA" {
		at--
	}
	return at, at >= 0
}

// format is what one format of a stream stands for.
type format struct {
	name     string // in upper case, "" when unknown
	clock    int
	channels int
}

// meaning reads the map of a format. The static types need none (RFC 3551 6).
func (s *Stream) meaning(pt string) format {
	mapped, ok := s.maps[pt]
	if !ok {
		switch pt {
		case "0":
			return format{"PCMU", 8000, 1}
		case "8":
			return format{"PCMA", 8000, 1}
		case "9":
			return format{"G722", 8000, 1}
		case "13":
			return format{"CN", 8000, 1}
		}
		return format{}
	}
	name, rest, _ := strings.Cut(mapped, "/")
	clock, channels, more := strings.Cut(rest, "/")
	f := format{name: name, channels: 1}
	var err error
	if f.clock, err = strconv.Atoi(clock); err != nil {
		return format{}
	}
	if more {
		if f.channels, err = strconv.Atoi(channels); err != nil {
			return format{}
		}
	}
	return f
}

// known gives the codec of ours a format stands for.
func (f format) known() (codec, bool) {
	for _, c := range table() {
		channels := 1
		if c.stereo {
			channels = 2
		}
		if strings.EqualFold(c.name, f.name) && f.clock == c.clock && f.channels == channels {
			return c, true
		}
	}
	return codec{}, false
}

// lines writes the maps of what was chosen.
func (c Choice) lines(b []byte) []byte {
	known := byName(c.Codec)
	b = known.lines(b, c.PayloadType)
	if c.NoiseType != NoNoise {
		b = fmt.Appendf(b, "a=rtpmap:%d CN/8000\r\n", c.NoiseType)
	}
	if c.DTMFType != NoDTMF {
		b = dtmfLines(b, c.DTMFType, c.DTMFHz)
	}
	return b
}

func (c codec) lines(b []byte, pt uint8) []byte {
	b = fmt.Appendf(b, "a=rtpmap:%d %s\r\n", pt, c.encoding())
	if c.format != "" {
		b = fmt.Appendf(b, "a=fmtp:%d %s\r\n", pt, c.format)
	}
	return b
}

func dtmfLines(b []byte, pt uint8, hz int) []byte {
	return fmt.Appendf(b, "a=rtpmap:%d telephone-event/%d\r\na=fmtp:%d %s\r\n", pt, hz, pt, dtmfEvents)
}
