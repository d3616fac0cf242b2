// Package sdp reads session descriptions and writes ours (RFC 8866, RFC 3264),
// as far as a telephone call needs them. It is not a general SDP library: it
// knows one audio stream in PCMU, PCMA, G.722 or Opus with telephone-event and
// comfort noise, plain or sealed by SDES (RFC 4568) or DTLS (RFC 5763), refuses
// every other stream in its answers, and touches no socket. ICE and bundling are
// read over: our answers do not take them up. It makes no keys and judges none:
// lines of a=crypto pass through it as they are.
package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"flametree/engine/fault"
)

// Limits of a description. What is over them is refused, not cut.
const (
	MaxBytes   = 16 << 10
	MaxStreams = 16
	maxLines   = 1024
	maxFormats = 64
	maxCrypto  = 16
)

// Direction says who sends, seen from the one who describes.
type Direction string

// The directions of RFC 8866 6.7.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Session is what a peer described.
type Session struct {
	Streams []Stream
}

// Stream is one m= section, with what it takes from the session level.
type Stream struct {
	Kind      string // audio video image …
	Port      uint16 // 0: refused or switched off
	Proto     string // RTP/AVP …
	Formats   []string
	Host      string     // of c=, as it was written
	Addr      netip.Addr // of c=, not valid when Host is a name
	Direction Direction
	Ptime     int // ms, 0 when not said
	MaxPtime  int // ms, 0 when not said
	// Crypto are the a=crypto lines behind the colon, unread (RFC 4568 9.1). They
	// hold keys: they never reach a log.
	Crypto      []string
	Fingerprint string // of the peer's certificate, "sha-256 AB:…" (RFC 8122)
	Setup       string // active passive actpass holdconn, "" when not said (RFC 4145)
	Mux         bool   // a=rtcp-mux: RTCP on the port of RTP (RFC 5761)
	RTCPPort    uint16 // a=rtcp (RFC 3605), 0 when not said
	maps        map[string]string
	formats     map[string]string // a=fmtp by payload type
}

// Parse reads a description. An error is of kind fault.Invalid and names the line.
func Parse(b []byte) (Session, error) {
	if len(b) > MaxBytes {
		return Session{}, fmt.Errorf("sdp of %d bytes, most %d: %w", len(b), MaxBytes, fault.Invalid)
	}
	p := parser{session: Stream{Direction: SendRecv}}
	lines := strings.Split(string(b), "\n")
	if len(lines) > maxLines {
		return Session{}, fmt.Errorf("sdp of %d lines, most %d: %w", len(lines), maxLines, fault.Invalid)
	}
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		if err := p.line(line); err != nil {
			return Session{}, fmt.Errorf("sdp line %d: %w: %w", i+1, err, fault.Invalid)
		}
	}
	if !p.version {
		return Session{}, fmt.Errorf("sdp: no v= line: %w", fault.Invalid)
	}
	for i := range p.out.Streams {
		s := &p.out.Streams[i]
		if s.Port != 0 && s.Host == "" {
			return Session{}, fmt.Errorf("sdp stream %d: no c= line: %w", i+1, fault.Invalid)
		}
	}
	return p.out, nil
}

type parser struct {
	out     Session
	session Stream // what streams begin with
	version bool
}

// current is the section a line belongs to.
func (p *parser) current() *Stream {
	if n := len(p.out.Streams); n > 0 {
		return &p.out.Streams[n-1]
	}
	return &p.session
}

func (p *parser) line(line string) error {
	if len(line) < 2 || line[1] != '=' {
		return fmt.Errorf("not key=value")
	}
	key, value := line[0], line[2:]
	if !p.version && key != 'v' {
		return fmt.Errorf("%c= before v=", key)
	}
	switch key {
	case 'v':
		if value != "0" {
			return fmt.Errorf("v=%.20q, want 0", value)
		}
		p.version = true
	case 'o':
		if n := len(strings.Fields(value)); n != 6 {
			return fmt.Errorf("o= has %d fields, want 6", n)
		}
	case 'c':
		return connection(p.current(), value)
	case 'm':
		return p.media(value)
	case 'a':
		return attribute(p.current(), value)
	}
	return nil
}

