package webrtc

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
)

const (
	gather = time.Millisecond // between two readings of the port
	batch  = 32               // datagrams read at once
)

// gatherer is the UDP port of all calls, which lets datagrams come together for
// a millisecond before it reads them. A packet wakes four goroutines of pion's on
// its way to its call; packets that come together wake the threads of those once.
// It is pion's AddrPortReaderWriter. One goroutine reads, any may write.
type gatherer struct {
	*net.UDPConn
	conn     *ipv4.PacketConn
	messages []ipv4.Message
	next     int // message to give
	count    int // messages there are
	read     time.Time
}

func gathered(c *net.UDPConn) *gatherer {
	// Receiving many at once is the same call of the kernel in both families.
	g := &gatherer{UDPConn: c, conn: ipv4.NewPacketConn(c), messages: make([]ipv4.Message, batch)}
	for i := range g.messages {
		g.messages[i].Buffers = [][]byte{make([]byte, mtu)}
	}
	return g
}

var errAddress = errors.New("webrtc: a datagram without an address")

// ReadFromAddrPort gives the next datagram.
func (g *gatherer) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for g.next == g.count {
		if rest := gather - time.Since(g.read); g.count < batch && rest > 0 {
			time.Sleep(rest)
		}
		n, err := g.conn.ReadBatch(g.messages, 0)
		g.next, g.count, g.read = 0, n, time.Now()
		if err != nil {
			g.count = 0
			return 0, netip.AddrPort{}, err
		}
	}
	m := &g.messages[g.next]
	g.next++
	from, ok := m.Addr.(*net.UDPAddr)
	if !ok {
		return 0, netip.AddrPort{}, errAddress
	}
	return copy(b, m.Buffers[0][:m.N]), from.AddrPort(), nil
}

// SetWriteDeadline does nothing. When a call ends, pion stops its writes with a
// deadline in the past, which on a port of many calls would cost each of the
// others the packet it is about to send. Writes of datagrams do not last.
func (g *gatherer) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is of reading only.
func (g *gatherer) SetDeadline(t time.Time) error { return g.SetReadDeadline(t) }

// WriteToAddrPort sends a datagram.
func (g *gatherer) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return g.WriteToUDPAddrPort(b, to)
}
