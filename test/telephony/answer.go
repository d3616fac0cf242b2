package telephony

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// signals reads responses, and answers requests of the other side.
func (p *Phone) signals() {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.sip.ReadFromUDP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // nobody listens there any more
		}
		head, body, _ := strings.Cut(string(buf[:n]), "\r\n\r\n")
		p.mu.Lock()
		if strings.HasPrefix(head, "SIP/2.0 ") {
			p.response(head, body)
		} else {
			p.request(head, body, from)
		}
		p.changed()
		p.mu.Unlock()
	}
}

// response takes one in; the lock is held.
func (p *Phone) response(head, body string) {
	if Header(head, "Call-ID") != p.dialog.id {
		return
	}
	cseq, code := Header(head, "CSeq"), head[8:11]
	if code < "200" {
		p.got = append(p.got, head)
		return
	}
	p.status[cseq] = code
	if strings.HasSuffix(cseq, "INVITE") && code == "200" {
		p.dialog.theirs = Header(head, "To")
		if at := bare(Header(head, "Contact")); at != "" {
			p.dialog.peer = at
		}
		if body != "" {
			p.sdp = body
		}
	} else if strings.HasSuffix(cseq, "INVITE") && !strings.Contains(p.dialog.theirs, ";tag=") {
		p.dialog.theirs = Header(head, "To")
	}
}

// request answers one; the lock is held.
func (p *Phone) request(head, body string, from *net.UDPAddr) {
	method, _, _ := strings.Cut(head, " ")
	p.got = append(p.got, head)
	switch method {
	case "ACK":
		if at := mediaOf(p.sdp); at != nil {
			p.target = at
		}
	case "INVITE":
		p.invited(head, body, from)
	case "BYE":
		p.ended, p.target = true, nil
		p.respond(head, "200 OK", "", from)
	case "CANCEL":
		p.ended = true
		p.respond(head, "200 OK", "", from)
	case "REFER":
		p.referred(head, from)
	case "NOTIFY":
		line, _, _ := strings.Cut(body, "\r\n")
		p.told = append(p.told, line)
		p.respond(head, "200 OK", "", from)
	default:
		p.respond(head, "200 OK", "", from)
	}
}

// invited takes a call, or a new description within one; the lock is held.
func (p *Phone) invited(head, body string, from *net.UDPAddr) {
	if body != "" {
		p.sdp = body
	}
	if Header(head, "Call-ID") == p.dialog.id { // within the call, or again
		if p.refuse == 0 && !p.ringer {
			p.respond(head, "200 OK", p.Offer("sendrecv"), from)
		}
		return
	}
	p.ended = false
	p.dialog = dialog{
		id: Header(head, "Call-ID"), ours: Header(head, "To") + ";tag=p1", theirs: Header(head, "From"), peer: bare(Header(head, "Contact")),
		to: from, cseq: 1000, callee: true,
	}
	switch {
	case p.ringer:
		p.respond(head, "180 Ringing", "", from)
	case p.refuse != 0:
		p.respond(head, fmt.Sprintf("%d Refused", p.refuse), "", from)
	default:
		p.respond(head, "180 Ringing", "", from)
		p.respond(head, "200 OK", p.Offer("sendrecv"), from)
	}
}

// referred reports what comes of a REFER; the lock is held.
func (p *Phone) referred(head string, from *net.UDPAddr) {
	if p.refer == nil {
		p.respond(head, "405 Method Not Allowed", "", from)
		return
	}
	p.respond(head, "202 Accepted", "", from)
	for _, code := range p.refer(head) {
		p.dialog.cseq++
		state := "active;expires=60"
		if code >= 200 {
			state = "terminated;reason=noresource"
		}
		frag := fmt.Sprintf("SIP/2.0 %d Told\r\n", code)
		_, _ = p.sip.WriteToUDP(fmt.Appendf(nil, "NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"+
			"CSeq: %d NOTIFY\r\nContact: <sip:%s@%s>\r\nMax-Forwards: 70\r\nEvent: refer\r\nSubscription-State: %s\r\nContent-Type: message/sipfrag\r\n"+
			"Content-Length: %d\r\n\r\n%s", p.dialog.peer, p.Addr(), p.dialog.cseq, p.dialog.id, p.dialog.ours, p.dialog.theirs, p.dialog.id,
			p.dialog.cseq, p.name, p.Addr(), state, len(frag), frag), from)
	}
}

// respond answers a request; the lock is held.
func (p *Phone) respond(head, status, body string, to *net.UDPAddr) {
	out := "SIP/2.0 " + status + "\r\n"
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "via", "from", "call-id", "cseq", "record-route":
			out += line + "\r\n"
		case "to":
			if !strings.Contains(line, ";tag=") {
				line += ";tag=p1"
			}
			out += line + "\r\n"
		}
	}
	out += fmt.Sprintf("Contact: <sip:%s@%s>\r\n", p.name, p.Addr())
	if body != "" {
		out += "Content-Type: application/sdp\r\n"
	}
	_, _ = p.sip.WriteToUDP([]byte(out+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)), to)
}

// Header is a header's value in the head of a message, "" without one.
func Header(head, name string) string {
	for line := range strings.SplitSeq(head, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(k), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// bare is the URI between angle brackets.
func bare(v string) string {
	_, rest, ok := strings.Cut(v, "<")
	if !ok {
		return v
	}
	rest, _, _ = strings.Cut(rest, ">")
	return rest
}

// mediaOf is where a description wants packets, nil when it does not say.
func mediaOf(sdp string) *net.UDPAddr {
	var a net.UDPAddr
	for line := range strings.SplitSeq(sdp, "\r\n") {
		switch f := strings.Fields(line); {
		case len(f) == 3 && strings.HasPrefix(line, "c="):
			a.IP = net.ParseIP(f[2])
		case len(f) > 2 && f[0] == "m=audio":
			a.Port, _ = strconv.Atoi(f[1])
		}
	}
	if a.IP == nil || a.Port == 0 {
		return nil
	}
	return &a
}
