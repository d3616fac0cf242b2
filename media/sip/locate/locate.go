// Package locate finds where a SIP URI leads: transports, addresses and ports,
// in the order to try them (RFC 3263, with RFC 2782 and RFC 7118 5.1). It asks a
// Resolver and decides; it connects to nobody, caches nothing and knows nothing
// of messages.
package locate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"flametree/engine/fault"
)

// Resolver answers the questions of RFC 3263. An empty answer without an error
// means that there is no such record. Implementations may be asked from any
// goroutine.
type Resolver interface {
	NAPTR(ctx context.Context, domain string) ([]NAPTR, error)
	SRV(ctx context.Context, name string) ([]SRV, error)
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
}

// NAPTR is one record of RFC 3403, as far as SIP reads it.
type NAPTR struct {
	Order, Preference uint16
	Flags, Service    string // "s" and SIP+D2U, SIP+D2T, SIPS+D2T, SIP+D2W, SIPS+D2W
	Replacement       string
}

// SRV is one record of RFC 2782.
type SRV struct {
	Priority, Weight, Port uint16
	Target                 string
}

// Query is a URI as far as it says where to go.
type Query struct {
	Host      string // name or address, IPv6 without brackets
	Port      uint16 // 0 when not said
	Transport string // UDP TCP TLS WS WSS, "" when not said
	Secure    bool   // of sips: nothing but TLS (RFC 3261 26.2.2)
	// Can lists the transports we can send over, the preferred first.
	Can []string
	// Roll gives a number from 0 to n-1, to share load by the weights of SRV.
	Roll func(n int) int
}

// Target is one place to try.
type Target struct {
	Network string // UDP TCP TLS WS WSS
	Addr    netip.AddrPort
	Host    string // the domain of the URI: the name a certificate must have (RFC 5922 7.2)
}

// most bounds what one name leads to, whatever its records say.
const most = 16

// Find gives the places to try, the best first, at least one beside a nil error.
func Find(ctx context.Context, r Resolver, q Query) ([]Target, error) {
	q.Host = strings.TrimSuffix(q.Host, ".")
	if q.Host == "" {
		return nil, fmt.Errorf("locate: no host: %w", fault.Invalid)
	}
	if err := q.settleTransport(); err != nil {
		return nil, err
	}
	if addr, err := netip.ParseAddr(q.Host); err == nil {
		network := q.orDefault()
		return []Target{{network, netip.AddrPortFrom(addr.Unmap(), orPort(q.Port, network)), q.Host}}, nil
	}
	var out []Target
	var err error
	if q.Port != 0 {
		out, err = q.addrs(ctx, r, q.orDefault(), q.Host, q.Port)
	} else {
		out, err = q.records(ctx, r)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("locate %q: %w: %w", q.Host, errors.Join(errors.New("no address"), err), fault.Unavailable)
	}
	return out[:min(len(out), most)], nil
}

// settleTransport applies sips to the transport and refuses what we cannot do.
func (q *Query) settleTransport() error {
	if q.Secure {
		switch q.Transport {
		case "TCP":
			q.Transport = "TLS"
		case "WS":
			q.Transport = "WSS"
		case "UDP":
			return fmt.Errorf("locate %q: sips over UDP: %w", q.Host, fault.Invalid)
		}
	}
	if q.Transport != "" && !slices.Contains(q.Can, q.Transport) {
		return fmt.Errorf("locate %q: transport %.20q is off here: %w", q.Host, q.Transport, fault.Unavailable)
	}
	return nil
}

// orDefault is the transport where no record chooses one (RFC 3263 4.1).
func (q *Query) orDefault() string {
	switch {
	case q.Transport != "":
		return q.Transport
	case q.Secure:
		return "TLS"
	case slices.Contains(q.Can, "UDP") || len(q.Can) == 0:
		return "UDP"
	}
	return q.Can[0]
}

func orPort(port uint16, network string) uint16 {
	if port != 0 {
		return port
	}
	switch network {
	case "TLS":
		return 5061
	case "WS":
		return 80
	case "WSS":
		return 443
	}
	return 5060
}

