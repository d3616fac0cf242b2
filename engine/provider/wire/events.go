package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"flametree/engine/fault"
)

// The limits of a stream. A vendor's events are a few hundred bytes; a whole
// function call in one event is some kilobytes.
const (
	MaxLine   = 1 << 20
	MaxEvent  = 4 << 20
	MaxStream = 64 << 20
)

// Event is one server-sent event (WHATWG HTML, 9.2.6). Data is valid UTF-8 and
// belongs to the consumer.
type Event struct {
	Name string // "" where the stream names none
	Data []byte
}

// Reader reads server-sent events. It is not safe for concurrent use.
type Reader struct {
	in     *bufio.Reader
	line   []byte
	read   int
	skipLF bool // the last line ended in CR; an LF that follows belongs to it
	first  bool
}

// NewReader reads from r. The caller closes r.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReader(r), first: true} }

// Next returns the next event that has data. It ends with io.EOF; an event
// that the end of the stream cut short is dropped, as the standard says. What
// breaks a limit or is not UTF-8 is fault.Unavailable.
func (r *Reader) Next() (Event, error) {
	var e Event
	has := false
	for {
		line, err := r.next()
		if err != nil {
			return Event{}, err
		}
		if len(line) == 0 {
			if has {
				return r.whole(e)
			}
			e = Event{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			e.Name = string(value)
		case "data":
			if has {
				e.Data = append(e.Data, '\n')
			}
			has = true
			e.Data = append(e.Data, value...)
			if len(e.Data) > MaxEvent {
				return Event{}, fmt.Errorf("an event is longer than %d bytes: %w", MaxEvent, fault.Unavailable)
			}
		}
	}
}

func (r *Reader) whole(e Event) (Event, error) {
	if !utf8.Valid(e.Data) || !utf8.ValidString(e.Name) {
		return Event{}, fmt.Errorf("an event is not UTF-8: %w", fault.Unavailable)
	}
	return e, nil
}

// next returns a line without its end, valid until the next call. Lines end in
// LF, CR LF or CR; a last line without an end is no line.
func (r *Reader) next() ([]byte, error) {
	r.line = r.line[:0]
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF // a body shorter than announced is a cut, as any other end
			}
			return nil, err
		}
		if r.read++; r.read > MaxStream {
			return nil, fmt.Errorf("a stream is longer than %d bytes: %w", MaxStream, fault.Unavailable)
		}
		after := r.skipLF
		r.skipLF = b == '\r'
		switch {
		case b == '\n' && after:
			continue
		case b == '\n' || b == '\r':
			line := r.line
			if r.first {
				line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
			}
			r.first = false
			return line, nil
		}
		if r.line = append(r.line, b); len(r.line) > MaxLine {
			return nil, fmt.Errorf("a line is longer than %d bytes: %w", MaxLine, fault.Unavailable)
		}
	}
}
