package sip

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/emiago/sipgo/sip"
	"github.com/gorilla/websocket"

	"flametree/engine/fault"
	"flametree/media/sip/guard"
)

// The networks, as Via names them.
const (
	netUDP = "UDP"
	netTCP = "TCP"
	netTLS = "TLS"
	netWS  = "WS"
	netWSS = "WSS"
)

// link is a way to one peer: sipgo's transactions write through it. Links are
// closed by their sockets, so the reference counts of sip.Connection do nothing.
type link interface {
	sip.Connection
	network() string // UDP TCP TLS WS WSS
	source() netip.AddrPort
	raw(b []byte, to netip.AddrPort) error // over a connection to is not looked at
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

// udpLink sends to one address over one UDP socket of the endpoint.
type udpLink struct {
	socket datagrams
	from   netip.AddrPort // where the peer was seen
	to     netip.AddrPort // where it wants answers, often the same
}

func (u *udpLink) LocalAddr() net.Addr    { return u.socket.LocalAddr() }
func (u *udpLink) Ref(int) int            { return 1 }
func (u *udpLink) TryClose() (int, error) { return 1, nil }
func (u *udpLink) Close() error           { return nil }
func (u *udpLink) network() string        { return netUDP }
func (u *udpLink) source() netip.AddrPort { return u.from }

// WriteMsg sends one datagram of any size: fragments beat silence. Requests too
// long for one packet go over TCP where the peer takes it, see congestionFree.
func (u *udpLink) WriteMsg(msg sip.Message) error {
	return encode(msg, func(b []byte) error { return u.raw(b, u.to) })
}

func (u *udpLink) raw(b []byte, to netip.AddrPort) error {
	_, err := u.socket.WriteToUDPAddrPort(b, to)
	return err
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
		if n < 5 && len(bytes.Trim(buf[:n], "\r\n\x00")) < 2 {
			continue // keep-alive
		}
		if e.opt.Allow != nil && !e.opt.Allow(from.Addr()) {
			e.stats.dropped.Add(1)
			continue
		}
		l := &udpLink{socket: socket, from: from, to: from}
		if !e.let(l, buf[:n]) {
			continue
		}
		e.receive(ctx, l, buf[:n])
	}
}

const (
	tcpWriteWait   = 5 * time.Second  // a peer that does not read is gone
	tcpMessageWait = 10 * time.Second // from the first byte of a message to its last
	tcpIdleWait    = 2 * time.Minute  // without a message and without a call
	tcpDialWait    = 5 * time.Second
	tcpGreetWait   = 10 * time.Second // for the handshakes of TLS and WebSocket
)

// stream is one connection, accepted or dialled, over TCP, TLS or WebSocket.
type stream struct {
	kind   string
	conn   net.Conn
	ws     *websocket.Conn // nil without one
	remote netip.AddrPort
	host   string        // the name its certificate was checked for, "" when accepted
	gone   chan struct{} // closed when it is read no more
	last   atomic.Int64  // when the peer was heard last, Unix nanoseconds
	kept   atomic.Int32  // registrations that live on it
	noted  func([]byte)  // of each message that goes out; nil while it is dialled

	mu sync.Mutex // one message at a time on the stream
}

// connKey finds a connection: one address may reach us on several ports.
type connKey struct {
	kind   string
	remote netip.AddrPort
}

func (t *stream) key() connKey           { return connKey{t.kind, t.remote} }
func (t *stream) LocalAddr() net.Addr    { return t.conn.LocalAddr() }
func (t *stream) Ref(int) int            { return 1 }
func (t *stream) TryClose() (int, error) { return 1, nil }
func (t *stream) Close() error           { return t.conn.Close() }
func (t *stream) network() string        { return t.kind }
func (t *stream) source() netip.AddrPort { return t.remote }
func (t *stream) heard()                 { t.last.Store(time.Now().UnixNano()) }

// WriteMsg sends one message; a failed or late write ends the connection.
func (t *stream) WriteMsg(msg sip.Message) error {
	return encode(msg, func(b []byte) error { return t.raw(b, t.remote) })
}