// service is one way into a domain.
type service struct{ network, name string }

// records follows NAPTR and SRV, and falls back to the addresses of the name.
func (q *Query) records(ctx context.Context, r Resolver) ([]Target, error) {
	var out []Target
	var errs []error
	for _, s := range q.services(ctx, r) {
		found, err := r.SRV(ctx, s.name)
		if err != nil {
			errs = append(errs, err)
		}
		for _, srv := range q.inOrder(found) {
			host := strings.TrimSuffix(srv.Target, ".")
			if host == "" { // "." is a service decidedly not there (RFC 2782)
				continue
			}
			more, err := q.addrs(ctx, r, s.network, host, srv.Port)
			errs = append(errs, err)
			out = append(out, more...)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	network := q.orDefault()
	out, err := q.addrs(ctx, r, network, q.Host, orPort(0, network))
	return out, errors.Join(append(errs, err)...)
}

// services are the SRV names to ask for, those of NAPTR in its order, else one
// for each transport we have.
func (q *Query) services(ctx context.Context, r Resolver) []service {
	if q.Transport != "" {
		return []service{{q.Transport, srvName(q.Transport, q.Host)}}
	}
	found, _ := r.NAPTR(ctx, q.Host) // without an answer SRV is asked as if there were none
	slices.SortStableFunc(found, func(a, b NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	var out []service
	for _, n := range found {
		network := networkOf(n.Service)
		if strings.EqualFold(n.Flags, "s") && q.usable(network) && n.Replacement != "" && len(out) < most {
			out = append(out, service{network, strings.TrimSuffix(n.Replacement, ".")})
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, network := range q.Can {
		if q.usable(network) && network != "WS" && network != "WSS" {
			out = append(out, service{network, srvName(network, q.Host)})
		}
	}
	return out
}

func (q *Query) usable(network string) bool {
	return slices.Contains(q.Can, network) && (!q.Secure || network == "TLS" || network == "WSS")
}

func networkOf(naptr string) string {
	switch strings.ToUpper(naptr) {
	case "SIP+D2U":
		return "UDP"
	case "SIP+D2T":
		return "TCP"
	case "SIPS+D2T":
		return "TLS"
	case "SIP+D2W":
		return "WS"
	case "SIPS+D2W":
		return "WSS"
	}
	return ""
}

func srvName(network, host string) string {
	switch network {
	case "UDP":
		return "_sip._udp." + host
	case "TLS":
		return "_sips._tcp." + host
	case "WS":
		return "_sip._ws." + host
	case "WSS":
		return "_sips._ws." + host
	}
	return "_sip._tcp." + host
}

// inOrder sorts by priority and draws by weight within one (RFC 2782).
func (q *Query) inOrder(records []SRV) []SRV {
	rest := slices.Clone(records)
	slices.SortStableFunc(rest, func(a, b SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Weight, b.Weight))
	})
	var out []SRV
	for len(rest) > 0 && len(out) < most {
		end, sum := 0, 0
		for end < len(rest) && rest[end].Priority == rest[0].Priority {
			sum += int(rest[end].Weight)
			end++
		}
		drawn := 0
		if q.Roll != nil && sum > 0 {
			drawn = q.Roll(sum + 1)
		}
		at := 0
		for run := int(rest[0].Weight); at < end-1 && run < drawn; run += int(rest[at].Weight) {
			at++
		}
		out = append(out, rest[at])
		rest = slices.Delete(rest, at, at+1)
	}
	return out
}

func (q *Query) addrs(ctx context.Context, r Resolver, network, host string, port uint16) ([]Target, error) {
	addrs := []netip.Addr{}
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, addr)
	} else if addrs, err = r.Addrs(ctx, host); err != nil {
		return nil, err
	}
	var out []Target
	for _, a := range addrs[:min(len(addrs), most)] {
		out = append(out, Target{network, netip.AddrPortFrom(a.Unmap(), port), q.Host})
	}
	return out, nil
}
