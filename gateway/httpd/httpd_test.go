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
	"testing/fstest"
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

func chunked(n int) string {
	var b strings.Builder
	for n > 0 {
		k := min(n, 4096)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", k, strings.Repeat("x", k))
		n -= k
	}
	return b.String() + "0\r\n\r\n"
}

func TestBodiesAreCounted(t *testing.T) {
	_, addr := start(t, httpd.Options{MaxBody: 100_000}, routes()...)
	for name, c := range map[string]struct {
		path, framing, body string
		status              int
		stays               bool
	}{
		"a length within the limit":     {"/echo", "Content-Length: 100000", strings.Repeat("x", 100_000), 200, true},
		"a length beyond the limit":     {"/echo", "Content-Length: 100001", strings.Repeat("x", 100_001), 413, false},
		"chunks within the limit":       {"/echo", "Transfer-Encoding: chunked", chunked(100_000), 200, true},
		"chunks beyond the limit":       {"/echo", "Transfer-Encoding: chunked", chunked(100_001), 413, false},
		"chunks far beyond the limit":   {"/echo", "Transfer-Encoding: chunked", chunked(5_000_000), 413, false},
		"a route's own limit":           {"/small", "Transfer-Encoding: chunked", chunked(11), 413, false},
		"a body nobody reads":           {"/ignore", "Content-Length: 90000", strings.Repeat("x", 90_000), 200, true},
		"chunks nobody reads":           {"/ignore", "Transfer-Encoding: chunked", chunked(90_000), 200, true},
		"a body for an unknown address": {"/nowhere", "Transfer-Encoding: chunked", chunked(90_000), 404, true},
		"a chunk that is none":          {"/echo", "Transfer-Encoding: chunked", "zz\r\nhello\r\n0\r\n\r\n", 400, false},
		"framed in two ways":            {"/echo", "Content-Length: 5\r\nTransfer-Encoding: chunked", chunked(5), 400, false},
		"an unknown framing":            {"/echo", "Transfer-Encoding: gzip", "hello", 400, false},
		"two lengths":                   {"/echo", "Content-Length: 5\r\nContent-Length: 6", "hello", 400, false},
		"a negative length":             {"/echo", "Content-Length: -5", "hello", 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, addr)
			sent := make(chan struct{})
			go func() { // the answer may come before all is sent
				defer close(sent)
				_, _ = fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", c.path, c.framing, c.body)
			}()
			resp, body := w.answer("POST")
			<-sent
			assert.Equal(t, c.status, resp.StatusCode, body)
			if c.status != 200 {
				assert.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
				assert.Contains(t, body, `"trace_id":"`)
			}
			if !c.stays {
				w.ended()
				return
			}
			w.send("GET /hello/again HTTP/1.1\r\nHost: x\r\n\r\n")
			_, body = w.answer("GET")
			assert.Equal(t, `{"hello":"again"}`+"\n", body, "the connection is at a clean boundary")
		})
	}
}

func TestABodyAnnouncedTooLargeIsNotSent(t *testing.T) {
	_, addr := start(t, httpd.Options{MaxBody: 1000}, routes()...)
	w := dial(t, addr)
	w.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
	resp, body := w.answer("POST")
	assert.Equal(t, 413, resp.StatusCode)
	assert.Contains(t, body, "body_too_large")
	w.ended()

	w = dial(t, addr)
	w.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	line, err := w.r.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "100 Continue")
	_, _ = w.r.ReadString('\n')
	w.send("hello")
	resp, body = w.answer("POST")
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, "hello", body)
}

func TestBodiesTogetherAreBounded(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	_, addr := start(t, httpd.Options{Budget: 1000}, httpd.Route{Method: "POST", Pattern: "/hold", Handle: func(r *httpd.Request) {
		if _, err := r.ReadAll(); err != nil {
			r.Fail(err)
			return
		}
		inside <- struct{}{}
		<-release
		r.Bytes(200, "text/plain", nil)
	}})
	one, two := dial(t, addr), dial(t, addr)
	ask := "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n" + strings.Repeat("x", 600)
	one.send("%s", ask)
	<-inside
	two.send("%s", ask)
	resp, body := two.answer("POST")
	assert.Equal(t, 503, resp.StatusCode)
	assert.Contains(t, body, `"code":"busy"`)
	assert.NotEmpty(t, resp.Header.Get("Retry-After"))
	close(release)
	resp, _ = one.answer("POST")
	assert.Equal(t, 200, resp.StatusCode)
	one.send("%s", ask)
	<-inside
	resp, _ = one.answer("POST")
	assert.Equal(t, 200, resp.StatusCode, "what was held is given back")
}

func TestSlowPeersAreCutOff(t *testing.T) {
	_, addr := start(t, httpd.Options{HeaderTime: 150 * time.Millisecond, BodyGrace: 150 * time.Millisecond}, routes()...)
	for name, sent := range map[string]string{
		"half a request line":       "GET /he",
		"headers without end":       "GET /hello/a HTTP/1.1\r\nHost: x\r\nX-A: b\r\n",
		"a body that does not come": "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\nhel",
		"chunks without end":        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, addr)
			w.send("%s", sent)
			resp, body := w.answer("GET")
			assert.Equal(t, 408, resp.StatusCode, body)
			w.ended()
		})
	}
}

