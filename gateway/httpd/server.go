// Package httpd serves HTTP on one listener with fasthttp: routing, limits,
// time limits, refusals in one form, health, and a stop that loses nothing. It
// knows no conversation and no agent, and it does not decide who may call.
package httpd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"flametree/engine/fault"
)

// Options sets a server up. The zero value of each field means its default.
type Options struct {
	Logger   *slog.Logger // default: none
	Metrics  *Metrics     // default: none
	MaxBody  int64        // bytes of a request body, http.max_body; 10 MB
	Budget   int64        // bytes of bodies in memory, all requests together; 256 MB
	MaxConns int          // connections at once; 16384

	HeaderTime  time.Duration // for request line and headers; 10 s
	BodyGrace   time.Duration // until a body must have begun to flow; 10 s
	BodyTime    time.Duration // for a whole body; 5 min
	IdleTime    time.Duration // between requests of a connection; 60 s
	WriteTime   time.Duration // for a whole answer; 60 s
	HandlerTime time.Duration // of a request's context; 15 s

	// Origins are scheme://host[:port] whose pages may send requests that change
	// something, beside those of the server's own host: the public URL.
	Origins []string
	// Checks answer /readyz; each gets CheckTime (2 s).
	Checks    []Check
	CheckTime time.Duration
}

// Check is one thing that must be well for the server to be ready.
type Check struct {
	Name string
	Func func(context.Context) error
}

// Server is the front door. Make it with New, add routes, then Serve.
type Server struct {
	o      Options
	log    *slog.Logger
	fast   *fasthttp.Server
	routes routes
	conns  conns
	budget atomic.Int64

	life     context.Context
	kill     context.CancelFunc
	draining atomic.Bool
	started  atomic.Bool
	drainers []func(context.Context)
	drained  sync.Once
	serving  sync.WaitGroup

	mu sync.Mutex // guards ln
	ln net.Listener
}

// New makes a server with /livez and /readyz.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{o: o, log: o.Logger}
	s.budget.Store(o.Budget)
	s.life, s.kill = context.WithCancel(context.Background())
	s.fast = &fasthttp.Server{
		Handler:                      s.handle,
		ErrorHandler:                 s.malformed,
		ExpectHandler:                s.expect,
		ConnState:                    s.conns.state,
		Logger:                       quiet{o.Logger},
		ReadBufferSize:               16 << 10, // bounds request line and headers; synthesize carries its text in the URL
		ReadTimeout:                  o.HeaderTime,
		IdleTimeout:                  o.IdleTime,
		WriteTimeout:                 o.WriteTime,
		Concurrency:                  o.MaxConns,
		MaxRequestBodySize:           8 << 10, // of what is read ahead: the body is counted by us
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
	}
	s.health()
	return s
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	def(&o.MaxBody, 10<<20)
	def(&o.Budget, 256<<20)
	def(&o.MaxConns, 16384)
	def(&o.HeaderTime, 10*time.Second)
	def(&o.BodyGrace, 10*time.Second)
	def(&o.BodyTime, 5*time.Minute)
	def(&o.IdleTime, time.Minute)
	def(&o.WriteTime, time.Minute)
	def(&o.HandlerTime, 15*time.Second)
	def(&o.CheckTime, 2*time.Second)
	return o
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Route adds a route. It must not be called once Serve has begun.
func (s *Server) Route(r Route) {
	if s.started.Load() {
		panic("httpd: route added while serving") // routes are read without a lock
	}
	if r.MaxBody == 0 {
		r.MaxBody = s.o.MaxBody
	}
	s.routes.add(r)
}

// OnDrain adds what is told when the server begins to stop. It is called once
// and must return when its context ends. Add before Serve.
func (s *Server) OnDrain(f func(context.Context)) { s.drainers = append(s.drainers, f) }

// Draining reports whether the server is about to stop.
func (s *Server) Draining() bool { return s.draining.Load() }

// Life ends when the server is closed: what outlives a request hangs on it.
func (s *Server) Life() context.Context { return s.life }

// Serve accepts connections until Shutdown, then returns nil. ln is closed.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	s.ln = ln
	s.mu.Unlock()
	s.started.Store(true)
	if s.draining.Load() {
		return ln.Close()
	}
	for {
		c, err := ln.Accept()
		if err == nil {
			t := s.conns.add(c)
			s.serving.Go(func() { s.connection(t) })
			continue
		}
		if s.draining.Load() || errors.Is(err, net.ErrClosed) {
			return nil
		}
		// Out of descriptors: the only cure is that connections end.
		s.log.Warn("accept failed", "err", err)
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.life.Done():
			return fmt.Errorf("accept: %w: %w", fault.Unavailable, err)
		}
	}
}

// connection serves one connection. A panic outside of a handler (fasthttp's
// own) ends that connection and nothing else.
func (s *Server) connection(c *conn) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(s.log, p)
			_ = c.Close()
		}
	}()
	_ = s.fast.ServeConn(c) // it answers what it can; the rest is the peer's end
}

// Drain makes /readyz fail, refuses new sockets and tells the open ones. It
// returns when they have ended or ctx has. Requests are still served.
func (s *Server) Drain(ctx context.Context) {
	s.draining.Store(true)
	s.drained.Do(func() {
		var wg sync.WaitGroup
		for _, f := range s.drainers {
			wg.Go(func() { f(ctx) })
		}
		wg.Wait()
	})
}

// Shutdown drains, stops listening and waits for requests in flight. When ctx
// ends first, their contexts are cancelled and connections closed, and the
// error is fault.Unavailable. All goroutines have ended when it returns nil.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain(ctx)
	s.mu.Lock()
	if s.ln != nil {
		_ = s.ln.Close()
	}
	s.mu.Unlock()
	err := s.conns.wait(ctx)
	s.kill()
	if err != nil {
		s.conns.closeAll()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = s.conns.wait(last)
		return fmt.Errorf("shut down: requests cut off: %w", fault.Unavailable)
	}
	s.serving.Wait()
	return nil
}

