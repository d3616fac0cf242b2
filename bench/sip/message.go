package sip

import (
	"bytes"
	"strconv"
	"strings"
)

// message is what a caller has to know of a SIP message.
type message struct {
	code    int    // of a response, 0 for a request
	method  string // of the request, or the one a response answers (CSeq)
	callID  string
	to      string   // the whole value of To, with its tag
	contact string   // the URI in Contact
	routes  []string // Record-Route, as they stand
	echo    []string // lines that a response to a request repeats (RFC 3261 8.2.6.2)
}

// read takes a datagram apart; false when it is no SIP message that names a call.
func read(raw []byte) (message, bool) {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	first, rest, _ := strings.Cut(string(head), "\r\n")
	var m message
	if status, ok := strings.CutPrefix(first, "SIP/2.0 "); ok {
		digits, _, _ := strings.Cut(status, " ")
		code, err := strconv.Atoi(digits)
		if err != nil || code < 100 || code > 699 {
			return m, false
		}
		m.code = code
	} else {
		method, _, ok := strings.Cut(first, " ")
		if !ok || !strings.HasSuffix(first, " SIP/2.0") {
			return m, false
		}
		m.method = method
	}
	for line := range strings.SplitSeq(rest, "\r\n") {
		m.header(line)
	}
	return m, m.callID != "" && m.method != ""
}

// header takes one line in. Compact names are known too (RFC 3261 7.3.3).
func (m *message) header(line string) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return
	}
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "call-id", "i":
		m.callID = value
		m.echo = append(m.echo, line)
	case "cseq":
		if _, method, ok := strings.Cut(value, " "); ok {
			m.method = strings.TrimSpace(method)
		}
		m.echo = append(m.echo, line)
	case "to", "t":
		m.to = value
		m.echo = append(m.echo, line)
	case "via", "v", "from", "f":
		m.echo = append(m.echo, line)
	case "contact", "m":
		m.contact = inside(value)
	case "record-route":
		for one := range strings.SplitSeq(value, ",") {
			m.routes = append(m.routes, strings.TrimSpace(one))
		}
	}
}

// inside is the URI between < and >, or the value itself without them.
func inside(value string) string {
	_, rest, ok := strings.Cut(value, "<")
	if !ok {
		uri, _, _ := strings.Cut(value, ";")
		return uri
	}
	uri, _, _ := strings.Cut(rest, ">")
	return uri
}
