package guard

import (
	"bytes"
	"time"
)

// maxCSeq is 2**31-1 (RFC 3261 8.1.1.5).
const maxCSeq = 1<<31 - 1

// check applies the rules of RFC 3261 that the parser does not, and tidies the
// values it reads.
func (m *message) check() error {
	if err := m.checkStart(); err != nil {
		return err
	}
	if err := m.checkCount(); err != nil {
		return err
	}
	for i := range m.fields {
		f := &m.fields[i]
		if err := f.check(); err != nil {
			return err
		}
	}
	if err := m.checkCSeq(); err != nil {
		return err
	}
	return m.cutBody()
}

func (m *message) checkStart() error {
	if !m.request {
		return m.checkStatus()
	}
	parts := bytes.Split(m.start, []byte(" "))
	if len(parts) != 3 || bytes.IndexByte(m.start, '\t') >= 0 {
		return bad("Request line is not method, URI and version with one space between")
	}
	m.uri, m.version = parts[1], parts[2]
	if !isToken(parts[0]) {
		return bad("Malformed method")
	}
	if err := checkVersion(m.version); err != nil {
		return err
	}
	name := scheme(m.uri)
	if name != "" && !isSIP(name) {
		return &Refusal{Code: 416, Reason: "Unsupported URI Scheme"}
	}
	if err := checkURI(m.uri, "Request-URI"); err != nil {
		return err
	}
	if bytes.IndexByte(m.uri[bytes.IndexByte(m.uri, '@')+1:], '?') >= 0 {
		return bad("Request-URI: headers are not allowed")
	}
	return nil
}

func checkVersion(v []byte) error {
	major, minor, ok := bytes.Cut(v[min(len(v), 4):], []byte("."))
	_, ok1 := digits(major, 1<<31)
	_, ok2 := digits(minor, 1<<31)
	if !isResponse(v) || !ok || !ok1 || !ok2 {
		return bad("Malformed SIP version")
	}
	if string(major) != "2" || string(minor) != "0" {
		return &Refusal{Code: 505, Reason: "Version Not Supported"}
	}
	return nil
}

func (m *message) checkStatus() error {
	version, rest, _ := bytes.Cut(m.start, []byte(" "))
	if err := checkVersion(version); err != nil {
		return err
	}
	code, reason, _ := bytes.Cut(rest, []byte(" "))
	n, ok := digits(code, 699)
	if !ok || len(code) != 3 || n < 100 {
		return bad("Status code is not 100 to 699")
	}
	m.version, m.code, m.reason = version, int(n), reason
	return nil
}

// checkCount finds headers that must be there once, and those that may not be
// there twice. Max-Forwards and Contact may be missing: RFC 2543 had neither.
func (m *message) checkCount() error {
	for _, name := range []string{"From", "To", "Call-ID", "CSeq"} {
		switch _, n := m.one(name); {
		case n == 0:
			return bad("Missing %s header", name)
		case n > 1:
			return bad("More than one %s header", name)
		}
	}
	if _, n := m.one("Via"); n == 0 {
		return bad("Missing Via header")
	}
	for _, name := range []string{"Max-Forwards", "Content-Length", "Content-Type", "Date", "Expires"} {
		if _, n := m.one(name); n > 1 {
			return bad("More than one %s header", name)
		}
	}
	return nil
}

// check reads one field by its own grammar and tidies it.
func (f *field) check() error {
	switch f.name {
	case "Via":
		f.value = tidy(f.value, "/;=,:")
		return checkVias(f.value)
	case "From", "To":
		f.value = tidy(f.value, ";=")
		return checkAddress(f.value, f.name)
	case "Contact":
		f.value = tidy(f.value, ";=,")
		if string(f.value) == "*" {
			return nil
		}
		return checkAddresses(f)
	case "Route", "Record-Route":
		f.value = tidy(f.value, ";=,")
		return checkAddresses(f)
	case "Call-ID":
		if len(f.value) == 0 || bytes.ContainsAny(f.value, " \t\x00") {
			return bad("Malformed Call-ID")
		}
	case "Max-Forwards":
		if _, ok := digits(f.value, 255); !ok {
			return bad("Max-Forwards is not a number from 0 to 255")
		}
	case "Content-Type":
		f.value = tidy(f.value, "/;=")
		return checkType(f.value)
	case "Date":
		// Only GMT is allowed (RFC 3261 20.17).
		if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", string(f.value)); err != nil {
			return bad("Malformed Date")
		}
	}
	return nil
}

func checkAddresses(f *field) error {
	for _, one := range list(f.value) {
		if err := checkAddress(one, f.name); err != nil {
			return err
		}
	}
	return nil
}

func checkType(v []byte) error {
	kind, params, _ := bytes.Cut(v, []byte(";"))
	major, minor, ok := bytes.Cut(kind, []byte("/"))
	if !ok || !isToken(major) || !isToken(minor) {
		return bad("Malformed Content-Type")
	}
	if len(params) == 0 {
		return nil
	}
	return checkParams(v[len(kind):], "Content-Type")
}

// checkVias reads protocol "/" version "/" transport SP sent-by *(";" param), in a list.
func checkVias(v []byte) error {
	for _, hop := range list(v) {
		protocol, sent, ok := bytes.Cut(hop, []byte(" "))
		words := bytes.Split(protocol, []byte("/"))
		if !ok || len(words) != 3 || !isToken(words[0]) || !isToken(words[1]) || !isToken(words[2]) {
			return bad("Via: malformed protocol")
		}
		params := []byte(nil)
		if i := bytes.IndexByte(sent, ';'); i >= 0 {
			sent, params = sent[:i], sent[i:]
		}
		if !isHostPort(sent) {
			return bad("Via: malformed sent-by")
		}
		if err := checkParams(params, "Via"); err != nil {
			return err
		}
	}
	return nil
}

func (m *message) checkCSeq() error {
	v, _ := m.one("CSeq")
	number, method, ok := bytes.Cut(tidy(v, ""), []byte(" "))
	if _, fits := digits(number, maxCSeq); !ok || !fits {
		return bad("CSeq is not a number below 2**31 and a method")
	}
	if !isToken(method) {
		return bad("CSeq: malformed method")
	}
	if m.request && string(method) != m.method {
		return bad("CSeq method does not match the request line")
	}
	for i := range m.fields {
		if m.fields[i].name == "CSeq" {
			m.fields[i].value = append(append(bytes.Clone(number), ' '), method...)
		}
	}
	return nil
}

// cutBody takes the body by Content-Length; without one it reaches to the end
// of the datagram (RFC 3261 18.3).
func (m *message) cutBody() error {
	v, n := m.one("Content-Length")
	if n == 0 {
		return nil
	}
	size, ok := digits(v, MaxMessage)
	if !ok {
		return bad("Content-Length is not a number from 0 to %d", MaxMessage)
	}
	if int(size) > len(m.body) {
		return bad("Content-Length %d but %d bytes of body", size, len(m.body))
	}
	m.body = m.body[:size]
	return nil
}
