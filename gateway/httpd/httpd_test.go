package httpd_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/gateway/httpd"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// start serves routes until the test ends and gives the address.
func start(t *testing.T, o httpd.Options, routes ...httpd.Route) (*httpd.Server, string) {
	t.Helper()
	s := httpd.New(o)
	for _, r := range routes {
		s.Route(r)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx) // some tests have shut down already, or cut off
		assert.NoError(t, <-served)
	})
	return s, ln.Addr().String()
}

func hello(r *httpd.Request) { r.JSON(200, map[string]string{"hello": r.Param("name")}) }

func echo(r *httpd.Request) {
	b, err := r.ReadAll()
	if err != nil {
		r.Fail(err)
		return
	}
	r.Bytes(200, "text/plain", b)
}

func routes() []httpd.Route {
	return []httpd.Route{
		{Method: "GET", Pattern: "/hello/{name}", Handle: hello},
		{Method: "GET", Pattern: "/hello/fixed", Handle: func(r *httpd.Request) { r.Bytes(200, "text/plain", []byte("fixed")) }},
		{Method: "POST", Pattern: "/echo", Handle: echo},
		{Method: "POST", Pattern: "/small", MaxBody: 10, Handle: echo},
		{Method: "POST", Pattern: "/ignore", Handle: func(r *httpd.Request) { r.Bytes(200, "text/plain", []byte("ignored")) }},
		{Method: "GET", Pattern: "/panic", Handle: func(*httpd.Request) { panic("secret reason") }},
		{Method: "GET", Pattern: "/fault/{kind}", Handle: func(r *httpd.Request) {
			k := fault.Kind(strings.ReplaceAll(r.Param("kind"), "-", " "))
			r.Fail(fmt.Errorf("ask the oracle: %w", k))
		}},
	}
}

// wire is one connection spoken to by hand.
type wire struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return &wire{t, c, bufio.NewReader(c)}
}

func (w *wire) send(format string, args ...any) {
	w.t.Helper()
	_, err := fmt.Fprintf(w, format, args...)
	require.NoError(w.t, err)
}

