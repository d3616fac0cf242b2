package digest

import (
	"fmt"
	"strconv"
	"strings"

	"flametree/engine/fault"
)

// param is one name=value of a header.
type param struct{ name, value string }

// ParseChallenges reads one WWW-Authenticate or Proxy-Authenticate value, which
// may hold several challenges (RFC 7616 3.7). Schemes other than Digest are
// passed over.
func ParseChallenges(value string) ([]Challenge, error) {
	groups, err := split(value)
	if err != nil {
		return nil, err
	}
	var out []Challenge
	for _, g := range groups {
		if !strings.EqualFold(g.scheme, "Digest") {
			continue
		}
		var c Challenge
		seen := make(map[string]bool)
		for _, p := range g.params {
			if seen[p.name] {
				return nil, fmt.Errorf("digest challenge: %s twice: %w", p.name, fault.Invalid)
			}
			seen[p.name] = true
			c.set(p.name, p.value)
		}
		if !seen["realm"] || c.Nonce == "" {
			return nil, fmt.Errorf("digest challenge without realm or nonce: %w", fault.Invalid)
		}
		out = append(out, c)
	}
	return out, nil
}

// set takes one parameter; one that is not known is left alone (RFC 7616 3.3).
func (ch *Challenge) set(name, value string) {
	switch name {
	case "realm":
		ch.Realm = value
	case "nonce":
		ch.Nonce = value
	case "opaque":
		ch.Opaque = value
	case "algorithm":
		ch.Algorithm = value
	case "stale":
		ch.Stale = strings.EqualFold(value, "true")
	case "qop":
		for q := range strings.SplitSeq(value, ",") {
			if q = strings.TrimSpace(q); q != "" {
				ch.QOP = append(ch.QOP, q)
			}
		}
	}
}

// ParseCredentials reads one Authorization or Proxy-Authorization value. Errors
// name no value of it.
func ParseCredentials(value string) (Credentials, error) {
	groups, err := split(value)
	if err != nil {
		return Credentials{}, err
	}
	if len(groups) != 1 || !strings.EqualFold(groups[0].scheme, "Digest") {
		return Credentials{}, fmt.Errorf("credentials are not digest: %w", fault.Invalid)
	}
	var c Credentials
	fields := map[string]*string{
		"realm": &c.Realm, "username": &c.User, "nonce": &c.Nonce, "uri": &c.URI, "response": &c.Response,
		"opaque": &c.Opaque, "algorithm": &c.Algorithm, "qop": &c.QOP, "cnonce": &c.CNonce,
	}
	seen := make(map[string]bool)
	for _, p := range groups[0].params {
		if seen[p.name] {
			return Credentials{}, fmt.Errorf("digest credentials: %s twice: %w", p.name, fault.Invalid)
		}
		seen[p.name] = true
		if to := fields[p.name]; to != nil {
			*to = p.value
		}
		if p.name == "nc" {
			n, err := strconv.ParseUint(p.value, 16, 32)
			if err != nil || len(p.value) != 8 {
				return Credentials{}, fmt.Errorf("digest credentials: nc is not 8 hexadecimal digits: %w", fault.Invalid)
			}
			c.NC = uint32(n)
		}
	}
	for _, name := range []string{"realm", "username", "nonce", "uri", "response"} {
		if !seen[name] {
			return Credentials{}, fmt.Errorf("digest credentials without %s: %w", name, fault.Invalid)
		}
	}
	if c.QOP != "" && (c.CNonce == "" || !seen["nc"]) {
		return Credentials{}, fmt.Errorf("digest credentials: qop without cnonce and nc: %w", fault.Invalid)
	}
	return c, nil
}

// group is one scheme with its parameters.
type group struct {
	scheme string
	params []param
}

// split cuts a header value into schemes and their parameters. A word that is
// followed by another word, not by "=", begins a scheme.
func split(s string) ([]group, error) {
	if len(s) > maxHeader {
		return nil, fmt.Errorf("authentication header of %d bytes, most %d: %w", len(s), maxHeader, fault.Invalid)
	}
	var out []group
	for {
		s = strings.TrimLeft(s, " \t,")
		if s == "" {
			return out, nil
		}
		word := s[:wordLength(s)]
		if word == "" {
			return nil, fmt.Errorf("authentication header: unexpected %.1q: %w", s, fault.Invalid)
		}
		rest := strings.TrimLeft(s[len(word):], " \t")
		if !strings.HasPrefix(rest, "=") {
			out = append(out, group{scheme: word})
			s = rest
			continue
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("authentication header without a scheme: %w", fault.Invalid)
		}
		value, after, err := readValue(strings.TrimLeft(rest[1:], " \t"))
		if err != nil {
			return nil, err
		}
		last := &out[len(out)-1]
		if last.params = append(last.params, param{strings.ToLower(word), value}); len(last.params) > 64 {
			return nil, fmt.Errorf("authentication header with too many parameters: %w", fault.Invalid)
		}
		s = after
	}
}

// readValue reads a token or a quoted string and gives what follows.
func readValue(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		n := wordLength(s)
		return s[:n], s[n:], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("authentication header: quote not closed: %w", fault.Invalid)
}

// wordLength counts the bytes before a separator. It is wider than a token:
// some servers leave a nonce or a URI without quotes.
func wordLength(s string) int {
	if i := strings.IndexAny(s, " \t,=\""); i >= 0 {
		return i
	}
	return len(s)
}
