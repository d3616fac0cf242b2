package guard

import (
	"bytes"
	"strconv"
)

// canonical spells the message for the parser. Contact and Route lose their
// display names, for nothing of ours reads them, and the parser stumbles over
// quotes escaped inside. A request keeps its first Contact only; a response
// keeps all, with q and expires: a registrar lists every binding (RFC 3261 10.3),
// a redirection every alternative (RFC 3261 8.1.3.4).
func (m *message) canonical() []byte {
	var out bytes.Buffer
	out.Grow(len(m.start) + len(m.body) + 64 + 64*len(m.fields))
	if m.request {
		out.WriteString(m.method)
		out.WriteByte(' ')
		out.Write(m.uri)
		out.WriteString(" SIP/2.0\r\n")
	} else {
		out.WriteString("SIP/2.0 ")
		out.WriteString(strconv.Itoa(m.code))
		out.WriteByte(' ')
		out.Write(m.reason)
		out.WriteString("\r\n")
	}
	contact := false
	for _, f := range m.fields {
		switch f.name {
		case "Content-Length":
		case "Contact":
			if string(f.value) == "*" || contact && m.request {
				continue
			}
			contact = true
			m.writeContacts(&out, f)
		case "Route", "Record-Route":
			for _, one := range list(f.value) {
				writeAddress(&out, f.name, one)
			}
		case "Via":
			for _, hop := range list(f.value) {
				writeField(&out, f.name, lowerParams(hop, 0))
			}
		case "From", "To":
			writeField(&out, f.name, lowerParams(f.value, afterAddress(f.value)))
		default:
			writeField(&out, f.name, f.value)
		}
	}
	writeField(&out, "Content-Length", strconv.AppendInt(nil, int64(len(m.body)), 10))
	out.WriteString("\r\n")
	out.Write(m.body)
	return out.Bytes()
}

func writeField(out *bytes.Buffer, name string, value []byte) {
	out.WriteString(name)
	out.WriteString(": ")
	out.Write(value)
	out.WriteString("\r\n")
}

// writeContacts writes the contacts of one field, one line each.
func (m *message) writeContacts(out *bytes.Buffer, f field) {
	for i, one := range list(f.value) {
		if m.request && i > 0 {
			return
		}
		writeAddress(out, f.name, one)
		if m.request {
			continue
		}
		out.Truncate(out.Len() - len("\r\n"))
		writeRank(out, one)
		out.WriteString("\r\n")
	}
}

// writeRank writes the parameters of a contact that say how good it is and how
// long (RFC 3261 20.10), when their values are plain numbers.
func writeRank(out *bytes.Buffer, v []byte) {
	for param := range bytes.SplitSeq(v[headerParams(v):], []byte(";")) {
		name, value, _ := bytes.Cut(param, []byte("="))
		name = bytes.ToLower(bytes.TrimSpace(name))
		value = bytes.TrimSpace(value)
		if string(name) != "q" && string(name) != "expires" || len(value) == 0 || len(bytes.Trim(value, "0123456789.")) > 0 {
			continue
		}
		out.WriteByte(';')
		out.Write(name)
		out.WriteByte('=')
		out.Write(value)
	}
}

// headerParams finds where the parameters of an address begin: behind its
// bracket, or at the first semicolon of one without brackets (RFC 3261 20.10).
func headerParams(v []byte) int {
	at := 0
	if v[0] == '"' {
		at = quoted(v)
	}
	open := bytes.IndexByte(v[at:], '<')
	semi := bytes.IndexByte(v[at:], ';')
	switch {
	case open >= 0 && (semi < 0 || open < semi):
		return at + bytes.IndexByte(v[at:], '>') + 1
	case semi >= 0:
		return at + semi
	}
	return len(v)
}

// writeAddress writes <uri> without display name and header parameters.
func writeAddress(out *bytes.Buffer, name string, v []byte) {
	if v[0] == '"' {
		v = v[quoted(v):]
	}
	open := bytes.IndexByte(v, '<')
	if semi := bytes.IndexByte(v, ';'); open < 0 || semi >= 0 && semi < open {
		if semi >= 0 {
			v = v[:semi]
		}
	} else {
		v = v[open+1 : bytes.IndexByte(v, '>')]
	}
	out.WriteString(name)
	out.WriteString(": <")
	out.Write(v)
	out.WriteString(">\r\n")
}

// afterAddress finds where the header parameters of a name-addr begin.
func afterAddress(v []byte) int {
	at := 0
	if v[0] == '"' {
		at = quoted(v)
	}
	if end := bytes.IndexByte(v[at:], '>'); end >= 0 {
		return at + end
	}
	return at
}

// lowerParams writes the names of parameters we look for in lower case: they
// are compared without case (RFC 3261 7.3.1), the parser compares them with.
func lowerParams(v []byte, from int) []byte {
	changed := false
	for i := from; i < len(v); i++ {
		if v[i] == '"' {
			n := quoted(v[i:])
			if n < 0 {
				return v
			}
			i += n - 1
			continue
		}
		if v[i] != ';' {
			continue
		}
		end := i + 1
		for end < len(v) && isTokenChar(v[end]) {
			end++
		}
		low := bytes.ToLower(v[i+1 : end])
		switch string(low) {
		case "tag", "branch", "received", "rport", "maddr":
			if !bytes.Equal(low, v[i+1:end]) {
				if !changed {
					v, changed = bytes.Clone(v), true
				}
				copy(v[i+1:end], low)
			}
		}
	}
	return v
}
