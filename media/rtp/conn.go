package rtp

import (
	"errors"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"flametree/media/srtp"
)

const (
	mtu    = 1500
	rateHz = 8000 // of every payload type a Conn carries
)

// reportEvery is RFC 3550 6.2's minimum; each is drawn between half and one
// and a half of it.
const reportEvery = 5 * time.Second

// Stats counts what passed through a Conn.
type Stats struct {
	Received, Lost uint64 // as the sequence numbers tell
	Refused        uint64 // not RTP, not of a negotiated type, or from a stranger
	Sent           uint64
	Jitter         time.Duration // of arrival (RFC 3550 A.8)
	RoundTrip      time.Duration // by RTCP; 0 while unknown
	LossThere      float64       // share of our packets the peer missed lately, by RTCP
}

// Conn is one call's pair of sockets. All methods may be called from any
// goroutine.
type Conn struct {
	media, control socket
	carrier        Carrier // in place of both
	name           string  // for RTCP
	handler        func(*Packet)
	readers        sync.WaitGroup
	once           sync.Once
	closeErr       error
	refused, sent  atomic.Uint64
	seal           atomic.Pointer[srtp.Session] // nil: plain
	tap            atomic.Pointer[Tap]

	mu         sync.Mutex
	latch      latch
	types      [128]bool // payload types that are let in
	audio      uint8     // the one whose timestamps measure jitter
	reception  reception
	sending    sending
	controlTo  netip.AddrPort // where RTCP came from
	controlAt  netip.AddrPort // where SDP wants it (RFC 3605)
	nextReport time.Time
	lastSent   time.Time // of RTP, or of what keeps a NAT open
	mux        bool      // RTCP on the RTP socket
	handshake  handshake

	writing sync.Mutex // locked before mu
	header  rtp.Header
	rolled  bool   // the sequence numbers have begun anew
	offset  uint32 // random start of our timestamps (RFC 3550 5.1)
	out     [mtu + srtp.Overhead]byte
}

// Open binds a pair of ports of the pool on ip. Nothing is read until Start.
func (p *Pool) Open(ip netip.Addr) (*Conn, error) {
	media, control, err := p.bind(ip.Unmap())
	if err != nil {
		return nil, err
	}
	tune(media)
	c, err := bare()
	if err != nil {
		return nil, errors.Join(err, media.Close(), control.Close())
	}
	if err := c.own(p.reader.Load(), media, control); err != nil {
		return nil, err
	}
	c.name += "@" + ip.String()
	// Armed from the start: an offer may name an address we cannot use, and
	// the peer's first packet then shows where it is.
	c.latch.arm(time.Now(), netip.AddrPort{})
	return c, nil
}

// Local is the address of the RTP socket.
func (c *Conn) Local() netip.AddrPort {
	if c.carrier != nil {
		here, _, _ := c.carrier.Way()
		return here
	}
	return c.media.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Expect says which payload types were negotiated; audio is the one that flows
// all the time, events the one of telephone events, 0 for none.
func (c *Conn) Expect(audio, events uint8) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.types = [128]bool{}
	c.audio = audio & 0x7F
	c.types[c.audio] = true
	if events != 0 {
		c.types[events&0x7F] = true
	}
}

// SetRemote says where SDP wants the packets, and arms the latch: the next
// valid packet, from wherever it comes, decides whom the call is with. An
// unspecified address, one of another family than ours, or port 0 means that
// nothing is sent until a packet came.
func (c *Conn) SetRemote(announced netip.AddrPort) {
	announced = netip.AddrPortFrom(announced.Addr().Unmap(), announced.Port())
	if !announced.Addr().IsValid() || announced.Addr().IsUnspecified() || announced.Port() == 0 ||
		announced.Addr().Is4() != c.Local().Addr().Unmap().Is4() {
		announced = netip.AddrPort{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if announced != c.latch.announced {
		c.controlTo = netip.AddrPort{}
		c.handshake.from = netip.AddrPort{}
	}
	c.latch.arm(time.Now(), announced)
}

// SetRemoteControl says where SDP wants RTCP when that is not the port after
// RTP's. Once RTCP comes it goes back to where it came from.
func (c *Conn) SetRemoteControl(announced netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.controlAt = netip.AddrPortFrom(announced.Addr().Unmap(), announced.Port())
}

// Remote is where packets are sent now; it may be invalid.
func (c *Conn) Remote() netip.AddrPort {
	if c.carrier != nil {
		_, there, _ := c.carrier.Way()
		return there
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latch.target()
}

// Start begins to read. Handler gets each packet of the call in order of
// arrival, from one goroutine, and owns it until it returns. Start is called
// once. A handshake that was asked for begins now.
func (c *Conn) Start(handler func(*Packet)) {
	c.handler = handler
	if c.carrier != nil {
		c.begin()
		return
	}
	c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handshake.reading = true
	c.shake()
}

// Close says goodbye by RTCP, ends a handshake, closes the sockets, waits for
// the readers and wipes the keys. It must not be called from the handler.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.report(time.Now(), true)
		c.endHandshake()
		if c.carrier != nil {
			c.closeErr = c.carrier.Close()
			return
		}
		c.closeErr = errors.Join(c.media.Close(), c.control.Close())
	})
	c.readers.Wait()
	c.handshake.running.Wait()
	if seal := c.seal.Load(); seal != nil {
		seal.Close()
	}
	return c.closeErr
}

