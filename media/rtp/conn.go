package rtp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
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
	media, control *net.UDPConn
	name           string // for RTCP
	handler        func(*Packet)
	readers        sync.WaitGroup
	once           sync.Once
	closeErr       error
	refused, sent  atomic.Uint64

	mu         sync.Mutex
	latch      latch
	types      [128]bool // payload types that are let in
	audio      uint8     // the one whose timestamps measure jitter
	reception  reception
	sending    sending
	controlTo  netip.AddrPort // where RTCP came from
	nextReport time.Time

	writing sync.Mutex
	header  rtp.Header
	offset  uint32 // random start of our timestamps (RFC 3550 5.1)
	out     [mtu]byte
}

// Open binds a pair of ports of the pool on ip. Nothing is read until Start.
func (p *Pool) Open(ip netip.Addr) (*Conn, error) {
	media, control, err := p.bind(ip.Unmap())
	if err != nil {
		return nil, err
	}
	tune(media)
	var seed [20]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("rtp: random start: %w", err), media.Close(), control.Close())
	}
	c := &Conn{
		media: media, control: control,
		name:      fmt.Sprintf("%x@%s", seed[10:], ip),
		reception: reception{rateHz: rateHz},
		offset:    binary.BigEndian.Uint32(seed[4:]),
	}
	c.header = rtp.Header{
		Version:        2,
		SSRC:           binary.BigEndian.Uint32(seed[:]),
		SequenceNumber: binary.BigEndian.Uint16(seed[8:]),
	}
	c.sending.ssrc = c.header.SSRC
	// Armed from the start: an offer may name an address we cannot use, and
	// the peer's first packet then shows where it is.
	c.latch.arm(time.Now(), netip.AddrPort{})
	return c, nil
}

// Local is the address of the RTP socket.
func (c *Conn) Local() netip.AddrPort {
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
// unspecified address or port 0 means that nothing is sent until a packet came.
func (c *Conn) SetRemote(announced netip.AddrPort) {
	announced = netip.AddrPortFrom(announced.Addr().Unmap(), announced.Port())
	if !announced.Addr().IsValid() || announced.Addr().IsUnspecified() || announced.Port() == 0 {
		announced = netip.AddrPort{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if announced != c.latch.announced {
		c.controlTo = netip.AddrPort{}
	}
	c.latch.arm(time.Now(), announced)
}

// Remote is where packets are sent now; it may be invalid.
func (c *Conn) Remote() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latch.target()
}

// Start begins to read. Handler gets each packet of the call in order of
// arrival, from one goroutine, and owns it until it returns. Start is called
// once.
func (c *Conn) Start(handler func(*Packet)) {
	c.handler = handler
	c.readers.Go(c.readMedia)
	c.readers.Go(c.readControl)
}

// Close says goodbye by RTCP, closes the sockets and waits for the readers. It
// must not be called from the handler.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.report(time.Now(), true)
		c.closeErr = errors.Join(c.media.Close(), c.control.Close())
	})
	c.readers.Wait()
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

// Write sends one packet and reports whether there was an address to send to.
// What the network does with it nobody learns here.
func (c *Conn) Write(now time.Time, h Head, payload []byte) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	to := c.latch.target()
	if to.IsValid() {
		c.sending.packets++
		c.sending.octets += uint32(len(payload))
		c.sending.stamp, c.sending.stampAt = h.Timestamp+c.offset, now
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
	n += copy(c.out[n:], payload)
	c.header.SequenceNumber++
	// A full send buffer or a route that is gone looks like loss to the peer,
	// and loss is what it is.
	if _, err := c.media.WriteToUDPAddrPort(c.out[:n], to); err == nil {
		c.sent.Add(1)
	}
	return true
}

// Tick sends a report when one is due; the owner calls it now and then.
func (c *Conn) Tick(now time.Time) {
	c.mu.Lock()
	first := c.nextReport.IsZero()
	due := !now.Before(c.nextReport)
	if due {
		c.nextReport = now.Add(reportEvery/2 + mathrand.N(reportEvery))
	}
	c.mu.Unlock()
	if due && !first {
		c.report(now, false)
	}
}

func (c *Conn) report(now time.Time, bye bool) {
	c.mu.Lock()
	to := c.controlTo
	if target := c.latch.target(); !to.IsValid() && target.IsValid() && target.Port() < 65535 {
		to = netip.AddrPortFrom(target.Addr(), target.Port()+1)
	}
	idle := c.sending.packets == 0 && !c.reception.begun
	var packet []byte
	var err error
	if to.IsValid() && !idle {
		packet, err = compound(now, &c.sending, &c.reception, c.name, bye)
	}
	c.mu.Unlock()
	if err != nil {
		panic("rtp: a report of our own making does not marshal: " + err.Error())
	}
	if packet != nil {
		_, _ = c.control.WriteToUDPAddrPort(packet, to) // a lost report is followed by the next
	}
}
