package rtp

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// patience is how many errors in a row a socket may give before its reader
// takes it for dead.
const patience = 1000

// readMedia is the RTP socket's reader. It ends when the socket is closed.
func (c *Conn) readMedia() {
	var (
		parser  Parser
		buf     [mtu]byte
		control [stampRoom]byte
		failed  int
		packet  Packet // outside the loop, or each one would be allocated
	)
	for {
		n, stamped, _, from, err := c.media.ReadMsgUDPAddrPort(buf[:], control[:])
		now := time.Now()
		if err != nil {
			if failed++; errors.Is(err, net.ErrClosed) || failed > patience {
				return
			}
			continue
		}
		failed = 0
		packet, err = parser.Parse(buf[:n])
		packet.At = arrival(now, control[:stamped])
		if err != nil || !c.admit(&packet, from) {
			c.refused.Add(1)
			continue
		}
		c.handler(&packet)
	}
}

// admit decides whether a packet is of this call, and counts it if so.
func (c *Conn) admit(p *Packet, from netip.AddrPort) bool {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.types[p.PayloadType]
	// Comfort noise was not negotiated: it may keep a call alive, not take it.
	if !known && (p.PayloadType != ComfortNoise || from != c.latch.bound) {
		return false
	}
	if !c.latch.accept(p.At, from) {
		return false
	}
	c.reception.push(p, p.PayloadType == c.audio)
	return true
}

// readControl is the RTCP socket's reader. It ends when the socket is closed.
func (c *Conn) readControl() {
	var buf [mtu]byte
	failed := 0
	for {
		n, from, err := c.control.ReadFromUDPAddrPort(buf[:])
		now := time.Now()
		if err != nil {
			if failed++; errors.Is(err, net.ErrClosed) || failed > patience {
				return
			}
			continue
		}
		failed = 0
		if !c.takeControl(now, buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())) {
			c.refused.Add(1)
		}
	}
}

func (c *Conn) takeControl(now time.Time, b []byte, from netip.AddrPort) bool {
	c.mu.Lock()
	known := c.latch.knows(from.Addr())
	c.mu.Unlock()
	if !known { // before parsing: a stranger's bytes are not worth the work
		return false
	}
	report, err := ParseControl(b)
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.controlTo = from
	c.sending.learn(now, report, &c.reception)
	return true
}
