package rtp

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// roughRoad lies between two Conns as a NAT would: each sees one address of its
// own. It loses a share of the datagrams and lets one in ten be overtaken, by a
// seed.
type roughRoad struct {
	left, right *net.UDPConn // a talks to left, b to right
	readers     sync.WaitGroup

	mu     sync.Mutex
	rnd    *rand.Rand
	loss   float64
	held   map[*net.UDPConn]held
	passed uint64 // from left to right
}

type held struct {
	b  []byte
	to netip.AddrPort
}

// road puts itself between a and b.
func road(t testing.TB, a, b *Conn, loss float64, seed uint64) *roughRoad {
	t.Helper()
	side := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	r := &roughRoad{left: side(), right: side(), rnd: rand.New(rand.NewPCG(seed, 2)), loss: loss, held: map[*net.UDPConn]held{}}
	addr := func(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }
	a.SetRemote(addr(r.left))
	b.SetRemote(addr(r.right))
	r.readers.Go(func() { r.carry(r.left, r.right, b.Local(), true) })
	r.readers.Go(func() { r.carry(r.right, r.left, a.Local(), false) })
	t.Cleanup(func() {
		_ = r.left.Close()
		_ = r.right.Close()
		r.readers.Wait()
	})
	return r
}

func (r *roughRoad) carry(from, out *net.UDPConn, to netip.AddrPort, count bool) {
	buf := make([]byte, 2000)
	for {
		n, _, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		switch _, waits := r.held[out]; {
		case r.rnd.Float64() < r.loss:
		case !waits && r.rnd.IntN(10) == 0:
			r.held[out] = held{bytes.Clone(buf[:n]), to}
			r.pass(count)
		default:
			_, _ = out.WriteToUDPAddrPort(buf[:n], to)
			r.pass(count)
			r.release(out)
		}
		r.mu.Unlock()
	}
}

func (r *roughRoad) pass(count bool) {
	if count {
		r.passed++
	}
}

func (r *roughRoad) release(out *net.UDPConn) {
	if h, ok := r.held[out]; ok {
		delete(r.held, out)
		_, _ = out.WriteToUDPAddrPort(h.b, h.to)
	}
}

// flush waits until the road has read what was sent and carries what it holds.
func (r *roughRoad) flush() {
	for {
		before := r.carried()
		tick()
		if r.carried() == before {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release(r.left)
	r.release(r.right)
}

func (r *roughRoad) carried() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.passed
}
