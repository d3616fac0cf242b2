package guard

import "bytes"

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isTokenChar is RFC 3261 25.1 token.
func isTokenChar(c byte) bool {
	switch c {
	case '-', '.', '!', '%', '*', '_', '+', '`', '\'', '~':
		return true
	}
	return isAlnum(c)
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !isTokenChar(c) {
			return false
		}
	}
	return len(b) > 0
}

// tidy writes a header value the one usual way: white space in a row becomes
// one space, and none stays beside a character of seps. Quoted strings and what
// stands in angle brackets are not touched. The result is v itself where
// nothing changes.
func tidy(v []byte, seps string) []byte {
	if !untidy(v, seps) {
		return v
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == '"':
			n := quoted(v[i:])
			if n < 0 { // unbalanced: the checks will say so
				return v
			}
			out = append(out, v[i:i+n]...)
			i += n - 1
		case c == '<':
			n := bytes.IndexByte(v[i:], '>')
			if n < 0 {
				return v
			}
			out = append(out, v[i:i+n+1]...)
			i += n
		case isBlank(c):
			next := i + 1
			for next < len(v) && isBlank(v[next]) {
				next++
			}
			i = next - 1
			if next == len(v) || isOneOf(v[next], seps) || len(out) == 0 || isOneOf(out[len(out)-1], seps) {
				continue
			}
			out = append(out, ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

func untidy(v []byte, seps string) bool {
	for i, c := range v {
		if c == '\t' {
			return true
		}
		if c != ' ' {
			continue
		}
		if i+1 < len(v) && (v[i+1] == ' ' || isOneOf(v[i+1], seps)) || i > 0 && isOneOf(v[i-1], seps) {
			return true
		}
	}
	return false
}

func isOneOf(c byte, set string) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// quoted measures the quoted string b begins with, both quotes included; -1
// when it never ends (RFC 3261 25.1, quoted-pair).
func quoted(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// list cuts a value at the commas that stand outside quotes and brackets.
func list(v []byte) [][]byte {
	var out [][]byte
	from := 0
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			if n := quoted(v[i:]); n > 0 {
				i += n - 1
			}
		case '<':
			if n := bytes.IndexByte(v[i:], '>'); n > 0 {
				i += n
			}
		case ',':
			out = append(out, bytes.Trim(v[from:i], " "))
			from = i + 1
		}
	}
	return append(out, bytes.Trim(v[from:], " "))
}

// checkParams reads *(";" name ["=" value]) after tidy.
func checkParams(s []byte, where string) error {
	for len(s) > 0 {
		if s[0] != ';' {
			return bad("%s: unexpected text before a parameter", where)
		}
		s = s[1:]
		n := 0
		for n < len(s) && isTokenChar(s[n]) {
			n++
		}
		if n == 0 {
			return bad("%s: empty or malformed parameter name", where)
		}
		s = s[n:]
		if len(s) == 0 || s[0] != '=' {
			continue
		}
		s = s[1:]
		if n = paramValue(s); n <= 0 {
			return bad("%s: malformed parameter value", where)
		}
		s = s[n:]
	}
	return nil
}

// paramValue measures token / host / quoted-string.
func paramValue(s []byte) int {
	if len(s) > 0 && s[0] == '"' {
		return quoted(s)
	}
	n := 0
	for n < len(s) && s[n] > ' ' && s[n] != 0x7f && !isOneOf(s[n], `;,"<>`) {
		n++
	}
	return n
}

// checkAddress reads name-addr or addr-spec with header parameters (RFC 3261
// 20.10). Bytes over 0x7f are tolerated in a display name without quotes:
// phones in the field send them.
func checkAddress(s []byte, where string) error {
	if len(s) == 0 {
		return bad("%s is empty", where)
	}
	if s[0] == '"' {
		n := quoted(s)
		if n < 0 {
			return bad("%s: unbalanced quotes", where)
		}
		s = bytes.TrimLeft(s[n:], " ")
		if len(s) == 0 || s[0] != '<' {
			return bad("%s: no address in angle brackets after the display name", where)
		}
	}
	open := bytes.IndexByte(s, '<')
	if semi := bytes.IndexByte(s, ';'); open < 0 || semi >= 0 && semi < open {
		return checkBare(s, where)
	}
	for _, c := range s[:open] {
		if !isTokenChar(c) && c != ' ' && c < 0x80 {
			return bad("%s: display name must be quoted", where)
		}
	}
	end := bytes.IndexByte(s, '>')
	if end < open {
		return bad("%s: angle bracket not closed", where)
	}
	if err := checkURI(s[open+1:end], where); err != nil {
		return err
	}
	return checkParams(bytes.TrimLeft(s[end+1:], " "), where)
}

// checkBare reads an address without brackets: what follows a semicolon belongs
// to the header, and a comma or question mark may not occur (RFC 3261 20).
func checkBare(s []byte, where string) error {
	uri, params := s, []byte(nil)
	if i := bytes.IndexByte(s, ';'); i >= 0 {
		uri, params = s[:i], s[i:]
	}
	if bytes.ContainsAny(uri, `,?"`) {
		return bad("%s: address needs angle brackets", where)
	}
	if err := checkURI(uri, where); err != nil {
		return err
	}
	return checkParams(params, where)
}
