package httpd

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// conns knows every open connection, so that a stop can close the idle ones,
// wait for the busy ones and, at the end, cut them off.
type conns struct {
	mu      sync.Mutex
	open    map[*conn]struct{}
	closing bool
	empty   chan struct{} // made by wait, closed when the last one is gone
}

// conn is a connection that says when it is closed.
type conn struct {
	net.Conn
	set    *conns
	busy   atomic.Bool // a request is being answered, or the connection was handed on
	closed atomic.Bool
}

func (s *conns) add(c net.Conn) *conn {
	t := &conn{Conn: c, set: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*conn]struct{})
	}
	s.open[t] = struct{}{}
	return t
}

// Close implements net.Conn. A second call does nothing.
func (c *conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	err := c.Conn.Close()
	s := c.set
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	if s.closing && len(s.open) == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
	return err
}

// busy marks c while its request is answered.
func (s *conns) busy(c net.Conn) {
	if t, ok := c.(*conn); ok {
		t.busy.Store(true)
	}
}

// state is fasthttp's hook.
func (s *conns) state(c net.Conn, state fasthttp.ConnState) {
	t, ok := c.(*conn)
	if !ok || state != fasthttp.StateIdle {
		return
	}
	t.busy.Store(false)
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		_ = t.Close()
	}
}

// wait closes what is idle and waits until nothing is open.
func (s *conns) wait(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	var idle []*conn
	for c := range s.open {
		if !c.busy.Load() {
			idle = append(idle, c)
		}
	}
	s.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
	s.mu.Lock()
	if len(s.open) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeAll cuts everything off.
func (s *conns) closeAll() {
	s.mu.Lock()
	var all []*conn
	for c := range s.open {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}