// connection reads c=IN IP4 addr[/ttl]. A name instead of an address is legal
// and kept as Host only: nothing is resolved here.
func connection(s *Stream, value string) error {
	f := strings.Fields(value)
	if len(f) != 3 || f[0] != "IN" || f[1] != "IP4" && f[1] != "IP6" {
		return fmt.Errorf("c= is not IN IP4 or IN IP6 with an address")
	}
	host, _, _ := strings.Cut(f[2], "/")
	s.Host, s.Addr = host, netip.Addr{}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return fmt.Errorf("c= has a zone")
		}
		s.Addr = addr.Unmap()
	}
	return nil
}

func (p *parser) media(value string) error {
	f := strings.Fields(value)
	if len(f) < 4 {
		return fmt.Errorf("m= has %d fields, want 4 or more", len(f))
	}
	if len(p.out.Streams) == MaxStreams {
		return fmt.Errorf("more than %d streams", MaxStreams)
	}
	if len(f)-3 > maxFormats {
		return fmt.Errorf("m= has %d formats, most %d", len(f)-3, maxFormats)
	}
	first, _, _ := strings.Cut(f[1], "/") // port/count of layered streams
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return fmt.Errorf("m= port %.20q", f[1])
	}
	s := p.session
	s.Crypto = nil // a=crypto belongs to a stream (RFC 4568 9.1)
	s.Kind, s.Port, s.Proto, s.Formats = f[0], uint16(port), f[2], f[3:]
	s.maps, s.formats = make(map[string]string), make(map[string]string)
	p.out.Streams = append(p.out.Streams, s)
	return nil
}

func attribute(s *Stream, value string) error {
	name, rest, _ := strings.Cut(value, ":")
	switch name {
	case string(SendRecv), string(SendOnly), string(RecvOnly), string(Inactive):
		s.Direction = Direction(name)
	case "rtpmap":
		pt, codec, ok := strings.Cut(rest, " ")
		if !ok {
			return fmt.Errorf("a=rtpmap has no encoding")
		}
		if n, err := strconv.ParseUint(pt, 10, 8); err != nil || n > 127 {
			return fmt.Errorf("a=rtpmap payload type %.20q", pt)
		}
		if s.maps != nil {
			s.maps[pt] = strings.ToUpper(strings.TrimSpace(codec))
		}
	case "fmtp":
		if pt, format, ok := strings.Cut(rest, " "); ok && s.formats != nil {
			s.formats[pt] = strings.TrimSpace(format)
		}
	case "ptime":
		return milliseconds(&s.Ptime, name, rest)
	case "maxptime":
		return milliseconds(&s.MaxPtime, name, rest)
	default:
		return transportAttribute(s, name, rest)
	}
	return nil
}

// transportAttribute reads how packets travel and how they are sealed.
func transportAttribute(s *Stream, name, value string) error {
	value = strings.TrimSpace(value)
	switch name {
	case "crypto":
		if len(s.Crypto) == maxCrypto {
			return fmt.Errorf("more than %d a=crypto", maxCrypto)
		}
		s.Crypto = append(s.Crypto, value)
	case "fingerprint":
		hash, sum, ok := strings.Cut(value, " ")
		if !ok || sum == "" {
			return fmt.Errorf("a=fingerprint has no sum")
		}
		if s.Fingerprint == "" || strings.EqualFold(hash, "sha-256") {
			s.Fingerprint = strings.ToLower(hash) + " " + strings.ToUpper(strings.TrimSpace(sum))
		}
	case "setup":
		s.Setup = strings.ToLower(value)
	case "rtcp-mux":
		s.Mux = true
	case "rtcp":
		first, _, _ := strings.Cut(value, " ")
		port, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return fmt.Errorf("a=rtcp port %.20q", first)
		}
		s.RTCPPort = uint16(port)
	}
	return nil
}

// milliseconds reads a packet time; some phones write it with a fraction.
func milliseconds(to *int, name, value string) error {
	f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(f > 0 && f <= 10_000) {
		return fmt.Errorf("a=%s %.20q", name, value)
	}
	*to = int(f)
	return nil
}
