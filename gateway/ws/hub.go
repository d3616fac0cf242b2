package ws

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"flametree/gateway/httpd"
)

// Limits bounds sockets. The zero value of each field means its default.
type Limits struct {
	Open     int           // sockets at once; 10000
	Queue    int           // frames waiting for one peer; 64
	Message  int64         // bytes of a frame that comes in; 64 kB
	Patience time.Duration // how long a full queue may stay full; 1 s
	Beat     time.Duration // between pings; 20 s
	Rate     int           // frames a second a peer may send; 50
}

func (l Limits) withDefaults() Limits {
	if l.Open == 0 {
		l.Open = 10_000
	}
	if l.Queue == 0 {
		l.Queue = 64
	}
	if l.Message == 0 {
		l.Message = 64 << 10
	}
	if l.Patience == 0 {
		l.Patience = time.Second
	}
	if l.Beat == 0 {
		l.Beat = 20 * time.Second
	}
	if l.Rate == 0 {
		l.Rate = 50
	}
	return l
}

// Hub knows the open sockets of a server. Make it with NewHub.
type Hub struct {
	srv    *httpd.Server
	limits Limits
	up     websocket.Upgrader

	mu    sync.Mutex // guards the fields below
	open  map[*Conn]struct{}
	shut  bool
	empty chan struct{} // made by Drain, closed with the last socket
}

// NewHub makes a hub that s tells when it drains.
func NewHub(s *httpd.Server, l Limits) *Hub {
	h := &Hub{srv: s, limits: l.withDefaults(), open: make(map[*Conn]struct{})}
	h.up = websocket.Upgrader{
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10,
		WriteBufferPool: &sync.Pool{},                             // idle sockets hold no write buffer
		CheckOrigin:     func(*http.Request) bool { return true }, // httpd has checked
	}
	s.OnDrain(h.Drain)
	return h
}

// Upgrade makes a socket of a request and runs serve with it after the handler
// returned. protocol is the subprotocol to answer, "" for none. The socket is
// closed when serve returns; ctx ends when it is lost or closed. What is no
// upgrade is answered with a Problem.
func (h *Hub) Upgrade(r *httpd.Request, protocol string, serve func(context.Context, *Conn)) {
	req, problem := handshake(r)
	if problem == nil && h.full() {
		problem = httpd.Refuse(http.StatusServiceUnavailable, "unavailable", "open a socket: the server is stopping or full")
		problem.RetryAfter = 2 * time.Second
	}
	if problem != nil {
		r.Fail(problem)
		return
	}
	head := http.Header{"X-Request-Id": {r.TraceID()}}
	if protocol != "" {
		head.Set("Sec-WebSocket-Protocol", protocol)
	}
	r.Hijack(func(raw net.Conn) {
		sock, err := h.up.Upgrade(&hijacked{conn: unwrap(raw), head: http.Header{}}, req, head)
		if err != nil {
			return // the peer left: the handshake itself was checked
		}
		h.run(newConn(sock, h.limits), serve)
	})
}

// run owns a socket from its first to its last byte.
func (h *Hub) run(c *Conn, serve func(context.Context, *Conn)) {
	h.enter(c)
	h.srv.Metrics().SocketOpened()
	defer h.exit(c)
	var writer sync.WaitGroup
	writer.Go(c.write)
	defer c.finish(&writer)
	ctx, cancel := c.follow(h.srv.Life())
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			c.Close(CloseBug, "internal error")
			panic(p) // httpd contains and logs it
		}
	}()
	serve(ctx, c)
}

// full reports whether another socket is unwelcome. A few that ask at the same
// moment may pass together; the limit is for memory, not for justice.
func (h *Hub) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shut || len(h.open) >= h.limits.Open
}

func (h *Hub) enter(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[c] = struct{}{}
	if h.shut { // it was on its way when the hub was told
		c.Close(CloseRestart, "restarting")
	}
}

func (h *Hub) exit(c *Conn) {
	h.mu.Lock()
	delete(h.open, c)
	if h.empty != nil && len(h.open) == 0 {
		close(h.empty)
		h.empty = nil
	}
	h.mu.Unlock()
	code := 0
	select {
	case <-c.closing:
		code = c.code
	default:
	}
	h.srv.Metrics().SocketClosed(code)
}

// Len is the number of open sockets.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.open)
}

// Drain refuses new sockets, tells the open ones 1012 and waits until they have
// ended; what is left when ctx ends is cut off.
func (h *Hub) Drain(ctx context.Context) {
	h.mu.Lock()
	h.shut = true
	for c := range h.open {
		c.Close(CloseRestart, "restarting")
	}
	if len(h.open) == 0 {
		h.mu.Unlock()
		return
	}
	if h.empty == nil {
		h.empty = make(chan struct{})
	}
	empty := h.empty
	h.mu.Unlock()
	select {
	case <-empty:
		return
	case <-ctx.Done():
	}
	h.mu.Lock()
	for c := range h.open {
		c.cut()
	}
	h.mu.Unlock()
	<-empty
}

// handshake checks RFC 6455 4.2.1 before the connection is handed on, so that a
// refusal is still an HTTP answer.
func handshake(r *httpd.Request) (*http.Request, *httpd.Problem) {
	req := &http.Request{Method: r.Method(), Host: r.Host(), Header: http.Header{}}
	for _, k := range []string{
		"Connection", "Upgrade", "Sec-Websocket-Version", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "Origin",
	} {
		if v := r.Header(k); v != "" {
			req.Header.Set(k, v)
		}
	}
	if !websocket.IsWebSocketUpgrade(req) {
		p := httpd.Refuse(http.StatusUpgradeRequired, "upgrade_required", "this address takes websockets (RFC 6455)")
		r.SetHeader("Upgrade", "websocket")
		return nil, p
	}
	if req.Header.Get("Sec-Websocket-Version") != "13" || !isKey(req.Header.Get("Sec-Websocket-Key")) {
		r.SetHeader("Sec-WebSocket-Version", "13")
		return nil, httpd.Refuse(http.StatusBadRequest, "malformed", "expected Sec-WebSocket-Version 13 and a key of 16 bytes in base64")
	}
	return req, nil
}

// isKey: 16 bytes in base64 are 24 characters, two of them padding.
func isKey(s string) bool { return len(s) == 24 && strings.HasSuffix(s, "==") }

// hijacked gives gorilla the connection fasthttp has handed on. What came in
// the same segment as the request is still in fasthttp's reader, and is read
// from there; closing must reach the real connection, which fasthttp's own
// wrapper closes only after the handler.
type hijacked struct {
	conn net.Conn
	head http.Header
}

func (h *hijacked) Header() http.Header         { return h.head }
func (h *hijacked) Write(b []byte) (int, error) { return h.conn.Write(b) }
func (h *hijacked) WriteHeader(int)             {}

// Hijack implements http.Hijacker.
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReaderSize(h.conn, 16), bufio.NewWriterSize(h.conn, 16)), nil
}

type direct struct {
	net.Conn
	close func() error
}

// Close implements net.Conn.
func (d direct) Close() error { return d.close() }

func unwrap(c net.Conn) net.Conn {
	if u, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		return direct{Conn: c, close: u.UnsafeConn().Close}
	}
	return c
}
