// Package rtp is the wire of one call: a pair of UDP sockets, headers that are
// checked before they are believed, symmetric latching, counters and RTCP
// reports (RFC 3550, RFC 3551), plain or sealed (RFC 3711) with the keys and
// handshakes of media/srtp. It moves payloads and knows no codec: what is in
// them, when they are due and what they mean is media/leg's business. It does
// not choose whether a call is sealed, and once it is it never is plain again.
package rtp

import (
	"fmt"
	"time"

	"github.com/pion/rtp"

	"flametree/engine/fault"
)

// Packet is a received packet. Payload lies in the reader's buffer and is
// valid until the handler returns.
type Packet struct {
	Marker      bool
	PayloadType uint8
	Sequence    uint16
	Timestamp   uint32
	SSRC        uint32
	Payload     []byte
	At          time.Time // when the kernel took it from the network, monotonic
}

// ComfortNoise is the static payload type of RFC 3389. Peers send it unasked;
// it is let in, so that a silent peer is not taken for a dead one.
const ComfortNoise = 13

const headerSize = 12

// The errors are made once: a flood of bad packets must not cost memory.
var (
	errShort     = fmt.Errorf("rtp: shorter than a header: %w", fault.Invalid)
	errVersion   = fmt.Errorf("rtp: byte 0: version is not 2: %w", fault.Invalid)
	errControl   = fmt.Errorf("rtp: byte 1: this is RTCP: %w", fault.Invalid)
	errSources   = fmt.Errorf("rtp: byte 12: the contributing sources run past the end: %w", fault.Invalid)
	errExtension = fmt.Errorf("rtp: the header extension runs past the end: %w", fault.Invalid)
	errPadding   = fmt.Errorf("rtp: last byte: impossible length of padding: %w", fault.Invalid)
	errHeader    = fmt.Errorf("rtp: the header extension is malformed: %w", fault.Invalid)
)

// Parser reads packets, keeping the header's scratch memory from one to the
// next. It is not safe for concurrent use.
type Parser struct{ header rtp.Header }

// Parse reads one packet, or fails with fault.Invalid. The payload is a part
// of b. An empty payload is valid: peers send such packets to keep a NAT open
// (RFC 6263 4.1).
func (p *Parser) Parse(b []byte) (Packet, error) {
	end, err := check(b)
	if err != nil {
		return Packet{}, err
	}
	n, err := p.header.Unmarshal(b)
	if err != nil || n > end {
		return Packet{}, errHeader
	}
	return Packet{
		Marker:      p.header.Marker,
		PayloadType: p.header.PayloadType,
		Sequence:    p.header.SequenceNumber,
		Timestamp:   p.header.Timestamp,
		SSRC:        p.header.SSRC,
		Payload:     b[n:end],
	}, nil
}

// check proves every length in the header before anything is read by it, and
// gives the end of the payload.
func check(b []byte) (end int, err error) {
	if len(b) < headerSize {
		return 0, errShort
	}
	if b[0]>>6 != 2 {
		return 0, errVersion
	}
	// With the marker these types are 200 to 204, RTCP's (RFC 5761 4).
	if pt := b[1] & 0x7F; pt >= 72 && pt <= 76 {
		return 0, errControl
	}
	start := headerSize + 4*int(b[0]&0x0F)
	if start > len(b) {
		return 0, errSources
	}
	if b[0]&0x10 != 0 {
		if start+4 > len(b) {
			return 0, errExtension
		}
		start += 4 + 4*(int(b[start+2])<<8|int(b[start+3]))
		if start > len(b) {
			return 0, errExtension
		}
	}
	end = len(b)
	if b[0]&0x20 != 0 {
		padding := int(b[end-1])
		if padding == 0 || start+padding > end {
			return 0, errPadding
		}
		end -= padding
	}
	return end, nil
}
