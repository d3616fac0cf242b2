package locate

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"flametree/engine/fault"
)

// DNS is the Resolver of a running server. The zero DNS asks as the system is
// configured.
type DNS struct {
	// Server is asked instead of what the system says, when it is valid.
	Server netip.AddrPort
}

// wait bounds one question over the network.
const wait = 2 * time.Second

// typeNAPTR is the type of RFC 3403, which the message package does not name.
const typeNAPTR = dnsmessage.Type(35)

func (d DNS) resolver() *net.Resolver {
	if !d.Server.IsValid() {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, d.Server.String())
	}}
}

// SRV implements Resolver.
func (d DNS) SRV(ctx context.Context, name string) ([]SRV, error) {
	_, found, err := d.resolver().LookupSRV(ctx, "", "", name)
	if missing(err) {
		return nil, nil
	}
	if err != nil && len(found) == 0 {
		return nil, err
	}
	var out []SRV
	for _, s := range found {
		out = append(out, SRV{Priority: s.Priority, Weight: s.Weight, Port: s.Port, Target: s.Target})
	}
	return out, nil
}

// Addrs implements Resolver.
func (d DNS) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := d.resolver().LookupNetIP(ctx, "ip", host)
	if missing(err) {
		return nil, nil
	}
	return found, err
}

func missing(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// NAPTR implements Resolver: over UDP, and over TCP when the answer was cut off.
func (d DNS) NAPTR(ctx context.Context, domain string) ([]NAPTR, error) {
	server := d.Server
	if !server.IsValid() {
		if server = configured(); !server.IsValid() {
			return nil, fmt.Errorf("no name server is configured: %w", fault.Unavailable)
		}
	}
	name, err := dnsmessage.NewName(strings.TrimSuffix(domain, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("name %.80q: %w: %w", domain, err, fault.Invalid)
	}
	var id [2]byte
	_, _ = rand.Read(id[:]) // never fails since Go 1.24
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: typeNAPTR, Class: dnsmessage.ClassINET}},
	}
	packed, err := question.Pack()
	if err != nil {
		return nil, fmt.Errorf("name %.80q: %w: %w", domain, err, fault.Invalid)
	}
	for _, network := range []string{"udp", "tcp"} {
		answer, err := ask(ctx, network, server, packed)
		if err != nil {
			return nil, fmt.Errorf("ask for naptr: %w: %w", err, fault.Unavailable)
		}
		out, cut, err := ParseNAPTR(answer, question.ID)
		if err != nil || !cut {
			return out, err
		}
	}
	return nil, fmt.Errorf("naptr answer is cut off over tcp: %w", fault.Unavailable)
}

func ask(ctx context.Context, network string, server netip.AddrPort, question []byte) ([]byte, error) {
	dialer := net.Dialer{Timeout: wait}
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	late := time.Now().Add(wait)
	if d, ok := ctx.Deadline(); ok && d.Before(late) {
		late = d
	}
	_ = conn.SetDeadline(late)
	if network == "tcp" {
		return askStream(conn, question)
	}
	if _, err := conn.Write(question); err != nil {
		return nil, err
	}
	buf := make([]byte, 4<<10)
	n, err := conn.Read(buf)
	return buf[:n], err
}

// askStream puts the length before the message (RFC 1035 4.2.2).
func askStream(conn net.Conn, question []byte) ([]byte, error) {
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(question)))
	if _, err := conn.Write(append(framed, question...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(conn, answer)
	return answer, err
}

// ParseNAPTR reads the records of an answer to question id. cut is true when
// the answer says that it is not whole. A name that is not there is an empty
// answer.
func ParseNAPTR(answer []byte, id uint16) (out []NAPTR, cut bool, err error) {
	var p dnsmessage.Parser
	head, err := p.Start(answer)
	if err != nil || head.ID != id || !head.Response {
		return nil, false, fmt.Errorf("naptr: not the answer to our question: %w", errors.Join(err, fault.Unavailable))
	}
	switch {
	case head.Truncated:
		return nil, true, nil
	case head.RCode == dnsmessage.RCodeNameError:
		return nil, false, nil
	case head.RCode != dnsmessage.RCodeSuccess:
		return nil, false, fmt.Errorf("naptr: the name server says %v: %w", head.RCode, fault.Unavailable)
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, false, fmt.Errorf("naptr: %w: %w", err, fault.Invalid)
	}
	for len(out) < 64 {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return nil, false, fmt.Errorf("naptr: %w: %w", err, fault.Invalid)
		}
		if h.Type != typeNAPTR {
			if err := p.SkipAnswer(); err != nil {
				return nil, false, fmt.Errorf("naptr: %w: %w", err, fault.Invalid)
			}
			continue
		}
		body, err := p.UnknownResource()
		if err != nil {
			return nil, false, fmt.Errorf("naptr: %w: %w", err, fault.Invalid)
		}
		if n, ok := record(body.Data); ok {
			out = append(out, n)
		}
	}
	return out, false, nil
}

// record reads order, preference, flags, services, regexp and replacement
// (RFC 3403 4.1). The replacement is not compressed (RFC 3403 4.1).
func record(b []byte) (n NAPTR, ok bool) {
	if len(b) < 4 {
		return n, false
	}
	n.Order, n.Preference = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	b = b[4:]
	var texts [3]string
	for i := range texts {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return n, false
		}
		texts[i], b = string(b[1:1+b[0]]), b[1+b[0]:]
	}
	n.Flags, n.Service = texts[0], texts[1]
	var labels []string
	for len(b) > 0 && b[0] != 0 {
		size := int(b[0])
		if size > 63 || len(b) < 1+size {
			return n, false
		}
		labels, b = append(labels, string(b[1:1+size])), b[1+size:]
	}
	n.Replacement = strings.Join(labels, ".")
	return n, len(b) == 1
}

// configured is the first name server of the system, not valid without one.
func configured() netip.AddrPort {
	file, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return netip.AddrPort{}
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(f[1]); err == nil {
			return netip.AddrPortFrom(addr, 53)
		}
	}
	return netip.AddrPort{}
}
