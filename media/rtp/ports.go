package rtp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"flametree/engine/fault"
)

// tries is how often the kernel is asked for an even port whose neighbour is
// free. Half of its answers are odd.
const tries = 64

// Pool gives out pairs of ports: RTP on an even one, RTCP on the next
// (RFC 3550 11). It is safe for concurrent use; closing a Conn gives its ports
// back.
type Pool struct {
	low, high int
	turn      atomic.Uint32
	reader    atomic.Pointer[Reader]
}

// Use has the sockets of every Conn that is opened from now on read by r, in
// place of two goroutines each. Closing r is the caller's business, after the
// last Conn.
func (p *Pool) Use(r *Reader) { p.reader.Store(r) }

// NewPool returns a Pool of the ports from low to high, both included. With
// both 0 the kernel chooses. Otherwise fault.Invalid says what is wrong.
func NewPool(low, high int) (*Pool, error) {
	if low == 0 && high == 0 {
		return &Pool{}, nil
	}
	if low < 1 || high > 65535 || low > high {
		return nil, fmt.Errorf("rtp ports %d-%d: %w: want LOW-HIGH within 1-65535, or 0", low, high, fault.Invalid)
	}
	first := low + low%2
	if first+1 > high {
		return nil, fmt.Errorf("rtp ports %d-%d: %w: no even port with a neighbour", low, high, fault.Invalid)
	}
	return &Pool{low: first, high: high}, nil
}

// Calls is how many calls the range can carry at once, 0 for no limit.
func (p *Pool) Calls() int {
	if p.low == 0 {
		return 0
	}
	return (p.high - p.low + 1) / 2
}

// bind opens a pair of sockets on ip. It fails with fault.Exhausted when every
// pair of the range is taken.
func (p *Pool) bind(ip netip.Addr) (media, control *net.UDPConn, err error) {
	calls := p.Calls()
	if calls == 0 {
		for range tries {
			if media, control, err = p.fromKernel(ip); err == nil || !busy(err) {
				return media, control, err
			}
		}
		return nil, nil, fmt.Errorf("rtp: no pair of ports on %s after %d tries: %w: %w", ip, tries, fault.Exhausted, err)
	}
	// Going round keeps a port unused for as long as can be: packets of a call
	// that has ended may still be on their way.
	start := int(p.turn.Add(1))
	for i := range calls {
		port := p.low + 2*((start+i)%calls)
		if media, control, err = pair(ip, port); err == nil || !busy(err) {
			return media, control, err
		}
	}
	return nil, nil, fmt.Errorf("rtp: all %d pairs of ports %d-%d on %s are taken: %w", calls, p.low, p.high, ip, fault.Exhausted)
}

func (p *Pool) fromKernel(ip netip.Addr) (media, control *net.UDPConn, err error) {
	probe, err := listen(ip, 0)
	if err != nil {
		return nil, nil, err
	}
	port := probe.LocalAddr().(*net.UDPAddr).Port
	if port%2 == 0 {
		if control, err = listen(ip, port+1); err != nil {
			return nil, nil, errors.Join(err, probe.Close())
		}
		return probe, control, nil
	}
	if err := probe.Close(); err != nil {
		return nil, nil, err
	}
	return pair(ip, port-1)
}

func pair(ip netip.Addr, port int) (media, control *net.UDPConn, err error) {
	if media, err = listen(ip, port); err != nil {
		return nil, nil, err
	}
	if control, err = listen(ip, port+1); err != nil {
		return nil, nil, errors.Join(err, media.Close())
	}
	return media, control, nil
}

func listen(ip netip.Addr, port int) (*net.UDPConn, error) {
	network := "udp6"
	if ip.Is4() {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port))))
	if err != nil && !busy(err) {
		return nil, fmt.Errorf("rtp: listen on %s: %w: %w", ip, fault.Unavailable, err)
	}
	return c, err
}

func busy(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES)
}
