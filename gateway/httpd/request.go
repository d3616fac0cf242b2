package httpd

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"

	"flametree/engine/fault"
)

// Request is one request and its answer. It belongs to the goroutine of its
// handler and is dead when the handler returns. Everything it hands out is
// copied and may be kept.
type Request struct {
	srv    *Server
	route  *Route
	raw    *fasthttp.RequestCtx
	ctx    context.Context
	params map[string]string
	trace  string
	body   body
	failed error
}

type requestKey struct{}

// RequestOf finds the request a context belongs to, nil when there is none.
func RequestOf(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// Context ends with the handler's time limit and when the server is closed by
// force. A client that went away is not noticed: fasthttp does not read ahead.
func (r *Request) Context() context.Context { return r.ctx }

// TraceID is the id in X-Request-Id, in problems and in the log.
func (r *Request) TraceID() string { return r.trace }

// Method is the HTTP method.
func (r *Request) Method() string { return string(r.raw.Method()) }

// Param is the value of a {name} in the route's pattern: 1 to 128 characters,
// each a letter, a digit or one of - _ . ~ : @ +.
func (r *Request) Param(name string) string { return r.params[name] }

// Query is the first value of a query parameter, "" when absent.
func (r *Request) Query(name string) string { return string(r.raw.QueryArgs().Peek(name)) }

// Header is the first value of a request header, "" when absent.
func (r *Request) Header(name string) string { return string(r.raw.Request.Header.Peek(name)) }

// Host is the authority the client asked for.
func (r *Request) Host() string { return string(r.raw.Host()) }

// Remote is the peer's address; of a reverse proxy's when there is one.
func (r *Request) Remote() netip.Addr {
	a, err := netip.ParseAddrPort(r.raw.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// Logger carries the trace id.
func (r *Request) Logger() *slog.Logger { return r.srv.log.With("trace", r.trace) }

// Body streams the request body, counted against the route's limit. Its errors
// are Problems.
func (r *Request) Body() io.Reader { return &r.body }

// ReadAll reads the body into memory, within the route's limit and the budget
// of all requests together. Its errors are Problems.
func (r *Request) ReadAll() ([]byte, error) { return r.body.all() }

// Hold counts n bytes that a handler keeps from its body against the budget of
// all requests together; they are given back when the handler returns.
func (r *Request) Hold(n int64) error { return r.body.hold(n) }

// SetHeader sets a header of the answer.
func (r *Request) SetHeader(name, value string) { r.raw.Response.Header.Set(name, value) }

// Bytes answers with b, which must not change afterwards.
func (r *Request) Bytes(status int, contentType string, b []byte) {
	r.raw.SetStatusCode(status)
	r.raw.SetContentType(contentType)
	r.raw.Response.SetBodyRaw(b)
}

// JSON answers with v. A v that cannot be written is a bug and panics.
func (r *Request) JSON(status int, v any) {
	b, err := encode(v)
	if err != nil {
		panic(err)
	}
	r.Bytes(status, "application/json", b)
}

// Problem is what err is answered with under this request's trace id. A bug is
// logged, once, here.
func (r *Request) Problem(err error) *Problem {
	p := ProblemOf(err)
	p.TraceID = r.trace
	r.failed = err
	if fault.KindOf(err) == fault.Bug {
		r.Logger().Error("request failed", "route", r.pattern(), "err", err)
	}
	return p
}

// Fail answers with the Problem err stands for.
func (r *Request) Fail(err error) {
	p := r.Problem(err)
	b, encErr := encode(p)
	if encErr != nil {
		panic(encErr)
	}
	for k, vs := range p.GetHeaders() {
		r.SetHeader(k, vs[0])
	}
	r.Bytes(p.Status, p.ContentType(""), b)
}

func (r *Request) pattern() string {
	if r.route == nil {
		return "none"
	}
	return r.route.Pattern
}

// Hijack hands the connection to serve after the handler returned, with nothing
// written yet. Bytes that came in the same segment as the request are read from
// the connection first. The connection is closed when serve returns; Close on
// it works at once.
func (r *Request) Hijack(serve func(net.Conn)) {
	srv, log := r.srv, r.Logger()
	r.raw.HijackSetNoResponse(true)
	r.raw.Hijack(func(c net.Conn) {
		defer func() {
			if p := recover(); p != nil {
				srv.panicked(log, p)
			}
		}()
		serve(c)
	})
}

// encode writes JSON as huma does: no HTML escapes, a line feed at the end.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// goodParam keeps odd bytes of a path out of the rooms behind.
func goodParam(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("-_.~:@+", rune(c)) {
			return false
		}
	}
	return true
}
