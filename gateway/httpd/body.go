package httpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A body that is refused or not wanted is read and thrown away within these
// bounds, because a connection closed over unread bytes is reset, and the
// reset can overtake the answer.
const (
	drainMax  = 32 << 20
	drainTime = 3 * time.Second
	// slowest is the least a sender must manage, in bytes a second, beyond the
	// grace at the start. A body that drips holds a connection no longer than that.
	slowest = 1 << 10
)

// body counts what a request sends, whichever way it is framed, and moves the
// read deadline along with it. It is used by the request's goroutine only.
type body struct {
	src      io.Reader
	conn     net.Conn // nil when there is no socket behind the request
	declared int64    // Content-Length, -1 when chunked
	limit    int64
	grace    time.Duration
	longest  time.Duration
	budget   *atomic.Int64 // bytes all requests may still hold; nil = no bound

	began time.Time
	read  int64
	held  int64 // taken from budget
	ended bool  // the stream was read to its end
	err   error // sticks: a broken stream cannot be read on
}

// Read implements io.Reader. Its errors are Problems.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.declared > b.limit {
		b.err = b.tooLarge()
		return 0, b.err
	}
	if b.began.IsZero() {
		b.began = time.Now()
	}
	b.deadline()
	n, err := b.src.Read(p)
	b.read += int64(n)
	switch {
	case b.read > b.limit:
		b.err = b.tooLarge()
		return 0, b.err
	case errors.Is(err, io.EOF):
		b.ended, b.err = true, io.EOF
	case err != nil:
		b.err = broken(err)
	}
	return n, b.err
}

func (b *body) deadline() {
	if b.conn == nil {
		return
	}
	at := b.began.Add(b.grace + time.Duration(b.read/slowest)*time.Second)
	if last := b.began.Add(b.longest); at.After(last) {
		at = last
	}
	_ = b.conn.SetReadDeadline(at) // a connection that cannot be timed fails at the read
}

// all reads the body into memory, within the budget of all requests together.
func (b *body) all() ([]byte, error) {
	if b.declared == 0 {
		return nil, nil
	}
	var buf bytes.Buffer
	chunk := make([]byte, 16<<10)
	for {
		n, err := b.Read(chunk)
		if hold := b.hold(int64(n)); hold != nil {
			return nil, hold
		}
		buf.Write(chunk[:n])
		if errors.Is(err, io.EOF) {
			return buf.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// hold takes n bytes from the budget, or refuses.
func (b *body) hold(n int64) error {
	if b.budget == nil || n == 0 {
		return nil
	}
	b.held += n
	if b.budget.Add(-n) < 0 {
		p := Refuse(http.StatusServiceUnavailable, "busy", "read the body: too many large bodies at once")
		p.RetryAfter = time.Second
		return p
	}
	return nil
}

// finish gives the budget back and reads what is left. It reports whether the
// connection is at a clean boundary and may serve another request.
func (b *body) finish() bool {
	if b.held > 0 {
		b.budget.Add(b.held)
		b.held = 0
	}
	if b.ended || b.declared == 0 || b.src == nil {
		return true
	}
	var p *Problem
	if errors.As(b.err, &p) && p.Status != http.StatusRequestEntityTooLarge {
		return false // the stream is broken: there is nothing to find the end of
	}
	if b.conn != nil {
		_ = b.conn.SetReadDeadline(time.Now().Add(drainTime))
	}
	_, err := io.CopyN(io.Discard, b.src, drainMax)
	return errors.Is(err, io.EOF) && b.err == nil
}

func (b *body) tooLarge() error {
	return Refuse(http.StatusRequestEntityTooLarge, "body_too_large",
		fmt.Sprintf("read the body: larger than the limit of %d bytes", b.limit),
		Located{Location: "body", Message: fmt.Sprintf("at most %d bytes", b.limit)})
}

func broken(err error) error {
	var t net.Error
	if errors.As(err, &t) && t.Timeout() {
		return Refuse(http.StatusRequestTimeout, "body_too_slow", "read the body: it did not arrive in time")
	}
	return Refuse(http.StatusBadRequest, "body_malformed", "read the body: "+err.Error())
}