// Stats reports the counters.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := c.reception.total()
	return Stats{
		Received: total.received, Lost: total.lost,
		Refused: c.refused.Load(), Sent: c.sent.Load(),
		Jitter:    c.reception.jitterTime(),
		RoundTrip: c.sending.roundTrip,
		LossThere: float64(c.sending.lossThere) / 256,
	}
}

// Head is what differs from packet to packet.
type Head struct {
	Marker      bool
	PayloadType uint8
	Timestamp   uint32 // from any start; the Conn adds a random one
}

// Write sends one packet and reports whether it could be sent: there is an
// address, and a key if the call is sealed. What the network does with it
// nobody learns here.
func (c *Conn) Write(now time.Time, h Head, payload []byte) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.carrier != nil {
		return c.carry(now, h, payload)
	}
	seal := c.seal.Load()
	if seal != nil && !seal.CanSeal() {
		return false
	}
	c.mu.Lock()
	to := c.latch.target()
	if to.IsValid() {
		c.count(now, h, len(payload))
	}
	c.mu.Unlock()
	if !to.IsValid() {
		return false
	}
	c.header.Marker, c.header.PayloadType, c.header.Timestamp = h.Marker, h.PayloadType, h.Timestamp+c.offset
	n, err := c.header.MarshalTo(c.out[:])
	if err != nil {
		panic("rtp: a fixed header of 12 bytes does not fit 1500: " + err.Error())
	}
	n += copy(c.out[n:mtu], payload)
	c.header.SequenceNumber++
	c.rolled = c.rolled || c.header.SequenceNumber == 0
	packet := c.out[:n]
	if seal != nil {
		if packet = seal.Seal(packet); packet == nil {
			return false // the key is used up, or was wiped meanwhile
		}
	}
	// A full send buffer or a route that is gone looks like loss to the peer,
	// and loss is what it is.
	if c.send(c.media, now, packet, to) {
		c.sent.Add(1)
	}
	return true
}

// count notes for the reports what is sent. The mutex is held.
func (c *Conn) count(now time.Time, h Head, size int) {
	c.sending.packets++
	c.sending.octets += uint32(size)
	c.sending.stamp, c.sending.stampAt = h.Timestamp+c.offset, now
	c.lastSent = now
}

// send writes to the network and shows it to the tap.
func (c *Conn) send(socket socket, now time.Time, packet []byte, to netip.AddrPort) bool {
	if tap := c.tap.Load(); tap != nil {
		(*tap)(Out, now, to, packet)
	}
	_, err := socket.WriteToUDPAddrPort(packet, to)
	return err == nil
}

// Tick sends a report when one is due, and an empty packet when nothing was
// sent for long (RFC 6263); the owner calls it now and then.
func (c *Conn) Tick(now time.Time) {
	c.mu.Lock()
	first := c.nextReport.IsZero()
	due := !now.Before(c.nextReport)
	if due {
		c.nextReport = now.Add(reportEvery/2 + mathrand.N(reportEvery))
	}
	if c.lastSent.IsZero() {
		c.lastSent = now
	}
	still := now.Sub(c.lastSent) >= keepAliveEvery
	stamp := c.sending.stamp - c.offset
	mux := c.mux
	c.mu.Unlock()
	if due && !first || still && mux {
		c.report(now, false)
	}
	if still && !mux {
		// Nobody negotiates this type, so that the peer drops the packet after
		// its NAT has let it pass (RFC 6263 4.6).
		c.Write(now, Head{PayloadType: keepAliveType, Timestamp: stamp}, nil)
	}
}

// keepAliveEvery is RFC 6263 7's 15 s, keepAliveType the first that RFC 3551
// leaves unassigned.
const (
	keepAliveEvery = 15 * time.Second
	keepAliveType  = 20
)

func (c *Conn) report(now time.Time, bye bool) {
	if c.carrier != nil {
		c.reportOver(now, bye)
		return
	}
	seal := c.seal.Load()
	if seal != nil && !seal.CanSeal() {
		return
	}
	c.mu.Lock()
	to, socket := c.controlTo, c.control
	target := c.latch.target()
	switch {
	case c.mux:
		to, socket = target, c.media
		c.lastSent = now // it keeps the one way open that there is
	case to.IsValid():
	case c.controlAt.IsValid() && c.controlAt.Port() != 0 && c.controlAt.Addr() == target.Addr():
		to = c.controlAt // behind a NAT the target is another address, and this one of no use
	case target.IsValid() && target.Port() < 65535:
		to = netip.AddrPortFrom(target.Addr(), target.Port()+1)
	}
	idle := c.sending.packets == 0 && !c.reception.begun && (bye || !c.mux)
	var packet []byte
	var err error
	if to.IsValid() && !idle {
		packet, err = compound(now, &c.sending, &c.reception, c.name, bye)
	}
	c.mu.Unlock()
	if err != nil {
		panic("rtp: a report of our own making does not marshal: " + err.Error())
	}
	if packet != nil && seal != nil {
		packet = seal.SealControl(packet)
	}
	if packet != nil {
		c.send(socket, now, packet, to) // a lost report is followed by the next
	}
}
