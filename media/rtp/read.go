package rtp

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"flametree/media/srtp"
)

// patience is how many errors in a row a socket may give before its reader
// takes it for dead.
const patience = 1000

// own takes both sockets over, and closes them when that fails.
func (c *Conn) own(r *Reader, media, control *net.UDPConn) error {
	if r == nil {
		c.media, c.control = media, control
		return nil
	}
	m, err := r.adopt(media)
	if err != nil {
		return errors.Join(err, control.Close())
	}
	o, err := r.adopt(control)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	c.media, c.control = m, o
	return nil
}

// read begins to read both sockets.
func (c *Conn) read() {
	if udp, ok := c.media.(*net.UDPConn); ok {
		c.readers.Go(func() { c.readMedia(udp) })
	} else {
		c.media.(*watched).start(c.mediaCame)
	}
	if udp, ok := c.control.(*net.UDPConn); ok {
		c.readers.Go(func() { c.readControl(udp) })
	} else {
		c.control.(*watched).start(c.controlCame)
	}
}

// readMedia is the reader of an RTP socket that no Reader has. It ends when the
// socket is closed.
func (c *Conn) readMedia(socket *net.UDPConn) {
	var (
		in      intake
		raw     [mtu]byte
		control [stampRoom]byte
		failed  int
	)
	for {
		n, stamped, _, from, err := socket.ReadMsgUDPAddrPort(raw[:], control[:])
		if err != nil {
			if failed++; errors.Is(err, net.ErrClosed) || failed > patience {
				return
			}
			continue
		}
		failed = 0
		c.mediaCame(&in, raw[:n], control[:stamped], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

// mediaCame takes a datagram of the RTP socket.
func (c *Conn) mediaCame(in *intake, raw, control []byte, from netip.AddrPort) {
	at := arrival(time.Now(), control)
	if tap := c.tap.Load(); tap != nil {
		(*tap)(In, at, from, raw)
	}
	if !c.sort(in, raw, at, from) {
		c.refused.Add(1)
	}
}

// intake is a reader's memory.
type intake struct {
	parser Parser
	plain  [mtu]byte
	packet Packet
}

// sort tells by its first bytes what a datagram is (RFC 7983, RFC 5761 4) and
// says whether it was of any use.
func (c *Conn) sort(in *intake, b []byte, at time.Time, from netip.AddrPort) bool {
	switch {
	case len(b) == 0:
		return true // keeps a NAT open (RFC 6263 4.1)
	case srtp.IsDTLS(b):
		return c.takeHandshake(b, from)
	case len(b) > 1 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 && c.muxed():
		return c.takeControl(at, b, from)
	}
	seal := c.seal.Load()
	if seal != nil {
		// Before any crypto: a stranger's flood must not cost more than ours.
		if !c.mayBe(at, from) {
			return false
		}
		if b = seal.Open(in.plain[:], b, at); b == nil {
			return false
		}
	}
	var err error
	in.packet, err = in.parser.Parse(b)
	in.packet.At = at
	if err != nil || !c.admit(&in.packet, from) {
		return false
	}
	c.handler(&in.packet)
	return true
}

// mayBe says whether a packet from there would be let in if it is authentic.
func (c *Conn) mayBe(at time.Time, from netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.latch
	return l.accept(at, from)
}

func (c *Conn) muxed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mux
}

// admit decides whether a packet is of this call, and counts it if so.
func (c *Conn) admit(p *Packet, from netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.types[p.PayloadType]
	// Comfort noise was not negotiated: it may keep a call alive, not take it.
	if !known && (p.PayloadType != ComfortNoise || from != c.latch.bound) {
		return false
	}
	if c.carrier == nil && !c.latch.accept(p.At, from) {
		return false
	}
	c.reception.push(p, p.PayloadType == c.audio)
	return true
}

// readControl is the reader of an RTCP socket that no Reader has. It ends when
// the socket is closed.
func (c *Conn) readControl(socket *net.UDPConn) {
	var buf [mtu]byte
	failed := 0
	for {
		n, from, err := socket.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			if failed++; errors.Is(err, net.ErrClosed) || failed > patience {
				return
			}
			continue
		}
		failed = 0
		c.controlCame(nil, buf[:n], nil, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

// controlCame takes a datagram of the RTCP socket.
func (c *Conn) controlCame(_ *intake, raw, _ []byte, from netip.AddrPort) {
	now := time.Now()
	if tap := c.tap.Load(); tap != nil {
		(*tap)(In, now, from, raw)
	}
	if len(raw) > 0 && !c.takeControl(now, raw, from) {
		c.refused.Add(1)
	}
}

func (c *Conn) takeControl(now time.Time, b []byte, from netip.AddrPort) bool {
	c.mu.Lock()
	known := c.carrier != nil || c.latch.knows(from.Addr())
	c.mu.Unlock()
	if !known { // before parsing: a stranger's bytes are not worth the work
		return false
	}
	if seal := c.seal.Load(); seal != nil {
		if b = seal.OpenControl(b, now); b == nil {
			return false
		}
	}
	report, err := ParseControl(b)
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mux {
		c.controlTo = from
	}
	c.sending.learn(now, report, &c.reception)
	return true
}
