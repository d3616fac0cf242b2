package guard

import (
	"bytes"
	"net/netip"
	"strconv"
)

// Reply writes the stateless answer to a request that was refused, with the
// headers it came with, as far as they could be read, and where it belongs
// (RFC 3261 8.2.6, 18.2). It returns nil where no answer is due.
func Reply(raw []byte, r *Refusal, source netip.AddrPort) (answer []byte, to netip.AddrPort) {
	m, _ := scan(raw)
	vias := m.all("Via")
	if r.Code == 0 || !m.request || m.method == "ACK" || len(vias) == 0 {
		return nil, source
	}
	var out bytes.Buffer
	out.WriteString("SIP/2.0 ")
	out.WriteString(strconv.Itoa(r.Code))
	out.WriteByte(' ')
	out.WriteString(r.Reason)
	out.WriteString("\r\n")
	to = source
	for i, v := range vias {
		if i == 0 {
			v, to = stampVia(v, source)
		}
		writeField(&out, "Via", v)
	}
	for _, name := range []string{"From", "To", "Call-ID", "CSeq"} {
		v, n := m.one(name)
		if n == 0 {
			continue
		}
		if name == "To" && !bytes.Contains(bytes.ToLower(tidy(v, ";=")), []byte(";tag=")) {
			v = append(bytes.Clone(v), ";tag=refused"...)
		}
		writeField(&out, name, v)
	}
	if r.RetryAfter > 0 {
		writeField(&out, "Retry-After", strconv.AppendInt(nil, int64(r.RetryAfter.Seconds()), 10))
	}
	out.WriteString("Content-Length: 0\r\n\r\n")
	return out.Bytes(), to
}

// stampVia adds received and rport to the topmost Via, and finds where the
// answer goes: the source address with the port of sent-by, or the source port
// when rport asked for it (RFC 3581 4) or the Via cannot be read.
func stampVia(v []byte, source netip.AddrPort) ([]byte, netip.AddrPort) {
	v = tidy(v, "/;=,:")
	if checkVias(v) != nil {
		return v, source
	}
	hops := list(v)
	top := lowerParams(hops[0], 0)
	_, sent, _ := bytes.Cut(top, []byte(" "))
	sent, _, _ = bytes.Cut(sent, []byte(";"))
	port := uint16(5060)
	if i := bytes.LastIndexByte(sent, ':'); i >= 0 && sent[len(sent)-1] != ']' {
		n, _ := digits(sent[i+1:], 65535)
		port, sent = uint16(n), sent[:i]
	}
	stamped, asked := bytes.Clone(top), false
	if i := bytes.Index(stamped, []byte(";rport")); i >= 0 && !bytes.HasPrefix(stamped[i+6:], []byte("=")) {
		port, asked = source.Port(), true
		value := append([]byte(";rport="), strconv.Itoa(int(port))...)
		stamped = append(append(bytes.Clone(stamped[:i]), value...), stamped[i+6:]...)
	}
	if asked || string(bytes.Trim(sent, "[]")) != source.Addr().Unmap().String() {
		stamped = append(append(stamped, ";received="...), source.Addr().Unmap().String()...)
	}
	for _, hop := range hops[1:] {
		stamped = append(append(stamped, ", "...), hop...)
	}
	if port == 0 {
		port = 5060
	}
	return stamped, netip.AddrPortFrom(source.Addr(), port)
}