// answer reads one answer, body included.
func (w *wire) answer(method string) (*http.Response, string) {
	w.t.Helper()
	resp, err := http.ReadResponse(w.r, &http.Request{Method: method})
	require.NoError(w.t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	_ = resp.Body.Close()
	return resp, string(b)
}

// ended checks that the server closed the connection.
func (w *wire) ended() {
	w.t.Helper()
	_, err := w.r.ReadByte()
	require.Error(w.t, err)
	var late net.Error
	require.False(w.t, errors.As(err, &late) && late.Timeout(), "the connection is still open")
}

func TestRouting(t *testing.T) {
	_, addr := start(t, httpd.Options{}, routes()...)
	w := dial(t, addr)
	for name, c := range map[string]struct {
		ask    string
		status int
		body   string
	}{
		"a name":                 {"GET /hello/ann", 200, `{"hello":"ann"}`},
		"a fixed name wins":      {"GET /hello/fixed", 200, "fixed"},
		"an encoded name":        {"GET /hello/a%2Db", 200, `{"hello":"a-b"}`},
		"nothing there":          {"GET /nowhere", 404, `"code":"not_found"`},
		"an odd byte in a name":  {"GET /hello/a%00b", 404, `"code":"not_found"`},
		"a name too long":        {"GET /hello/" + strings.Repeat("x", 129), 404, `"code":"not_found"`},
		"dots do not climb":      {"GET /hello/../livez", 200, "alive"},
		"another method":         {"DELETE /hello/ann", 405, `"code":"method_not_allowed"`},
		"a method nobody knows":  {"BREW /hello/ann", 405, `"code":"method_not_allowed"`},
		"an empty name":          {"GET /hello/", 404, `"code":"not_found"`},
		"a quoted slash is none": {"GET /hello/a%2Fb", 404, `"code":"not_found"`},
	} {
		t.Run(name, func(t *testing.T) {
			w.send("%s HTTP/1.1\r\nHost: x\r\n\r\n", c.ask)
			resp, body := w.answer("GET")
			assert.Equal(t, c.status, resp.StatusCode)
			assert.Contains(t, body, c.body)
			if c.status == 405 {
				assert.Equal(t, "GET", resp.Header.Get("Allow"))
			}
		})
	}
	w.send("HEAD /hello/ann HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, body := w.answer("HEAD")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Empty(t, body)
}

func TestEveryKindHasItsStatus(t *testing.T) {
	_, addr := start(t, httpd.Options{}, routes()...)
	w := dial(t, addr)
	for kind, want := range map[fault.Kind]int{
		fault.Invalid: 422, fault.Denied: 403, fault.NotFound: 404, fault.Conflict: 409,
		fault.Exhausted: 429, fault.Unavailable: 503, fault.Cancelled: 503, fault.Bug: 500,
	} {
		w.send("GET /fault/%s HTTP/1.1\r\nHost: x\r\n\r\n", strings.ReplaceAll(string(kind), " ", "-"))
		resp, body := w.answer("GET")
		assert.Equal(t, want, resp.StatusCode, kind)
		assert.Contains(t, body, `"kind":"`+string(kind)+`"`)
		assert.Equal(t, want == 429 || want == 503, resp.Header.Get("Retry-After") != "", kind)
		assert.Equal(t, kind == fault.Bug, !strings.Contains(body, "oracle"), "only bugs hide what they are")
	}
}

type later struct{ error }

func (later) RetryAfter() time.Duration { return 1500 * time.Millisecond }

func (l later) Unwrap() error { return l.error }

func TestAnErrorMaySayWhenToComeBack(t *testing.T) {
	p := httpd.ProblemOf(fmt.Errorf("queue: %w", later{fault.Exhausted}))
	assert.Equal(t, "2", p.GetHeaders().Get("Retry-After"), "rounded up to whole seconds")
	assert.Equal(t, fault.Exhausted, fault.KindOf(p), "a problem is still its kind")
}

func TestPanicsAreContained(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	_, addr := start(t, httpd.Options{Metrics: httpd.NewMetrics(reg), Logger: logTo(&log)}, routes()...)
	w := dial(t, addr)
	w.send("GET /panic HTTP/1.1\r\nHost: x\r\nX-Request-Id: my-id\r\n\r\n")
	resp, body := w.answer("GET")
	assert.Equal(t, 500, resp.StatusCode)
	assert.NotContains(t, body, "secret reason")
	assert.Contains(t, body, `"trace_id":"my-id"`)
	assert.Contains(t, log.String(), "secret reason")
	assert.Contains(t, log.String(), "my-id")
	w.ended()
	w = dial(t, addr)
	w.send("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, _ = w.answer("GET")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, 1.0, counted(t, reg, "flametree_gateway_panics_total"))
	assert.Equal(t, 2.0, counted(t, reg, "flametree_gateway_requests_total"))
}

// counted sums a counter over its labels.
func counted(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}

func TestARequestIDIsKeptWhenHarmless(t *testing.T) {
	_, addr := start(t, httpd.Options{}, routes()...)
	w := dial(t, addr)
	for given, kept := range map[string]bool{"abc-1": true, `"; drop`: false, strings.Repeat("x", 65): false} {
		w.send("GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n", given)
		resp, _ := w.answer("GET")
		assert.Equal(t, kept, resp.Header.Get("X-Request-Id") == given, given)
		assert.NotEmpty(t, resp.Header.Get("X-Request-Id"))
	}
}

func TestPagesOfOtherSitesMayNotWrite(t *testing.T) {
	_, addr := start(t, httpd.Options{Origins: []string{"https://portal.example.com"}}, routes()...)
	w := dial(t, addr)
	for name, c := range map[string]struct {
		method, headers string
		status          int
	}{
		"a program":                    {"POST", "", 200},
		"a page of ours":               {"POST", "Origin: http://" + addr + "\r\n", 200},
		"a page of ours behind TLS":    {"POST", "Origin: https://" + addr + "\r\n", 200},
		"a page of ours, newly said":   {"POST", "Sec-Fetch-Site: same-origin\r\nOrigin: http://" + addr + "\r\n", 200},
		"the public address":           {"POST", "Origin: https://portal.example.com\r\n", 200},
		"another site":                 {"POST", "Origin: https://evil.example\r\n", 403},
		"another port":                 {"POST", "Origin: http://127.0.0.1:1\r\n", 403},
		"nobody":                       {"POST", "Origin: null\r\n", 403},
		"another site, newly said":     {"POST", "Sec-Fetch-Site: cross-site\r\n", 403},
		"a subdomain, newly said":      {"POST", "Sec-Fetch-Site: same-site\r\nOrigin: https://x.example.com\r\n", 403},
		"another site may read":        {"GET", "Origin: https://evil.example\r\n", 200},
		"another site opens a socket":  {"GET", "Origin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", 403},
		"a page that is no address":    {"POST", "Origin: http://[::1\r\n", 403},
		"a page with another protocol": {"POST", "Origin: ftp://" + addr + "\r\n", 403},
	} {
		t.Run(name, func(t *testing.T) {
			path, length := "/hello/a", ""
			if c.method == "POST" {
				path, length = "/echo", "Content-Length: 0\r\n"
			}
			w.send("%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", c.method, path, addr, length, c.headers)
			resp, body := w.answer(c.method)
			assert.Equal(t, c.status, resp.StatusCode, body)
		})
	}
}
