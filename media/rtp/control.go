package rtp

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pion/rtcp"

	"flametree/engine/fault"
)

// Control is what a received RTCP packet says to us.
type Control struct {
	Sender    uint32 // SSRC of who sent it
	NTPMiddle uint32 // of its sender report; 0 without one
	Reports   []rtcp.ReceptionReport
	Bye       bool
}

// ParseControl reads a compound packet (RFC 3550 6.1), or fails with
// fault.Invalid and says where. Packets of other types are stepped over.
func ParseControl(b []byte) (Control, error) {
	if err := checkControl(b); err != nil {
		return Control{}, err
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return Control{}, fmt.Errorf("rtcp: %w: %w", fault.Invalid, err)
	}
	var c Control
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			c.Sender, c.NTPMiddle = p.SSRC, uint32(p.NTPTime>>16)
			c.Reports = append(c.Reports, p.Reports...)
		case *rtcp.ReceiverReport:
			c.Sender = p.SSRC
			c.Reports = append(c.Reports, p.Reports...)
		case *rtcp.Goodbye:
			c.Bye = true
		}
	}
	return c, nil
}

// checkControl proves every length before anything is read by it.
func checkControl(b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("rtcp: %d bytes are no packet: %w", len(b), fault.Invalid)
	}
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < 4 {
			return fmt.Errorf("rtcp: byte %d: %d bytes are left, a header has 4: %w", at, len(rest), fault.Invalid)
		}
		if rest[0]>>6 != 2 {
			return fmt.Errorf("rtcp: byte %d: version %d: %w", at, rest[0]>>6, fault.Invalid)
		}
		if at == 0 && rest[1] != byte(rtcp.TypeSenderReport) && rest[1] != byte(rtcp.TypeReceiverReport) {
			return fmt.Errorf("rtcp: byte 1: a compound packet begins with type %d: %w", rest[1], fault.Invalid)
		}
		length := 4 * (int(binary.BigEndian.Uint16(rest[2:])) + 1)
		if length > len(rest) {
			return fmt.Errorf("rtcp: byte %d: a packet of %d bytes, %d are left: %w", at, length, len(rest), fault.Invalid)
		}
		at += length
	}
	return nil
}

// sending is what the reports say about our own stream.
type sending struct {
	ssrc      uint32
	packets   uint32
	octets    uint32
	before    uint32 // packets at the last report
	stamp     uint32 // of the last packet
	stampAt   time.Time
	roundTrip time.Duration
	lossThere uint8 // fraction lost as the peer reported it, of 256
}

// compound builds our report: a sender report if anything was sent since the
// last one, with a block for the source we hear, and our name (RFC 3550 6.4, 6.5).
func compound(now time.Time, s *sending, r *reception, name string, bye bool) ([]byte, error) {
	var blocks []rtcp.ReceptionReport
	if r.begun {
		blocks = append(blocks, r.report(now))
	}
	var packets []rtcp.Packet
	if s.packets != s.before {
		s.before = s.packets
		packets = append(packets, &rtcp.SenderReport{
			SSRC:        s.ssrc,
			NTPTime:     ntp(now),
			RTPTime:     s.stamp + uint32(int64(now.Sub(s.stampAt))*int64(r.rateHz)/int64(time.Second)),
			PacketCount: s.packets,
			OctetCount:  s.octets,
			Reports:     blocks,
		})
	} else {
		packets = append(packets, &rtcp.ReceiverReport{SSRC: s.ssrc, Reports: blocks})
	}
	packets = append(packets, rtcp.NewCNAMESourceDescription(s.ssrc, name))
	if bye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{s.ssrc}})
	}
	return rtcp.Marshal(packets)
}

// learn takes the peer's reports in.
func (s *sending) learn(now time.Time, c Control, r *reception) {
	if c.NTPMiddle != 0 && r.begun && c.Sender == r.ssrc {
		r.lastSR, r.lastSRAt = c.NTPMiddle, now
	}
	for _, block := range c.Reports {
		if block.SSRC != s.ssrc {
			continue
		}
		s.lossThere = block.FractionLost
		if block.LastSenderReport == 0 {
			continue
		}
		// RFC 3550 6.4.1: A - LSR - DLSR, in 1/65536 s, modulo 2^32.
		trip := int32(uint32(ntp(now)>>16) - block.LastSenderReport - block.Delay)
		if trip >= 0 && trip < 10<<16 { // above ten seconds it is nonsense
			s.roundTrip = time.Duration(trip) * time.Second / 65536
		}
	}
}

// ntp is t in the format of RFC 3550 4, seconds since 1900 and their fraction.
func ntp(t time.Time) uint64 {
	const from1900 = 2208988800
	seconds := uint64(t.Unix() + from1900)
	return seconds<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
