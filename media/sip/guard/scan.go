package guard

import (
	"bytes"
	"strconv"
)

// message is one message cut into its lines. Slices point into the datagram,
// except where a folded or respelled value needed a place of its own.
type message struct {
	request bool
	start   []byte
	method  string // of a request
	uri     []byte // of a request
	version []byte
	code    int    // of a response
	reason  []byte // of a response
	fields  []field
	body    []byte
}

// field is one header line: its full name, and its value without the white
// space around it.
type field struct {
	name  string
	value []byte
}

// scan cuts raw into start line, fields and body. The message it returns is
// never nil and holds what could be read, also beside an error.
func scan(raw []byte) (*message, error) {
	m := &message{}
	for len(raw) > 0 && (raw[0] == '\r' || raw[0] == '\n' || raw[0] == 0) {
		raw = raw[1:]
	}
	end := bytes.Index(raw, []byte("\r\n"))
	if end < 0 || end > maxStart {
		return m, &Refusal{Reason: "no start line"}
	}
	m.start, raw = raw[:end], raw[end+2:]
	m.request = !isResponse(m.start)
	if m.request && !looksLikeSIP(m.start) {
		return &message{}, &Refusal{Reason: "not SIP"}
	}
	if i := bytes.IndexByte(m.start, ' '); i > 0 && m.request {
		m.method = string(m.start[:i])
	}
	m.fields = make([]field, 0, 16)
	rest, err := m.scanFields(raw)
	if err != nil {
		return m, err
	}
	m.body = rest
	return m, nil
}

func isResponse(line []byte) bool {
	return len(line) >= 4 && bytes.EqualFold(line[:4], []byte("SIP/"))
}

// looksLikeSIP reports whether a start line is worth an answer: its last word
// is a protocol version of ours, whatever is wrong before it.
func looksLikeSIP(line []byte) bool {
	line = bytes.TrimRight(line, " \t")
	i := bytes.LastIndexAny(line, " \t")
	return i > 0 && isResponse(line[i+1:])
}

// scanFields reads header lines up to the empty one and returns what follows.
func (m *message) scanFields(raw []byte) ([]byte, error) {
	for {
		if len(raw) == 0 {
			return nil, bad("No empty line after the header")
		}
		end := bytes.Index(raw, []byte("\r\n"))
		if end < 0 {
			return nil, bad("Header line %d has no CRLF", len(m.fields)+1)
		}
		line := raw[:end]
		raw = raw[end+2:]
		if len(line) == 0 {
			return raw, nil
		}
		folded := false
		for len(raw) > 0 && isBlank(raw[0]) {
			end = bytes.Index(raw, []byte("\r\n"))
			if end < 0 {
				return nil, bad("Header line %d has no CRLF", len(m.fields)+1)
			}
			if !folded {
				line, folded = bytes.Clone(line), true
			}
			line = append(append(line, ' '), bytes.Trim(raw[:end], " \t")...)
			raw = raw[end+2:]
		}
		if len(m.fields) == maxFields {
			return nil, bad("More than %d header lines", maxFields)
		}
		f, err := scanField(line, len(m.fields)+1)
		if err != nil {
			return nil, err
		}
		m.fields = append(m.fields, f)
	}
}

func scanField(line []byte, number int) (field, error) {
	before, after, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return field{}, bad("Header line %d has no colon", number)
	}
	name := bytes.TrimRight(before, " \t")
	if !isToken(name) {
		return field{}, bad("Header line %d has a malformed name", number)
	}
	value := bytes.Trim(after, " \t")
	if i := bytes.IndexAny(value, "\r\n"); i >= 0 {
		return field{}, bad("Header line %d holds a bare CR or LF", number)
	}
	return field{name: fullName(name), value: value}, nil
}

// fullName gives the long, usual spelling of a header name (RFC 3261 7.3.3 and
// the registry of compact forms). Others are kept as they came.
func fullName(name []byte) string {
	if len(name) > 24 {
		return string(name)
	}
	var space [24]byte
	low := append(space[:0], name...)
	for i, c := range low {
		if 'A' <= c && c <= 'Z' {
			low[i] = c + 'a' - 'A'
		}
	}
	switch string(low) {
	case "v", "via":
		return "Via"
	case "f", "from":
		return "From"
	case "t", "to":
		return "To"
	case "i", "call-id":
		return "Call-ID"
	case "cseq":
		return "CSeq"
	case "m", "contact":
		return "Contact"
	case "l", "content-length":
		return "Content-Length"
	case "c", "content-type":
		return "Content-Type"
	case "max-forwards":
		return "Max-Forwards"
	case "route":
		return "Route"
	case "record-route":
		return "Record-Route"
	}
	return rareName(string(low), name)
}

func rareName(low string, name []byte) string {
	switch low {
	case "e", "content-encoding":
		return "Content-Encoding"
	case "k", "supported":
		return "Supported"
	case "s", "subject":
		return "Subject"
	case "r", "refer-to":
		return "Refer-To"
	case "b", "referred-by":
		return "Referred-By"
	case "x", "session-expires":
		return "Session-Expires"
	case "o", "event":
		return "Event"
	case "u", "allow-events":
		return "Allow-Events"
	case "require", "accept", "date", "expires", "proxy-require":
		return string(name[0]&^0x20) + low[1:]
	}
	return string(name)
}

// all gives the fields of one name, in order.
func (m *message) all(name string) [][]byte {
	var out [][]byte
	for _, f := range m.fields {
		if f.name == name {
			out = append(out, f.value)
		}
	}
	return out
}

// one gives the first field of a name and how many there are.
func (m *message) one(name string) (value []byte, count int) {
	for i := range m.fields {
		if m.fields[i].name != name {
			continue
		}
		if count == 0 {
			value = m.fields[i].value
		}
		count++
	}
	return value, count
}

// digits reads 1*DIGIT up to most.
func digits(b []byte, most uint64) (uint64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	return n, err == nil && n <= most
}