func TestASlowHandlerDoesNotCostTheConnection(t *testing.T) {
	wake := make(chan struct{})
	_, addr := start(t, httpd.Options{HeaderTime: 100 * time.Millisecond, BodyGrace: 100 * time.Millisecond}, append(routes(),
		httpd.Route{Method: "POST", Pattern: "/slow", Handle: func(r *httpd.Request) {
			_, _ = r.ReadAll()
			<-wake
			r.Bytes(200, "text/plain", nil)
		}})...)
	w := dial(t, addr)
	w.send("POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s", chunked(5))
	timer := time.AfterFunc(300*time.Millisecond, func() { close(wake) }) // three times the read deadline
	defer timer.Stop()
	w.answer("POST")
	w.send("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, _ := w.answer("GET")
	assert.Equal(t, 200, resp.StatusCode)
}

func TestWhatIsNoRequest(t *testing.T) {
	_, addr := start(t, httpd.Options{}, routes()...)
	for name, c := range map[string]struct {
		sent   string
		status int
	}{
		"headers too large": {"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 431},
		"a TLS hello":       {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400},
		"no colon":          {"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400},
		"a space in a name": {"GET / HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, addr)
			w.send("%s", c.sent)
			resp, body := w.answer("GET")
			assert.Equal(t, c.status, resp.StatusCode)
			assert.Contains(t, body, `"trace_id":"`)
			w.ended()
		})
	}
}

func TestABodyOfAGetIsNoNextRequest(t *testing.T) {
	_, addr := start(t, httpd.Options{}, routes()...)
	w := dial(t, addr)
	inner := "GET /hello/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	w.send("GET /hello/a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner)
	_, body := w.answer("GET")
	assert.Equal(t, `{"hello":"a"}`+"\n", body)
	w.send("GET /hello/b HTTP/1.1\r\nHost: x\r\n\r\n")
	_, body = w.answer("GET")
	assert.Equal(t, `{"hello":"b"}`+"\n", body)
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

func TestHealth(t *testing.T) {
	sick := errors.New("disk on fire")
	var journal error
	s, addr := start(t, httpd.Options{CheckTime: 20 * time.Millisecond, Checks: []httpd.Check{
		{Name: "journal", Func: func(context.Context) error { return journal }},
		{Name: "disk", Func: func(ctx context.Context) error {
			if journal != nil {
				<-ctx.Done() // a check that hangs is cut off
			}
			return ctx.Err()
		}},
	}}, routes()...)
	w := dial(t, addr)
	ask := func(path string) (int, string) {
		w.send("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		resp, body := w.answer("GET")
		return resp.StatusCode, body
	}
	status, body := ask("/readyz")
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{"status":"ready","checks":{"journal":"ok","disk":"ok"}}`, body)
	journal = sick
	status, body = ask("/readyz")
	assert.Equal(t, 503, status)
	assert.JSONEq(t, `{"status":"not ready","checks":{"journal":"failing","disk":"failing"}}`, body)
	status, _ = ask("/livez")
	assert.Equal(t, 200, status, "alive all the same")
	journal = nil
	s.Drain(t.Context())
	status, body = ask("/readyz")
	assert.Equal(t, 503, status)
	assert.Contains(t, body, "draining")
}

func TestAStopFinishesWhatRuns(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	s, addr := start(t, httpd.Options{}, append(routes(), httpd.Route{Method: "GET", Pattern: "/work", Handle: func(r *httpd.Request) {
		close(inside)
		<-release
		r.Bytes(200, "text/plain", []byte("done"))
	}})...)
	told := false
	s.OnDrain(func(context.Context) { told = true })
	idle, silent, busy := dial(t, addr), dial(t, addr), dial(t, addr)
	idle.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.answer("GET")
	busy.send("GET /work HTTP/1.1\r\nHost: x\r\n\r\n")
	<-inside
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	idle.ended()
	silent.ended()
	close(release)
	resp, body := busy.answer("GET")
	assert.Equal(t, "done", body)
	assert.True(t, resp.Close, "the peer is told that this was the last answer")
	busy.ended()
	require.NoError(t, <-stopped)
	assert.True(t, told)
	_, err := net.Dial("tcp", addr)
	assert.Error(t, err, "nobody listens any more")
}

func TestAStopDoesNotWaitForEver(t *testing.T) {
	inside := make(chan struct{})
	s, addr := start(t, httpd.Options{}, httpd.Route{Method: "GET", Pattern: "/work", Handle: func(r *httpd.Request) {
		close(inside)
		<-r.Context().Done()
		r.Fail(r.Context().Err())
	}})
	w := dial(t, addr)
	w.send("GET /work HTTP/1.1\r\nHost: x\r\n\r\n")
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, s.Shutdown(ctx), fault.Unavailable)
}

func TestARequestHasATimeLimit(t *testing.T) {
	_, addr := start(t, httpd.Options{HandlerTime: time.Hour}, httpd.Route{
		Method: "GET", Pattern: "/work", Timeout: 20 * time.Millisecond,
		Handle: func(r *httpd.Request) {
			<-r.Context().Done()
			r.Fail(fmt.Errorf("work: %w", r.Context().Err()))
		},
	})
	w := dial(t, addr)
	w.send("GET /work HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, _ := w.answer("GET")
	assert.Equal(t, 503, resp.StatusCode)
}

func TestPages(t *testing.T) {
	s := httpd.New(httpd.Options{})
	s.Page("/", fstest.MapFS{"a.html": {Data: []byte("<p>hi")}}, "a.html")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	w := dial(t, ln.Addr().String())
	w.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, body := w.answer("GET")
	assert.Equal(t, "<p>hi", body)
	for k, v := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		assert.Equal(t, v, resp.Header.Get(k), k)
	}
	assert.NotContains(t, resp.Header.Get("Content-Security-Policy"), "unsafe")
	w.send("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n", resp.Header.Get("ETag"))
	resp, body = w.answer("GET")
	assert.Equal(t, 304, resp.StatusCode)
	assert.Empty(t, body)
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, <-served)
}