// handle is where fasthttp hands over a request.
func (s *Server) handle(raw *fasthttp.RequestCtx) {
	began := time.Now()
	s.conns.busy(raw.Conn())
	r := s.request(raw)
	limit := s.o.HandlerTime
	route, params, allowed := s.routes.find(r.Method(), string(raw.Path()))
	if route != nil {
		r.route, r.params, r.body.limit = route, params, route.MaxBody
		if route.Timeout > 0 {
			limit = route.Timeout
		}
	}
	ctx, cancel := context.WithTimeout(s.life, limit)
	defer cancel()
	r.ctx = context.WithValue(ctx, requestKey{}, r)
	s.secure(r)
	s.guarded(r, allowed)
	clean := r.body.finish()
	if c := raw.Conn(); c != nil {
		// fasthttp sets a deadline only when it has one to set: a body's must not
		// outlive its request.
		_ = c.SetReadDeadline(time.Time{})
	}
	if !clean || s.draining.Load() {
		raw.SetConnectionClose()
	}
	took := time.Since(began)
	s.o.Metrics.observe(r, raw.Response.StatusCode(), took)
	s.log.Debug("request", "trace", r.trace, "route", r.pattern(), "code", raw.Response.StatusCode(),
		"dur_ms", took.Milliseconds(), "err", r.failed)
}

// request reads what is needed before anything may be refused.
func (s *Server) request(raw *fasthttp.RequestCtx) *Request {
	r := &Request{srv: s, raw: raw, trace: traceID(raw.Request.Header.Peek("X-Request-Id"))}
	r.body = body{
		src: raw.RequestBodyStream(), conn: raw.Conn(), declared: int64(raw.Request.Header.ContentLength()),
		limit: s.o.MaxBody, grace: s.o.BodyGrace, longest: s.o.BodyTime, budget: &s.budget,
	}
	if r.body.src == nil { // no body, or a request made without a socket
		b := raw.Request.Body()
		r.body.src, r.body.declared = strings.NewReader(string(b)), int64(len(b))
	}
	return r
}

// guarded runs the handler and contains its panics. allowed is set when only
// the method is wrong.
func (s *Server) guarded(r *Request, allowed []string) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(r.Logger(), p)
			r.raw.Response.ResetBody()
			r.raw.SetConnectionClose() // the body may be half read
			r.Fail(Refuse(http.StatusInternalServerError, "bug", bugDetail))
		}
	}()
	if err := ambiguous(r.raw); err != nil {
		r.raw.SetConnectionClose()
		r.Fail(err)
		return
	}
	if r.route == nil {
		r.Fail(missing(allowed))
		if allowed != nil {
			r.SetHeader("Allow", strings.Join(allowed, ", "))
		}
		return
	}
	if err := s.crossOrigin(r); err != nil {
		r.Fail(err)
		return
	}
	r.route.Handle(r)
}

func missing(allowed []string) error {
	if allowed != nil {
		return Refuse(http.StatusMethodNotAllowed, "method_not_allowed", "this address takes "+strings.Join(allowed, ", "))
	}
	return Refuse(http.StatusNotFound, "not_found", "there is nothing at this address")
}

// ambiguous refuses a request framed in two ways (RFC 9112 6.1): a proxy in
// front may have believed the other one.
func ambiguous(raw *fasthttp.RequestCtx) error {
	if raw.Request.Header.ContentLength() != -1 {
		return nil
	}
	if strings.Contains(strings.ToLower(string(raw.Request.Header.RawHeaders())), "content-length:") {
		return Refuse(http.StatusBadRequest, "framing_ambiguous", "both Content-Length and Transfer-Encoding are given")
	}
	return nil
}

// expect refuses a body that is announced too large before it is sent.
func (s *Server) expect(raw *fasthttp.RequestCtx) int {
	limit := s.o.MaxBody
	if route, _, _ := s.routes.find(string(raw.Method()), string(raw.Path())); route != nil {
		limit = route.MaxBody
	}
	if n := int64(raw.Request.Header.ContentLength()); n > limit {
		r := s.request(raw)
		s.secure(r)
		r.Fail((&body{limit: limit}).tooLarge())
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusContinue
}

// malformed answers what is not HTTP, or came too slowly or too long.
func (s *Server) malformed(raw *fasthttp.RequestCtx, err error) {
	r := &Request{srv: s, raw: raw, trace: traceID(nil)}
	s.secure(r)
	var small *fasthttp.ErrSmallBuffer
	var slow net.Error
	switch {
	case errors.As(err, &small):
		r.Fail(Refuse(http.StatusRequestHeaderFieldsTooLarge, "headers_too_large", "request line and headers take more than 16 kB"))
	case errors.As(err, &slow) && slow.Timeout():
		r.Fail(Refuse(http.StatusRequestTimeout, "too_slow", "the request did not arrive in time"))
	default:
		r.Fail(Refuse(http.StatusBadRequest, "malformed", "this is not an HTTP/1.1 request"))
	}
}

func (s *Server) panicked(log *slog.Logger, p any) {
	s.o.Metrics.panicked()
	log.Error("handler panicked", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// traceID keeps a caller's id when it is harmless, and draws one otherwise.
func traceID(given []byte) string {
	if s := string(given); len(s) <= 64 && goodParam(s) {
		return s
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// quiet keeps fasthttp's complaints about peers out of the log.
type quiet struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("fasthttp", "err", fmt.Sprintf(format, args...))
}
