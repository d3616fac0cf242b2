package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/remote"
)

const (
	// maxMessage bounds one message in bytes, and with it what a server can
	// make us hold. A result that is kept is far smaller.
	maxMessage = 4 << 20
	headerWait = tool.MaxTimeout
)

var errMessage = errors.New("a message of the server is larger than 4 MiB")

// wire is the transport under one session over HTTP. It adds the
// authentication, and keeps every exchange within the session's life, the
// endpoint's origin and the bounds.
type wire struct {
	base   http.RoundTripper
	origin string
	auth   remote.Auth
	life   context.Context // requests of the SDK outlive its callers; none outlives the session
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if origin(r.URL) != w.origin {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of a RoundTripper
		}
		return nil, fmt.Errorf("the server sends us to another host, %q; name that one as the endpoint: %w", r.URL.Hostname(), fault.Denied)
	}
	ctx, cancel := context.WithCancel(r.Context())
	detach := context.AfterFunc(w.life, cancel)
	end := func() { detach(); cancel() }
	r = r.Clone(ctx)
	if name, value := w.auth.Field(); name != "" {
		r.Header.Set(name, value)
	}
	late := time.AfterFunc(headerWait, cancel)
	res, err := w.base.RoundTrip(r)
	late.Stop()
	if err != nil {
		end()
		return nil, err
	}
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		_ = res.Body.Close()
		end()
		return nil, fmt.Errorf("the server refuses the authentication (HTTP %d): %w", res.StatusCode, fault.Denied)
	}
	b := &body{ReadCloser: res.Body, left: maxMessage, end: end}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		b.left = -1 // each event is bounded by the SDK
	}
	res.Body = b
	return res, nil
}

// CloseIdleConnections lets http.Client find the base's own.
func (w *wire) CloseIdleConnections() {
	if c, ok := w.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// body ends its request when it is closed, and breaks when it is too long.
type body struct {
	io.ReadCloser
	left int // -1 = unbounded
	end  func()
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left >= 0 {
		if n > b.left {
			return 0, errMessage
		}
		b.left -= n
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}

// pipe is a started command as the SDK's reader and writer. It is closed once,
// whoever of them closes it.
type pipe struct {
	io.ReadWriteCloser
	once *sync.Once
}

// Close implements io.Closer.
func (p pipe) Close() (err error) {
	p.once.Do(func() { err = p.ReadWriteCloser.Close() })
	return err
}

// reason tells a stranger's or the SDK's error in words of ours: what kind it
// is, without a URL's query or a secret in it.
func reason(err error, a remote.Auth) error {
	var (
		kind = fault.Unavailable
		k    fault.Kind
		u    *url.Error
	)
	if errors.As(err, &k) {
		kind = k
	}
	text := err.Error()
	switch {
	case errors.Is(err, errMessage), strings.Contains(text, "maximum line length"), strings.Contains(text, "SSE event exceeded"),
		strings.Contains(text, errMessage.Error()): // the SDK does not wrap them all
		return fmt.Errorf("%w: %w", errMessage, fault.Unavailable)
	case errors.As(err, &u):
		text = u.Err.Error()
	}
	text = strings.TrimSuffix(text, ": "+string(kind))
	return fmt.Errorf("%s: %w", remote.Printable(a.Hide(text), 300), kind)
}
