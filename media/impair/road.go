package impair

import (
	"container/heap"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"flametree/engine/fault"
)

// Road carries one call. Its methods may be called from any goroutine.
type Road struct {
	weather        Weather
	media, control *net.UDPConn
	near           netip.AddrPort // of the phone's RTP
	work           sync.WaitGroup
	quit           chan struct{}
	once           sync.Once
	err            error

	mu      sync.Mutex // guards what follows
	far     netip.AddrPort
	carried Carried
}

// Carried counts packets of both directions.
type Carried struct {
	Seen      int `json:"seen"`
	Lost      int `json:"lost"`
	Overtaken int `json:"overtaken"`
}

// Open makes a road at a local address for the phone whose RTP socket is near;
// its RTCP is one port above, as RFC 3550 11 has it. It is closed by the caller.
func Open(at netip.Addr, near netip.AddrPort, w Weather) (*Road, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	media, control, err := pair(at)
	if err != nil {
		return nil, err
	}
	r := &Road{weather: w, media: media, control: control, near: plain(near), quit: make(chan struct{})}
	r.serve(media, 0)
	r.serve(control, 1)
	return r, nil
}

// Addr is where both sides send RTP; RTCP goes one port above.
func (r *Road) Addr() netip.AddrPort { return addr(r.media) }

// Far says where the other side wants RTP. Until then, and from anybody else,
// nothing is carried.
func (r *Road) Far(to netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.far = plain(to)
}

// Carried counts what came by so far, RTP and RTCP.
func (r *Road) Carried() Carried {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.carried
}

// Close ends the road; what is still on its way is lost. It may be called twice.
func (r *Road) Close() error {
	r.once.Do(func() {
		close(r.quit)
		r.err = errors.Join(r.media.Close(), r.control.Close())
		r.work.Wait()
	})
	return r.err
}

// attempts bounds the search for two free ports in a row.
const attempts = 50

func pair(at netip.Addr) (media, control *net.UDPConn, err error) {
	for range attempts {
		media, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
		if err != nil {
			break
		}
		if port := addr(media).Port(); port%2 == 0 {
			control, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, port+1)))
			if err == nil {
				return media, control, nil
			}
		}
		_ = media.Close()
	}
	return nil, nil, fmt.Errorf("impair: no two free ports at %v: %w: %w", at, fault.Unavailable, errors.Join(err))
}

func addr(c *net.UDPConn) netip.AddrPort {
	a, _ := c.LocalAddr().(*net.UDPAddr)
	return plain(a.AddrPort())
}

func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// serve carries the packets of one socket, offset ports above RTP's.
func (r *Road) serve(conn *net.UDPConn, offset uint16) {
	// A queue is bounded by rate × delay: 5 s of 50 packets a second, twice.
	on := make(chan packet, 64)
	r.work.Go(func() { r.read(conn, offset, on) })
	r.work.Go(func() { r.send(conn, on) })
}

// packet is one on its way.
type packet struct {
	due  time.Time
	nth  int // those that are due at once keep their order
	to   netip.AddrPort
	data []byte
}

func (r *Road) read(conn *net.UDPConn, offset uint16, on chan<- packet) {
	defer close(on)
	out, in := newLane(r.weather, 2*uint64(offset)), newLane(r.weather, 2*uint64(offset)+1)
	buf := make([]byte, 2048)
	for nth := 0; ; nth++ {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // such as a refusal by a port that is gone
		}
		to, way := r.way(plain(from), offset)
		if !to.IsValid() {
			continue
		}
		l := in
		if way {
			l = out
		}
		due, f := l.take(time.Now())
		r.count(f)
		if f.lost {
			continue
		}
		select {
		case on <- packet{due: due, nth: nth, to: to, data: append([]byte(nil), buf[:n]...)}:
		case <-r.quit:
			return
		}
	}
}

// way says where a packet goes, and whether it comes from the near side.
func (r *Road) way(from netip.AddrPort, offset uint16) (to netip.AddrPort, out bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	above := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), a.Port()+offset) }
	switch {
	case !r.far.IsValid():
		return netip.AddrPort{}, false
	case from == above(r.near):
		return above(r.far), true
	case from.Addr() == r.far.Addr(): // from any port of its: it may send from another than it listens on
		return above(r.near), false
	}
	return netip.AddrPort{}, false
}

func (r *Road) count(f fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.carried.Seen++
	if f.lost {
		r.carried.Lost++
	} else if f.overtaken {
		r.carried.Overtaken++
	}
}

// send lets packets go when they are due, the earliest first.
func (r *Road) send(conn *net.UDPConn, on <-chan packet) {
	var q queue
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for len(q) > 0 && !q[0].due.After(time.Now()) {
			p, _ := heap.Pop(&q).(packet)
			_, _ = conn.WriteToUDPAddrPort(p.data, p.to) // a road tells nobody what it loses
		}
		if len(q) > 0 {
			timer.Reset(time.Until(q[0].due))
		}
		select {
		case <-r.quit:
			return
		case p, ok := <-on:
			if !ok {
				return
			}
			heap.Push(&q, p)
		case <-timer.C:
		}
	}
}

// queue is a heap by when packets are due.
type queue []packet

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].nth < q[j].nth
	}
	return q[i].due.Before(q[j].due)
}

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(p any) { *q = append(*q, p.(packet)) } //nolint:forcetypeassert // only packets are pushed

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	p := old[len(old)-1]
	*q = old[:len(old)-1]
	return p
}