func (t *stream) raw(b []byte, _ netip.AddrPort) error {
	if t.noted != nil {
		t.noted(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.put(b)
	if err != nil {
		_ = t.conn.Close()
	}
	return err
}

func (t *stream) put(b []byte) error {
	late := time.Now().Add(tcpWriteWait)
	if t.ws == nil {
		_ = t.conn.SetWriteDeadline(late)
		_, err := t.conn.Write(b)
		return err
	}
	_ = t.ws.SetWriteDeadline(late)
	kind := websocket.TextMessage
	if !utf8.Valid(b) { // a browser would end the connection (RFC 6455 8.1)
		kind = websocket.BinaryMessage
	}
	return t.ws.WriteMessage(kind, b)
}

// accept takes connections until the listener is closed.
func (e *Endpoint) accept(ctx context.Context, p place) {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: let some go before the next try
			e.pause()
			continue
		}
		t := &stream{kind: p.network, conn: conn, remote: addrPort(conn.RemoteAddr()), gone: make(chan struct{})}
		if e.opt.Allow != nil && !e.opt.Allow(t.remote.Addr()) || !e.adopt(ctx, t) {
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

// adopt registers a connection and reads it; false when there are too many, in
// all or from one address, or the endpoint is closing.
func (e *Endpoint) adopt(ctx context.Context, t *stream) bool {
	t.heard()
	t.noted = func(b []byte) { e.sent(t, b) }
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sealed || len(e.streams) >= e.opt.MaxConns || e.perSource[t.remote.Addr()] >= e.opt.MaxConnsPerSource {
		return false
	}
	e.streams[t] = struct{}{}
	e.conns[t.key()] = t // two to one address, of two names: the younger is found
	e.perSource[t.remote.Addr()]++
	e.work.Go(func() {
		defer e.contain("connection")
		defer e.abandon(t)
		if !e.greet(t) {
			return
		}
		if t.ws != nil {
			e.readWS(ctx, t)
			return
		}
		e.readStream(ctx, t)
	})
	return true
}

// abandon forgets a connection that ended. Requests on it that nobody has
// answered failed (RFC 3261 18.4); those in progress may still be answered over
// another one.
func (e *Endpoint) abandon(t *stream) {
	_ = t.conn.Close()
	var lost []*outgoing
	e.mu.Lock()
	for _, out := range e.clients {
		if out.link == link(t) && !out.seen.Load() {
			lost = append(lost, out)
		}
	}
	delete(e.streams, t)
	if e.conns[t.key()] == t {
		delete(e.conns, t.key())
	}
	if e.perSource[t.remote.Addr()]--; e.perSource[t.remote.Addr()] <= 0 {
		delete(e.perSource, t.remote.Addr())
	}
	e.mu.Unlock()
	for _, out := range lost {
		out.tx.Terminate()
	}
	close(t.gone)
}

// greet shakes hands on an accepted connection, as its kind asks for.
func (e *Endpoint) greet(t *stream) bool {
	if t.host != "" || t.ws != nil || t.kind == netTCP { // dialled: done
		return true
	}
	_ = t.conn.SetDeadline(time.Now().Add(tcpGreetWait))
	defer func() { _ = t.conn.SetDeadline(time.Time{}) }()
	if secure, ok := t.conn.(*tls.Conn); ok {
		if err := secure.HandshakeContext(context.Background()); err != nil { // its deadline is set, Close ends it
			e.log.Debug("sip tls handshake failed", "err", err)
			return false
		}
	}
	if t.kind != netWS && t.kind != netWSS {
		return true
	}
	ws, err := upgrade(t.conn)
	if err != nil {
		e.log.Debug("sip websocket refused", "err", err)
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ws = ws
	return true
}

// readStream dispatches the messages of one connection until it ends or breaks.
func (e *Endpoint) readStream(ctx context.Context, t *stream) {
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
		t.heard()
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
func (e *Endpoint) drainFrames(ctx context.Context, t *stream, framer *guard.Framer) (progress, ok bool) {
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
			if t.raw([]byte("\r\n"), t.remote) != nil {
				return progress, false
			}
			continue
		}
		if e.let(t, frame.Bytes) {
			e.receive(ctx, t, frame.Bytes)
		}
	}
}

// inUse reports whether a call or a registration may still want the connection.
func (e *Endpoint) inUse(t *stream) bool {
	if t.kept.Load() > 0 {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.calls {
		if p := c.peer.Load(); p != nil && p.addr == t.remote && p.network == t.kind {
			return true
		}
	}
	return false
}

// linkTo finds or makes a way to an address; over a connection that may take
// tcpDialWait.
func (e *Endpoint) linkTo(ctx context.Context, network string, to netip.AddrPort) (link, error) {
	return e.reach(ctx, hop{network: network, addr: to})
}

// reach is linkTo for a hop whose name is known: over TLS its certificate must
// be of that name (RFC 5922 7.2). A connection is used again when it was
// checked for the same name.
func (e *Endpoint) reach(ctx context.Context, h hop) (link, error) {
	if h.network == netUDP {
		socket := e.socketFor(h.addr.Addr())
		if socket == nil {
			return nil, fmt.Errorf("no sip socket over UDP for that kind of address: %w", fault.Unavailable)
		}
		return &udpLink{socket: socket, from: h.addr, to: h.addr}, nil
	}
	if h.host == "" && h.secure() {
		e.mu.Lock()
		h.host = e.names[h.addr]
		e.mu.Unlock()
	}
	if t := e.opened(h.network, h.addr); t != nil && (h.host == "" || t.host == h.host || !h.secure()) {
		return t, nil
	}
	ctx, stop := context.WithTimeout(ctx, tcpDialWait)
	defer stop()
	t, err := e.dialStream(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("connect to sip peer over %s: %w: %w", h.network, err, fault.Unavailable)
	}
	if !e.adopt(context.WithoutCancel(ctx), t) {
		_ = t.conn.Close()
		return nil, fmt.Errorf("connect to sip peer: too many connections: %w", fault.Exhausted)
	}
	if h.secure() {
		e.remember(h)
	}
	return t, nil
}

// remember keeps the name behind an address, so that a connection that broke
// within a call is made again with its certificate checked as before.
func (e *Endpoint) remember(h hop) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.names) > 1024 || e.names == nil {
		e.names = make(map[netip.AddrPort]string)
	}
	e.names[h.addr] = h.host
}

// opened is the open connection to an address, nil when there is none.
func (e *Endpoint) opened(network string, to netip.AddrPort) *stream {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conns[connKey{network, to}]
}

func (e *Endpoint) dialStream(ctx context.Context, h hop) (*stream, error) {
	host := orDefault(h.host, h.addr.Addr().String())
	t := &stream{kind: h.network, remote: h.addr, host: host, gone: make(chan struct{})}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", h.addr.String())
	if err != nil {
		return nil, err
	}
	t.conn = conn
	if h.secure() {
		config := e.tls.client.Clone()
		config.ServerName = host
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		t.conn = secure
	}
	if h.network == netWS || h.network == netWSS {
		if t.ws, err = dialWS(ctx, t.conn, net.JoinHostPort(host, fmt.Sprint(h.addr.Port()))); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return t, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
