package httpd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/gateway/httpd"
)

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
