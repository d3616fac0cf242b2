package httpd

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Media is something large that is sent as it is read.
type Media struct {
	io.ReadSeekCloser
	Size int64
	Tag  string // entity tag without quotes: the same for the same bytes
}

// Media answers with the whole of m or the one range of bytes that is asked for
// (RFC 9110 section 14), and closes it when it was sent. It is never held in
// memory. Several ranges at once are answered with the whole. A source that
// fails half-way closes the connection, so that nobody takes a part for all.
func (r *Request) Media(contentType string, m Media) {
	tag := `"` + m.Tag + `"`
	from, length, ok := byteRange(r.Header("Range"), m.Size)
	if given := r.Header("If-Range"); given != "" && given != tag {
		from, length, ok = 0, m.Size, true
	}
	r.SetHeader("Accept-Ranges", "bytes")
	r.SetHeader("ETag", tag)
	r.SetHeader("Cache-Control", "private, no-store")
	if !ok {
		_ = m.Close() // only read
		r.Fail(Refuse(http.StatusRequestedRangeNotSatisfiable, "range", "there is no such range: the file has "+strconv.FormatInt(m.Size, 10)+" bytes"))
		r.SetHeader("Content-Range", "bytes */"+strconv.FormatInt(m.Size, 10))
		return
	}
	if _, err := m.Seek(from, io.SeekStart); err != nil {
		_ = m.Close() // only read
		r.Fail(err)
		return
	}
	r.raw.SetStatusCode(http.StatusOK)
	if length != m.Size {
		r.raw.SetStatusCode(http.StatusPartialContent)
		r.SetHeader("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+length-1, m.Size))
	}
	r.raw.SetContentType(contentType)
	r.raw.SetBodyStream(&patient{src: m, conn: r.raw.Conn(), pace: r.srv.o.WriteTime}, int(length))
}

// patient reads what is sent and gives the receiver time for each piece of it:
// the time for an answer would be too short for the whole.
type patient struct {
	src  io.ReadCloser
	conn net.Conn
	pace time.Duration
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	if p.conn != nil {
		_ = p.conn.SetWriteDeadline(time.Now().Add(p.pace)) // a closed connection says so when it is written to
	}
	return p.src.Read(b)
}

// Close implements io.Closer.
func (p *patient) Close() error { return p.src.Close() }

// byteRange reads a Range header. ok is false when the range lies behind the
// end; what is no range of ours is the whole.
func byteRange(header string, size int64) (from, length int64, ok bool) {
	spec, ours := strings.CutPrefix(header, "bytes=")
	first, last, two := strings.Cut(strings.TrimSpace(spec), "-")
	if !ours || !two || strings.Contains(spec, ",") {
		return 0, size, true
	}
	if first == "" { // the last so many bytes
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			return 0, size, true
		}
		n = min(n, uint64(size))
		return size - int64(n), int64(n), n > 0
	}
	a, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return 0, size, true
	}
	b := uint64(size) - 1
	if last != "" {
		if b, err = strconv.ParseUint(last, 10, 63); err != nil || b < a {
			return 0, size, true
		}
		b = min(b, uint64(size)-1)
	}
	if a >= uint64(size) {
		return 0, 0, false
	}
	return int64(a), int64(b-a) + 1, true
}
