package srtp

import (
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// waiting is how many datagrams may wait: a whole flight and its repetition.
const waiting = 16

// road is the net.PacketConn the DTLS library reads and writes. It has one
// peer, whose address is the socket owner's business.
type road struct {
	in   chan []byte
	done chan struct{}

	mu     sync.Mutex
	send   func([]byte) // nil when closed or hushed
	closed bool
	cut    chan struct{} // closed: reading is interrupted
	isCut  bool
}

func newRoad(send func([]byte)) *road {
	return &road{in: make(chan []byte, waiting), done: make(chan struct{}), cut: make(chan struct{}), send: send}
}

func (r *road) deliver(b []byte) {
	select {
	case <-r.done:
	case r.in <- slices.Clone(b):
	default:
	}
}

func (r *road) hush() {
	r.mu.Lock()
	r.send = nil
	r.mu.Unlock()
}

// ReadFrom implements net.PacketConn.
func (r *road) ReadFrom(p []byte) (int, net.Addr, error) {
	r.mu.Lock()
	cut := r.cut
	r.mu.Unlock()
	select {
	case <-r.done:
		return 0, nil, net.ErrClosed
	case <-cut:
		return 0, nil, os.ErrDeadlineExceeded
	case b := <-r.in:
		return copy(p, b), theRoad{}, nil
	}
}

// WriteTo implements net.PacketConn.
func (r *road) WriteTo(p []byte, _ net.Addr) (int, error) {
	r.mu.Lock()
	send := r.send
	r.mu.Unlock()
	if send != nil {
		send(p)
	}
	return len(p), nil
}

// Close implements net.PacketConn.
func (r *road) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed, r.send = true, nil
		close(r.done)
	}
	return nil
}

// SetReadDeadline implements net.PacketConn for what the library uses it for:
// a time that has passed interrupts reading, none lets it go on.
func (r *road) SetReadDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case t.IsZero() && r.isCut:
		r.cut, r.isCut = make(chan struct{}), false
	case !t.IsZero() && !r.isCut:
		close(r.cut)
		r.isCut = true
	}
	return nil
}

// SetDeadline implements net.PacketConn.
func (r *road) SetDeadline(t time.Time) error { return r.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn; writing never waits.
func (r *road) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr implements net.PacketConn.
func (r *road) LocalAddr() net.Addr { return theRoad{} }

// theRoad is the one address there is.
type theRoad struct{}

// Network implements net.Addr.
func (theRoad) Network() string { return "udp" }

// String implements net.Addr.
func (theRoad) String() string { return "peer" }
