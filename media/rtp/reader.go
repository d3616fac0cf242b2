package rtp

import (
	"net"
	"net/netip"
	"time"
)

// socket is one UDP socket of a call, read by a goroutine of its own or by a
// Reader. Writing and closing are safe for concurrent use.
type socket interface {
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// ReaderOptions shape a Reader. The zero value is ready.
type ReaderOptions struct {
	// Threads is how many threads read; default one.
	Threads int
	// Hold keeps one of Go's processors for each thread also while it sleeps: a
	// thread that gives its processor away at each of its thousand naps a second
	// costs the scheduler more than reading does. Who sets it has raised
	// GOMAXPROCS by Threads.
	Hold bool
}

// gather is how long a thread that has read lets packets come together before
// it looks again. It is what a Reader adds to the way of a packet at most; the
// kernel's stamp still tells when it came.
const gather = 2 * time.Millisecond

// idle is how long a thread sleeps at most while no packet comes.
const idle = 50 * time.Millisecond

// most is how many datagrams of one socket are read in a row: others wait.
const most = 16

// arrived takes a datagram of a watched socket; scratch is the thread's, raw and
// control lie in its buffers.
type arrived func(scratch *intake, raw, control []byte, from netip.AddrPort)
