package egress

import (
	"fmt"
	"io"

	"flametree/engine/fault"
)

// Limit bounds a body: reading more than n bytes of it is an error that wraps
// fault.Invalid, so that nobody takes the part for the whole. It counts what
// the reader sees, after decompression. It is for one goroutine.
func Limit(body io.ReadCloser, n int64) io.ReadCloser {
	return &limited{body: body, left: n, most: n}
}

type limited struct {
	body       io.ReadCloser
	left, most int64
}

// Read implements io.Reader.
func (l *limited) Read(b []byte) (int, error) {
	if l.left < 0 {
		return 0, l.over()
	}
	if int64(len(b)) > l.left+1 {
		b = b[:l.left+1] // one more than allowed, to know a full body from a longer one
	}
	n, err := l.body.Read(b)
	l.left -= int64(n)
	if l.left < 0 {
		return n - 1, l.over()
	}
	return n, err
}

// Close implements io.Closer.
func (l *limited) Close() error { return l.body.Close() }

func (l *limited) over() error {
	return fmt.Errorf("egress: the answer is larger than %d bytes: %w", l.most, fault.Invalid)
}
