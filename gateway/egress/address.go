package egress

import (
	"net/netip"
	"strings"
)

// block is a range that is not the public internet, and how a refusal calls it.
type block struct {
	in  netip.Prefix
	why string
}

// blocks4 lists IPv4 (IANA special-purpose registry, RFC 6890 and later), and
// the one public address behind which a cloud keeps its metadata.
func blocks4() []block {
	return []block{
		{p("0.0.0.0/8"), "it leads to the unspecified address"},
		{p("127.0.0.0/8"), "it leads to a loopback address"},
		{p("10.0.0.0/8"), private},
		{p("172.16.0.0/12"), private},
		{p("192.168.0.0/16"), private},
		{p("100.64.0.0/10"), "it leads to a shared carrier address"}, // RFC 6598
		{p("169.254.0.0/16"), "it leads to a link-local address"},
		{p("168.63.129.16/32"), "it leads to a metadata address"},
		{p("224.0.0.0/4"), "it leads to a multicast address"},
		{p("192.0.0.0/24"), reserved},
		{p("192.0.2.0/24"), reserved},
		{p("192.88.99.0/24"), reserved},
		{p("198.18.0.0/15"), reserved},
		{p("198.51.100.0/24"), reserved},
		{p("203.0.113.0/24"), reserved},
		{p("240.0.0.0/4"), reserved},
	}
}

// blocks6 lists IPv6. Global unicast is 2000::/3 alone (RFC 4291, section 2.4);
// the rest is refused whether named here or not.
func blocks6() []block {
	return []block{
		{p("::/128"), "it leads to the unspecified address"},
		{p("::1/128"), "it leads to a loopback address"},
		{p("fc00::/7"), private},
		{p("fe80::/10"), "it leads to a link-local address"},
		{p("fec0::/10"), private},
		{p("ff00::/8"), "it leads to a multicast address"},
		{p("2001::/23"), reserved}, // Teredo, ORCHID, benchmarks
		{p("2001:db8::/32"), reserved},
		{p("3fff::/20"), reserved},
	}
}

const (
	private  = "it leads to a private address"
	reserved = "it leads to a reserved address"
)

func p(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// forbidden says why ip may not be dialled, "" if it may. An IPv4 address that
// is wrapped in an IPv6 one is judged as what it is.
func forbidden(ip netip.Addr) string {
	switch {
	case !ip.IsValid():
		return "it leads nowhere"
	case ip.Zone() != "":
		return "it leads to a link-local address"
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return inside(ip, blocks4())
	}
	if v4, ok := wrapped(ip); ok {
		return forbidden(v4)
	}
	if why := inside(ip, blocks6()); why != "" {
		return why
	}
	if !p("2000::/3").Contains(ip) {
		return reserved
	}
	return ""
}

func inside(ip netip.Addr, blocks []block) string {
	for _, b := range blocks {
		if b.in.Contains(ip) {
			return b.why
		}
	}
	return ""
}

// wrapped takes the IPv4 address out of NAT64 (RFC 6052, well-known prefix),
// 6to4 (RFC 3056) and ISATAP (RFC 5214) addresses. The local-use NAT64 prefix
// 64:ff9b:1::/48 is outside 2000::/3 and refused there.
func wrapped(ip netip.Addr) (netip.Addr, bool) {
	b := ip.As16()
	switch {
	case p("64:ff9b::/96").Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case p("2002::/16").Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}

// odd reports whether a host that is no address is read as one by somebody:
// 2130706433, 0x7f.1, 017700000001, 127.1. A name whose last label is a number
// is an address or an error (URL Standard, "ends in a number").
func odd(host string) bool {
	if strings.ContainsAny(host, "%/\\@?# \t\r\n\x00") {
		return true
	}
	for _, r := range host {
		if r < 0x20 || r == 0x7f || r >= 0x80 {
			return true // names beyond ASCII are punycode by the time they are dialled
		}
	}
	last := strings.TrimSuffix(host, ".")
	last = strings.ToLower(last[strings.LastIndexByte(last, '.')+1:])
	if last == "" {
		return true
	}
	if hex, ok := strings.CutPrefix(last, "0x"); ok && strings.Trim(hex, "0123456789abcdef") == "" {
		return true
	}
	return strings.Trim(last, "0123456789") == ""
}
