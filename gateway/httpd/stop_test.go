package httpd_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/gateway/httpd"
)

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
