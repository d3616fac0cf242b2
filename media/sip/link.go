package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
	"flametree/media/sip/guard"
)

// link is a way to one peer: sipgo's transactions write through it. Links are
// closed by their sockets, so the reference counts of sip.Connection do nothing.
type link interface {
	sip.Connection
	network() string // UDP or TCP
	source() netip.AddrPort
}

// encode writes a message and gives its bytes to send.
func encode(msg sip.Message, send func([]byte) error) error {
	var b bytes.Buffer
	b.Grow(1024)
	msg.StringWrite(&b)
	return send(b.Bytes())
}

// datagrams is what we need of a UDP socket; tests give one in memory.
type datagrams interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// udpLink sends to one address over the endpoint's only UDP socket.
type udpLink struct {
	socket datagrams
	from   netip.AddrPort // where the peer was seen
	to     netip.AddrPort // where it wants answers, often the same
}

func (u *udpLink) LocalAddr() net.Addr    { return u.socket.LocalAddr() }
func (u *udpLink) Ref(int) int            { return 1 }
func (u *udpLink) TryClose() (int, error) { return 1, nil }
func (u *udpLink) Close() error           { return nil }
func (u *udpLink) network() string        { return "UDP" }
func (u *udpLink) source() netip.AddrPort { return u.from }

// WriteMsg sends one datagram of any size: fragments beat silence, and our own
// messages stay below 1300 bytes (RFC 3261 18.1.1).
func (u *udpLink) WriteMsg(msg sip.Message) error {
	return encode(msg, func(b []byte) error {
		_, err := u.socket.WriteToUDPAddrPort(b, u.to)
		return err
	})
}

// readUDP dispatches datagrams until the socket is closed.
func (e *Endpoint) readUDP(ctx context.Context, socket datagrams) {
	buf := make([]byte, guard.MaxMessage)
	for {
		n, from, err := socket.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // not ours to end for; but never in a busy loop
			e.pause()
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if len(bytes.Trim(buf[:n], "\r\n\x00")) < 2 {
			continue // keep-alive
		}
		if e.opt.Allow != nil && !e.opt.Allow(from.Addr()) {
			e.stats.dropped.Add(1)
			continue
		}
		e.receive(ctx, &udpLink{socket: socket, from: from, to: from}, buf[:n])
	}
}

const (
	tcpWriteWait   = 5 * time.Second  // a peer that does not read is gone
	tcpMessageWait = 10 * time.Second // from the first byte of a message to its last
	tcpIdleWait    = 2 * time.Minute  // without a message and without a call
	tcpDialWait    = 5 * time.Second
)

// tcpLink is one connection, accepted or dialled.
type tcpLink struct {
	conn   net.Conn
	remote netip.AddrPort

	mu sync.Mutex // one message at a time on the stream
}

func (t *tcpLink) LocalAddr() net.Addr    { return t.conn.LocalAddr() }
func (t *tcpLink) Ref(int) int            { return 1 }
func (t *tcpLink) TryClose() (int, error) { return 1, nil }
func (t *tcpLink) Close() error           { return t.conn.Close() }
func (t *tcpLink) network() string        { return "TCP" }
func (t *tcpLink) source() netip.AddrPort { return t.remote }

// WriteMsg sends one message; a failed or late write ends the connection.
func (t *tcpLink) WriteMsg(msg sip.Message) error { return encode(msg, t.write) }

func (t *tcpLink) write(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.conn.SetWriteDeadline(time.Now().Add(tcpWriteWait))
	_, err := t.conn.Write(b)
	if err != nil {
		_ = t.conn.Close()
	}
	return err
}

// acceptTCP takes connections until the listener is closed.
func (e *Endpoint) acceptTCP(ctx context.Context, l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: let some go before the next try
			e.pause()
			continue
		}
		remote := addrPort(conn.RemoteAddr())
		if e.opt.Allow != nil && !e.opt.Allow(remote.Addr()) || !e.adopt(ctx, &tcpLink{conn: conn, remote: remote}) {
			e.stats.dropped.Add(1)
			_ = conn.Close()
		}
	}
}

// pause waits a moment, or for the end.
func (e *Endpoint) pause() {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-e.cut:
	}
}

// adopt registers a connection and reads it; false when there are too many or
// the endpoint is closing.
func (e *Endpoint) adopt(ctx context.Context, t *tcpLink) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sealed || len(e.conns) >= e.opt.MaxConns {
		return false
	}
	e.conns[t.remote] = t
	e.work.Go(func() {
		e.readTCP(ctx, t)
		_ = t.conn.Close()
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.conns[t.remote] == t {
			delete(e.conns, t.remote)
		}
	})
	return true
}

// readTCP dispatches the messages of one connection until it ends or breaks.
func (e *Endpoint) readTCP(ctx context.Context, t *tcpLink) {
	var framer guard.Framer
	buf := make([]byte, 8<<10)
	wait, since := tcpIdleWait, time.Now()
	for {
		_ = t.conn.SetReadDeadline(since.Add(wait))
		n, err := t.conn.Read(buf)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() && !framer.Waiting() && e.inUse(t) {
			since = time.Now()
			continue
		}
		if err != nil {
			return
		}
		began := framer.Waiting()
		framer.Write(buf[:n])
		progress, ok := e.drainFrames(ctx, t, &framer)
		if !ok {
			return
		}
		if progress || !began {
			since = time.Now()
		}
		wait = tcpIdleWait
		if framer.Waiting() {
			wait = tcpMessageWait
		}
	}
}

// drainFrames dispatches what is complete; ok is false when the stream is beyond repair.
func (e *Endpoint) drainFrames(ctx context.Context, t *tcpLink, framer *guard.Framer) (progress, ok bool) {
	for {
		frame, ready, err := framer.Next()
		if err != nil {
			if r, ok := errors.AsType[*guard.Refusal](err); ok {
				e.refuseRaw(t, frame.Bytes, r)
			}
			return progress, false
		}
		if !ready {
			return progress, true
		}
		progress = true
		if frame.Ping {
			if t.write([]byte("\r\n")) != nil {
				return progress, false
			}
			continue
		}
		e.receive(ctx, t, frame.Bytes)
	}
}

// inUse reports whether a call may still want the connection.
func (e *Endpoint) inUse(t *tcpLink) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.calls {
		if c.peer.Load().addr == t.remote {
			return true
		}
	}
	return false
}

// linkTo finds or makes a way to an address; over TCP that may take tcpDialWait.
func (e *Endpoint) linkTo(ctx context.Context, network string, to netip.AddrPort) (link, error) {
	if network == "UDP" {
		if e.udp == nil {
			return nil, fmt.Errorf("sip over UDP is off: %w", fault.Unavailable)
		}
		return &udpLink{socket: e.udp, from: to, to: to}, nil
	}
	e.mu.Lock()
	t := e.conns[to]
	e.mu.Unlock()
	if t != nil {
		return t, nil
	}
	dialer := net.Dialer{Timeout: tcpDialWait}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, fmt.Errorf("dial sip peer: %w: %w", err, fault.Unavailable)
	}
	t = &tcpLink{conn: conn, remote: to}
	if !e.adopt(context.WithoutCancel(ctx), t) {
		_ = conn.Close()
		return nil, fmt.Errorf("dial sip peer: too many connections: %w", fault.Exhausted)
	}
	return t, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
