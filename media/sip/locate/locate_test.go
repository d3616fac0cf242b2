package locate_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"flametree/engine/fault"
	"flametree/media/sip/locate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is a Resolver of fixed records.
type zone struct {
	naptr map[string][]locate.NAPTR
	srv   map[string][]locate.SRV
	addrs map[string][]string
	err   error
}

func (z zone) NAPTR(_ context.Context, domain string) ([]locate.NAPTR, error) {
	return z.naptr[domain], z.err
}

func (z zone) SRV(_ context.Context, name string) ([]locate.SRV, error) { return z.srv[name], z.err }

func (z zone) Addrs(_ context.Context, host string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, a := range z.addrs[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, z.err
}

func all() []string { return []string{"UDP", "TCP", "TLS", "WS", "WSS"} }

// The rules of RFC 3263 4, one by one.
func TestFind(t *testing.T) {
	z := zone{
		naptr: map[string][]locate.NAPTR{
			"naptr.test": {
				{Order: 50, Preference: 50, Flags: "s", Service: "SIP+D2T", Replacement: "_sip._tcp.naptr.test"},
				{Order: 90, Preference: 50, Flags: "s", Service: "SIP+D2U", Replacement: "_sip._udp.naptr.test"},
				{Order: 50, Preference: 10, Flags: "S", Service: "SIPS+D2T", Replacement: "_sips._tcp.naptr.test."},
				{Order: 1, Flags: "u", Service: "E2U+sip", Replacement: "x"},
			},
		},
		srv: map[string][]locate.SRV{
			"_sips._tcp.naptr.test": {{Port: 5061, Target: "a.test."}},
			"_sip._tcp.naptr.test":  {{Port: 5060, Target: "a.test"}},
			"_sip._udp.naptr.test":  {{Priority: 2, Port: 5070, Target: "b.test"}, {Priority: 1, Port: 5080, Target: "a.test"}},
			"_sip._udp.srv.test":    {{Port: 7000, Target: "two.test"}},
			"_sip._tcp.srv.test":    {{Port: 7001, Target: "2001:db8::7"}},
			"_sip._udp.never.test":  {{Target: "."}},
		},
		addrs: map[string][]string{
			"a.test": {"192.0.2.1"}, "b.test": {"192.0.2.2"}, "two.test": {"192.0.2.3", "2001:db8::3"},
			"plain.test": {"192.0.2.9"}, "never.test": {"192.0.2.8"}, "naptr.test": {"192.0.2.7"},
		},
	}
	for name, test := range map[string]struct {
		query locate.Query
		want  string
	}{
		"an address":                         {locate.Query{Host: "192.0.2.5"}, "[UDP 192.0.2.5:5060]"},
		"an address of IPv6, TLS":            {locate.Query{Host: "2001:db8::5", Transport: "TLS"}, "[TLS [2001:db8::5]:5061]"},
		"a mapped address":                   {locate.Query{Host: "::ffff:192.0.2.5", Port: 9}, "[UDP 192.0.2.5:9]"},
		"secure address":                     {locate.Query{Host: "192.0.2.5", Secure: true}, "[TLS 192.0.2.5:5061]"},
		"secure over tcp is TLS":             {locate.Query{Host: "192.0.2.5", Secure: true, Transport: "TCP"}, "[TLS 192.0.2.5:5061]"},
		"a port asks for no records":         {locate.Query{Host: "naptr.test", Port: 5099}, "[UDP 192.0.2.7:5099]"},
		"NAPTR orders the transports":        {locate.Query{Host: "naptr.test"}, "[TLS 192.0.2.1:5061 TCP 192.0.2.1:5060 UDP 192.0.2.1:5080 UDP 192.0.2.2:5070]"},
		"NAPTR of what we cannot":            {locate.Query{Host: "naptr.test", Can: []string{"UDP"}}, "[UDP 192.0.2.1:5080 UDP 192.0.2.2:5070]"},
		"secure NAPTR":                       {locate.Query{Host: "naptr.test", Secure: true}, "[TLS 192.0.2.1:5061]"},
		"SRV without NAPTR":                  {locate.Query{Host: "srv.test"}, "[UDP 192.0.2.3:7000 UDP [2001:db8::3]:7000 TCP [2001:db8::7]:7001]"},
		"a transport asks for its SRV":       {locate.Query{Host: "srv.test", Transport: "TCP"}, "[TCP [2001:db8::7]:7001]"},
		"neither":                            {locate.Query{Host: "plain.test."}, "[UDP 192.0.2.9:5060]"},
		"neither, over web socket":           {locate.Query{Host: "plain.test", Transport: "WSS"}, "[WSS 192.0.2.9:443]"},
		"a service that is decidedly absent": {locate.Query{Host: "never.test"}, "[UDP 192.0.2.8:5060]"},
	} {
		q := test.query
		if q.Can == nil {
			q.Can = all()
		}
		got, err := locate.Find(t.Context(), z, q)
		require.NoError(t, err, name)
		var text []string
		for _, g := range got {
			text = append(text, g.Network+" "+g.Addr.String())
		}
		require.Equal(t, test.want, fmt.Sprint(text), name)
	}
}

// What leads nowhere says so.
func TestNowhere(t *testing.T) {
	for name, test := range map[string]struct {
		query locate.Query
		zone  zone
		kind  error
	}{
		"no host":               {locate.Query{Can: all()}, zone{}, fault.Invalid},
		"unknown name":          {locate.Query{Host: "x.test", Can: all()}, zone{}, fault.Unavailable},
		"no name server":        {locate.Query{Host: "x.test", Can: all()}, zone{err: errors.New("refused")}, fault.Unavailable},
		"sips over UDP":         {locate.Query{Host: "x.test", Secure: true, Transport: "UDP", Can: all()}, zone{}, fault.Invalid},
		"a transport we do not": {locate.Query{Host: "192.0.2.1", Transport: "SCTP", Can: all()}, zone{}, fault.Unavailable},
	} {
		_, err := locate.Find(t.Context(), test.zone, test.query)
		require.ErrorIs(t, err, test.kind, name)
	}
}

// Load is shared by weight within a priority (RFC 2782).
func TestWeights(t *testing.T) {
	z := zone{srv: map[string][]locate.SRV{"_sip._udp.x.test": {
		{Priority: 1, Weight: 1, Port: 1, Target: "192.0.2.1"}, {Priority: 1, Weight: 3, Port: 2, Target: "192.0.2.1"}, {Priority: 2, Port: 3, Target: "192.0.2.1"},
	}}}
	first := map[uint16]int{}
	for i := range 1000 {
		roll := i
		got, err := locate.Find(t.Context(), z, locate.Query{Host: "x.test", Can: all(), Roll: func(n int) int { roll = roll*7 + 3; return roll % n }})
		require.NoError(t, err)
		require.Len(t, got, 3)
		first[got[0].Addr.Port()]++
		require.Equal(t, uint16(3), got[2].Addr.Port(), "a lower priority comes last")
	}
	require.Greater(t, first[2], first[1])
	require.Positive(t, first[1])
	require.Zero(t, first[3])
}

// nameServer answers on loopback: over UDP cut off, so that TCP is asked.
func nameServer(t *testing.T, cut bool) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u, err := net.ListenPacket("udp", l.Addr().String())
	require.NoError(t, err)
	var done sync.WaitGroup
	t.Cleanup(func() { _, _ = l.Close(), u.Close(); done.Wait() })
	done.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(answerDNS(buf[:n], cut), from)
		}
	})
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var size [2]byte
			_, _ = io.ReadFull(conn, size[:])
			question := make([]byte, binary.BigEndian.Uint16(size[:]))
			_, _ = io.ReadFull(conn, question)
			answer := answerDNS(question, false)
			_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			_ = conn.Close()
		}
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

