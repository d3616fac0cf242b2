package turnd

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// mostFrame is the longest frame on a stream, as the longest datagram.
const mostFrame = 1600

// speaks is how long a frame may take from its first byte to its last, and a
// write to get through.
const speaks = 10 * time.Second

var errFrame = errors.New("not a frame of TURN")

// listener accepts streams, as many as there may be.
type listener struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener. It returns an error only when the listener
// has ended.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil { // no file descriptor left, or a visitor who was gone at once
			time.Sleep(10 * time.Millisecond) // the next attempt may find one
			continue
		}
		if s := l.server.stream(c); s != nil {
			return s, nil
		}
		_ = c.Close()
	}
}

// stream takes a connection in, nil when there is no room.
func (s *Server) stream(c net.Conn) *stream {
	from, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	n := &stream{Conn: c, server: s, from: from.Addr()}
	s.mu.Lock()
	defer s.mu.Unlock()
	same := 0
	for o := range s.streams {
		if o.from == n.from {
			same++
		}
	}
	if s.ended.Load() || len(s.streams) >= s.o.Streams || same >= max(1, s.o.Streams/4) {
		s.exhausted.Add(1)
		return nil
	}
	s.streams[n] = struct{}{}
	s.going.Add(1)
	return n
}

// stream is a TCP connection that gives whole frames: STUN messages and channel
// data (RFC 8656 2.1, 12.5). One goroutine reads, any may write.
type stream struct {
	net.Conn
	server *Server
	from   netip.Addr
	buf    [mostFrame + 4]byte
	frame  []byte // of buf, what has not been given out
	closed sync.Once
}

// Read implements net.Conn. It never gives parts of two frames.
func (c *stream) Read(b []byte) (int, error) {
	if len(c.frame) == 0 {
		if err := c.next(); err != nil {
			if errors.Is(err, errFrame) {
				c.server.malformed.Add(1)
			}
			return 0, err
		}
	}
	n := copy(b, c.frame)
	c.frame = c.frame[n:]
	return n, nil
}

// next reads a frame. Channel data of less than five bytes is passed over: pion
// would wait for the frame behind it, and it carries nothing of ours.
func (c *stream) next() error {
	for {
		_ = c.SetReadDeadline(time.Now().Add(c.server.o.Idle))
		if _, err := io.ReadFull(c.Conn, c.buf[:1]); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(speaks))
		if _, err := io.ReadFull(c.Conn, c.buf[1:4]); err != nil {
			return err
		}
		n, ok := frameSize(c.buf[:4])
		if !ok {
			return errFrame
		}
		if _, err := io.ReadFull(c.Conn, c.buf[4:n]); err != nil {
			return err
		}
		if n >= 9 {
			c.frame = c.buf[:n]
			return nil
		}
	}
}

// frameSize is how long the frame is that begins with these four bytes, with
// its padding. Not ok is none that fits a datagram.
func frameSize(head []byte) (int, bool) {
	n := int(binary.BigEndian.Uint16(head[2:4]))
	switch head[0] >> 6 {
	case 0: // STUN: a header of 20 bytes, then whole words (RFC 8489 5)
		return n + 20, n%4 == 0 && n+20 < mostFrame
	case 1: // channel data: padded on streams
		n = (n+3)/4*4 + 4
		return n, n < mostFrame
	}
	return 0, false
}

// Write implements net.Conn. Who does not read is left.
func (c *stream) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(speaks))
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.cut()
	}
	return n, err
}

// cut ends the connection without a farewell, for which TLS would wait.
func (c *stream) cut() error {
	if safe, ok := c.Conn.(*tls.Conn); ok {
		return safe.NetConn().Close()
	}
	return c.Conn.Close()
}

// Close implements net.Conn: the reader calls it when it has ended.
func (c *stream) Close() error {
	c.closed.Do(func() {
		c.server.mu.Lock()
		delete(c.server.streams, c)
		c.server.mu.Unlock()
		c.server.going.Done()
	})
	return c.cut()
}
