package rtp

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/pion/rtp"
)

// Carrier moves the packets of one call on a way that it found, watches and
// seals itself, such as that of a call from a browser. Its methods may be called
// from any goroutine.
type Carrier interface {
	// Begin gives it where to put what comes in, RTP and RTCP as they were before
	// they were sealed; at is when they came. Each of the two is called from one
	// goroutine at a time, and keeps no bytes.
	Begin(media, control func(at time.Time, raw []byte))
	// Carry sends a packet of sound and keeps neither header nor payload. The
	// source and the payload type are those of the header.
	Carry(h *rtp.Header, payload []byte) error
	// Report sends RTCP, and keeps nothing of it.
	Report(raw []byte) error
	// Way is where packets go from and to now, as far as that is known, and
	// whether they can be sent at all.
	Way() (here, there netip.AddrPort, open bool)
	// Close ends it, waits until nothing is put in any more, and may be called twice.
	Close() error
}

// Over makes a Conn on a carrier in place of sockets, as the source ssrc. There
// is nothing to latch and nothing to seal: who is heard is the carrier's
// business. SetRemote, Seal and Shake are not for it. A Tap sees packets as they
// are before they are sealed.
func Over(carrier Carrier, ssrc uint32) (*Conn, error) {
	c, err := bare()
	if err != nil {
		return nil, err
	}
	c.carrier, c.mux = carrier, true
	c.header.SSRC, c.sending.ssrc = ssrc, ssrc
	return c, nil
}

// bare makes a Conn without a way, with everything drawn that is to be random.
func bare() (*Conn, error) {
	var seed [20]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("rtp: random start: %w", err)
	}
	c := &Conn{
		name:      fmt.Sprintf("%x", seed[10:]),
		reception: reception{rateHz: rateHz},
		offset:    binary.BigEndian.Uint32(seed[4:]),
	}
	c.header = rtp.Header{
		Version: 2,
		SSRC:    binary.BigEndian.Uint32(seed[:]),
		// In the lower half, as RFC 3711 3.3.1 advises: a loss at the beginning
		// must not leave the peer in doubt about the roll-over counter.
		SequenceNumber: binary.BigEndian.Uint16(seed[8:]) & 0x7FFF,
	}
	c.sending.ssrc = c.header.SSRC
	return c, nil
}

// begin lets the carrier put packets in.
func (c *Conn) begin() {
	in := new(intake)
	c.carrier.Begin(func(at time.Time, raw []byte) {
		c.show(In, at, raw)
		var err error
		in.packet, err = in.parser.Parse(raw)
		in.packet.At = at
		if err != nil || !c.admit(&in.packet, netip.AddrPort{}) {
			c.refused.Add(1)
			return
		}
		c.handler(&in.packet)
	}, func(at time.Time, raw []byte) {
		c.show(In, at, raw)
		if !c.takeControl(at, raw, netip.AddrPort{}) {
			c.refused.Add(1)
		}
	})
}

// carry is Write on a carrier; its mutex of writing is held.
func (c *Conn) carry(now time.Time, h Head, payload []byte) bool {
	if _, _, open := c.carrier.Way(); !open {
		return false
	}
	c.mu.Lock()
	c.count(now, h, len(payload))
	c.mu.Unlock()
	c.header.Marker, c.header.PayloadType, c.header.Timestamp = h.Marker, h.PayloadType, h.Timestamp+c.offset
	if c.tap.Load() != nil {
		n, err := c.header.MarshalTo(c.out[:])
		if err != nil {
			panic("rtp: a fixed header of 12 bytes does not fit 1500: " + err.Error())
		}
		n += copy(c.out[n:mtu], payload)
		c.show(Out, now, c.out[:n])
	}
	if c.carrier.Carry(&c.header, payload) == nil { // otherwise it is as good as lost
		c.sent.Add(1)
	}
	c.header.SequenceNumber++
	return true
}

// show gives a packet of a carrier to the tap.
func (c *Conn) show(way Way, at time.Time, raw []byte) {
	if tap := c.tap.Load(); tap != nil {
		_, there, _ := c.carrier.Way()
		(*tap)(way, at, there, raw)
	}
}

// reportOver is report on a carrier.
func (c *Conn) reportOver(now time.Time, bye bool) {
	if _, _, open := c.carrier.Way(); !open {
		return
	}
	c.mu.Lock()
	c.lastSent = now
	var packet []byte
	var err error
	if !bye || c.sending.packets > 0 || c.reception.begun {
		packet, err = compound(now, &c.sending, &c.reception, c.name, bye)
	}
	c.mu.Unlock()
	if err != nil {
		panic("rtp: a report of our own making does not marshal: " + err.Error())
	}
	if packet != nil {
		c.show(Out, now, packet)
		_ = c.carrier.Report(packet) // a lost report is followed by the next
	}
}
