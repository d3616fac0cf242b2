package guard

import "bytes"

// scheme gives the scheme of a URI in lower case, "" when there is none.
func scheme(s []byte) string {
	for i, c := range s {
		switch {
		case c == ':' && i > 0:
			return string(bytes.ToLower(s[:i]))
		case isAlnum(c) && (i > 0 || c > '9'), i > 0 && isOneOf(c, "+-."):
		default:
			return ""
		}
	}
	return ""
}

func isSIP(scheme string) bool { return scheme == "sip" || scheme == "sips" }

// checkURI reads a URI of any scheme; only sip and sips have their inside checked.
func checkURI(s []byte, where string) error {
	name := scheme(s)
	if name == "" {
		return bad("%s: URI without a scheme", where)
	}
	for _, c := range s {
		if c <= ' ' || c >= 0x7f || isOneOf(c, `<>"`) {
			return bad("%s: character not allowed in a URI", where)
		}
	}
	if !escapesEnd(s) {
		return bad("%s: malformed escape in a URI", where)
	}
	if isSIP(name) {
		return checkSIPURI(s[len(name)+1:], where)
	}
	return nil
}

// escapesEnd reports whether every % has its two hexadecimal digits.
func escapesEnd(s []byte) bool {
	for i, c := range s {
		if c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return false
		}
	}
	return true
}

// checkSIPURI reads what follows "sip:" (RFC 3261 19.1.1). User part, parameters
// and headers have wide character sets; the host has not.
func checkSIPURI(s []byte, where string) error {
	if i := bytes.IndexByte(s, '@'); i >= 0 {
		if i == 0 {
			return bad("%s: empty user in a URI", where)
		}
		s = s[i+1:]
	}
	if bytes.IndexByte(s, '@') >= 0 {
		return bad("%s: more than one @ in a URI", where)
	}
	host := s
	if i := bytes.IndexAny(s, ";?"); i >= 0 {
		host = s[:i]
		if s[i] == ';' {
			params, _, _ := bytes.Cut(s[i:], []byte("?"))
			if err := checkURIParams(params, where); err != nil {
				return err
			}
		}
	}
	if !isHostPort(host) {
		return bad("%s: malformed host in a URI", where)
	}
	return nil
}

func checkURIParams(s []byte, where string) error {
	for p := range bytes.SplitSeq(s[1:], []byte(";")) {
		name, _, _ := bytes.Cut(p, []byte("="))
		if len(name) == 0 {
			return bad("%s: empty parameter in a URI", where)
		}
	}
	return nil
}

// isHostPort is host [":" port] (RFC 3261 25.1).
func isHostPort(s []byte) bool {
	if len(s) > 0 && s[0] == '[' {
		end := bytes.IndexByte(s, ']')
		if end < 3 {
			return false
		}
		for _, c := range s[1:end] {
			if !isHex(c) && c != ':' && c != '.' {
				return false
			}
		}
		return end+1 == len(s) || isPort(s[end+1:])
	}
	host, port := s, []byte(nil)
	if i := bytes.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	for _, c := range host {
		if !isAlnum(c) && !isOneOf(c, "-._") {
			return false
		}
	}
	return len(host) > 0 && (port == nil || isPort(port))
}

func isPort(s []byte) bool {
	_, ok := digits(s[1:], 65535)
	return ok && s[0] == ':'
}
