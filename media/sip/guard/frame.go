package guard

import "bytes"

// Framer cuts a TCP stream into messages by Content-Length (RFC 3261 18.3).
// The zero Framer is ready. It is for one goroutine.
type Framer struct {
	buf    []byte
	looked int // bytes of buf searched for the end of the header
	size   int // length of the message in front, 0 while unknown
}

// Frame is what stood in front of a stream.
type Frame struct {
	Bytes []byte // one message; it is valid until the next call to Write
	Ping  bool   // instead: CRLF CRLF between messages, owed a CRLF (RFC 5626 3.5.1)
}

// Write takes what was read from the connection.
func (f *Framer) Write(b []byte) { f.buf = append(f.buf, b...) }

// Waiting reports whether a message has begun and not ended.
func (f *Framer) Waiting() bool {
	return len(bytes.TrimLeft(f.buf, "\r\n\x00")) > 0
}

// Next cuts off the message in front; ok is false until all of it is there. An
// error is a *Refusal: the stream has no message boundary any more, so the
// connection must be closed after its answer. The frame beside an error holds
// the header to answer to.
func (f *Framer) Next() (frame Frame, ok bool, err error) {
	if f.size == 0 {
		ping, more := f.skip()
		if ping || !more {
			return Frame{Ping: ping}, ping, nil
		}
		if err := f.measure(); err != nil {
			return Frame{Bytes: f.buf}, false, err
		}
	}
	if f.size == 0 || len(f.buf) < f.size {
		return Frame{}, false, nil
	}
	frame.Bytes = f.buf[:f.size:f.size]
	f.buf = f.buf[f.size:]
	f.size, f.looked = 0, 0
	return frame, true, nil
}

// skip drops line ends and NUL between messages, both used to keep connections
// alive. It reports whether they asked for a pong, and else whether a message
// begins; part of a ping waits for the rest.
func (f *Framer) skip() (ping, message bool) {
	for {
		switch {
		case bytes.HasPrefix(f.buf, []byte("\r\n\r\n")):
			f.buf = f.buf[4:]
			return true, false
		case len(f.buf) < 4 && bytes.HasPrefix([]byte("\r\n\r"), f.buf):
			return false, false
		case f.buf[0] == '\r' || f.buf[0] == '\n' || f.buf[0] == 0:
			f.buf = f.buf[1:]
		default:
			return false, true
		}
	}
}

// measure looks for the end of the header and learns the size of the message.
func (f *Framer) measure() error {
	end := bytes.Index(f.buf[f.looked:], []byte("\r\n\r\n"))
	if end < 0 {
		f.looked = max(0, len(f.buf)-3)
		return f.hopeless()
	}
	head := f.looked + end + 4
	if head > MaxMessage {
		return &Refusal{Code: 513, Reason: "Message Too Large"}
	}
	m, err := scan(f.buf[:head])
	if err != nil {
		return silent(m, err)
	}
	v, n := m.one("Content-Length")
	if n == 0 {
		return silent(m, bad("Missing Content-Length header"))
	}
	for _, other := range m.all("Content-Length") {
		if !bytes.Equal(other, v) {
			return silent(m, bad("More than one Content-Length header"))
		}
	}
	body, ok := digits(v, 1<<40)
	if !ok {
		return silent(m, bad("Content-Length is not a number"))
	}
	if body > uint64(MaxMessage-head) {
		return silent(m, &Refusal{Code: 513, Reason: "Message Too Large"})
	}
	f.size = head + int(body)
	return nil
}

// hopeless ends a stream that is not SIP or whose header never ends.
func (f *Framer) hopeless() error {
	line := bytes.Index(f.buf, []byte("\r\n"))
	switch {
	case len(f.buf) > MaxMessage:
		return &Refusal{Code: 513, Reason: "Message Too Large"}
	case line < 0 && len(f.buf) > maxStart, line > maxStart:
		return &Refusal{Reason: "start line too long"}
	case line >= 0 && !isResponse(f.buf[:line]) && !looksLikeSIP(f.buf[:line]):
		return &Refusal{Reason: "not SIP"}
	}
	return nil
}