func naptrRecord() []byte {
	b := []byte{0, 50, 0, 10, 1, 's', 8}
	b = append(append(b, "SIPS+D2T"...), 0)
	for _, label := range []string{"_sips", "_tcp", "bank", "test"} {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}

func answerDNS(question []byte, cut bool) []byte {
	var q dnsmessage.Message
	if q.Unpack(question) != nil || len(q.Questions) == 0 {
		return nil
	}
	q.Response, q.Truncated, q.Additionals = true, cut, nil
	head := dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60}
	if cut {
		packed, _ := q.Pack()
		return packed
	}
	switch q.Questions[0].Name.String() + q.Questions[0].Type.String() {
	case "bank.test.35":
		head.Type = 35
		q.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.UnknownResource{Type: 35, Data: naptrRecord()}}}
	case "_sips._tcp.bank.test.TypeSRV":
		head.Type = dnsmessage.TypeSRV
		q.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.SRVResource{Port: 5099, Target: dnsmessage.MustNewName("sip.bank.test.")}}}
	case "sip.bank.test.TypeA":
		head.Type = dnsmessage.TypeA
		q.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 7}}}}
	case "sip.bank.test.TypeAAAA":
	default:
		q.RCode = dnsmessage.RCodeNameError
	}
	packed, err := q.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

// A real name server over real sockets, also when its answers are too long for a
// datagram.
func TestNameServer(t *testing.T) {
	for _, cut := range []bool{false, true} {
		d := locate.DNS{Server: nameServer(t, cut)}
		got, err := locate.Find(t.Context(), d, locate.Query{Host: "bank.test", Can: all()})
		require.NoError(t, err)
		require.Equal(t, []locate.Target{{Network: "TLS", Addr: netip.MustParseAddrPort("127.0.0.7:5099"), Host: "bank.test"}}, got)
		none, err := d.NAPTR(t.Context(), "nobody.test")
		require.NoError(t, err)
		require.Empty(t, none)
	}
}

// Answers of a name server are read or refused, never more.
func FuzzNAPTR(f *testing.F) {
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("bank.test."), Type: 35, Class: dnsmessage.ClassINET}},
	}
	packed, err := q.Pack()
	require.NoError(f, err)
	f.Add(answerDNS(packed, false))
	f.Add(answerDNS(packed, true))
	f.Add([]byte{0, 7, 0x80})
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, cut, err := locate.ParseNAPTR(raw, 7)
		if (err != nil || cut) && len(out) > 0 || len(out) > 64 {
			t.Fatalf("%d records beside %v", len(out), err)
		}
	})
}
