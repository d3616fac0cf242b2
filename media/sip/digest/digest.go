// Package digest is the digest authentication of SIP, both sides (RFC 7616,
// RFC 8760, RFC 3261 22): it reads challenges and credentials, and computes and
// checks responses. It sends nothing, knows no messages and keeps no users; a
// password enters it and never leaves it.
package digest

import (
	"crypto/md5" //nolint:gosec // what many carriers know alone (RFC 8760 2.3)
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"flametree/engine/fault"
)

// The algorithms, by their names in the registry of RFC 7616 6.1.
const (
	MD5       = "MD5"
	SHA256    = "SHA-256"
	SHA512256 = "SHA-512-256"
)

// maxHeader bounds one header value; longer ones are refused.
const maxHeader = 8 << 10

// Challenge is one challenge of a server (RFC 7616 3.3).
type Challenge struct {
	Realm, Nonce, Opaque string
	Algorithm            string // as written; "" is MD5
	QOP                  []string
	Stale                bool
}

// Credentials are what a client answers with (RFC 7616 3.4).
type Credentials struct {
	Realm, User, Nonce, URI, Response, Opaque string
	Algorithm, QOP, CNonce                    string
	NC                                        uint32
}

// base gives the hash of an algorithm and whether it is a session variant.
func base(algorithm string) (name string, session, ok bool) {
	name = strings.ToUpper(algorithm)
	if name == "" {
		name = MD5
	}
	name, session = strings.CutSuffix(name, "-SESS")
	switch name {
	case MD5, SHA256, SHA512256:
		return name, session, true
	}
	return "", false, false
}

// strength orders the algorithms: a client takes the strongest it is offered.
func strength(algorithm string) int {
	switch name, _, _ := base(algorithm); name {
	case MD5:
		return 1
	case SHA256:
		return 2
	case SHA512256:
		return 3
	}
	return 0
}

func sum(name string, parts ...string) string {
	var h hash.Hash
	switch name {
	case SHA256:
		h = sha256.New()
	case SHA512256:
		h = sha512.New512_256()
	default:
		h = md5.New() //nolint:gosec // see above
	}
	for i, p := range parts {
		if i > 0 {
			h.Write([]byte{':'})
		}
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// response computes the response of c for a password (RFC 7616 3.4.1). The
// algorithm and qop of c must be known, else the error is fault.Invalid.
func (c Credentials) response(method, password string) (string, error) {
	name, session, ok := base(c.Algorithm)
	if !ok {
		return "", fmt.Errorf("digest algorithm %.40q: %w", c.Algorithm, fault.Invalid)
	}
	first := sum(name, c.User, c.Realm, password)
	if session {
		first = sum(name, first, c.Nonce, c.CNonce)
	}
	second := sum(name, method, c.URI)
	switch strings.ToLower(c.QOP) {
	case "":
		return sum(name, first, c.Nonce, second), nil
	case "auth":
		return sum(name, first, c.Nonce, fmt.Sprintf("%08x", c.NC), c.CNonce, "auth", second), nil
	}
	return "", fmt.Errorf("digest qop %.40q: %w", c.QOP, fault.Invalid)
}

// Request is what credentials are asked for.
type Request struct {
	Method, URI string
	CNonce      string // made by the client, new for each nonce
	NC          uint32 // counts the requests under one nonce, from 1
}

// Answer builds the credentials for a challenge. The error is of kind
// fault.Denied when its qop is not ours, fault.Invalid when its algorithm is not.
func (ch Challenge) Answer(user, password string, r Request) (Credentials, error) {
	c := Credentials{
		Realm: ch.Realm, User: user, Nonce: ch.Nonce, URI: r.URI, Opaque: ch.Opaque, Algorithm: ch.Algorithm,
	}
	for _, q := range ch.QOP {
		if strings.EqualFold(q, "auth") {
			c.QOP, c.CNonce, c.NC = "auth", r.CNonce, r.NC
		}
	}
	if _, session, _ := base(ch.Algorithm); session {
		c.CNonce = r.CNonce
	}
	if len(ch.QOP) > 0 && c.QOP == "" {
		return c, fmt.Errorf("digest qop %.60q without auth: %w", ch.QOP, fault.Denied)
	}
	var err error
	if c.Response, err = c.response(r.Method, password); err != nil {
		return Credentials{}, err
	}
	return c, nil
}

// Strongest chooses among challenges for one realm, "" for any; false when none
// has an algorithm we know.
func Strongest(challenges []Challenge, realm string) (Challenge, bool) {
	best, at := 0, -1
	for i, c := range challenges {
		if s := strength(c.Algorithm); s > best && (realm == "" || c.Realm == realm) && usable(c.QOP) {
			best, at = s, i
		}
	}
	if at < 0 {
		return Challenge{}, false
	}
	return challenges[at], true
}

func usable(qop []string) bool {
	for _, q := range qop {
		if strings.EqualFold(q, "auth") {
			return true
		}
	}
	return len(qop) == 0
}

// String writes the value of an Authorization header.
func (c Credentials) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Digest username=%s, realm=%s, nonce=%s, uri=%s, response=%s",
		quote(c.User), quote(c.Realm), quote(c.Nonce), quote(c.URI), quote(c.Response))
	if c.Algorithm != "" {
		fmt.Fprintf(&b, ", algorithm=%s", c.Algorithm)
	}
	if c.Opaque != "" {
		fmt.Fprintf(&b, ", opaque=%s", quote(c.Opaque))
	}
	if c.QOP != "" {
		fmt.Fprintf(&b, ", qop=%s, nc=%08x", c.QOP, c.NC)
	}
	if c.CNonce != "" {
		fmt.Fprintf(&b, ", cnonce=%s", quote(c.CNonce))
	}
	return b.String()
}

// String writes the value of a WWW-Authenticate header.
func (ch Challenge) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Digest realm=%s, nonce=%s", quote(ch.Realm), quote(ch.Nonce))
	if len(ch.QOP) > 0 {
		fmt.Fprintf(&b, ", qop=%s", quote(strings.Join(ch.QOP, ",")))
	}
	if ch.Algorithm != "" {
		fmt.Fprintf(&b, ", algorithm=%s", ch.Algorithm)
	}
	if ch.Opaque != "" {
		fmt.Fprintf(&b, ", opaque=%s", quote(ch.Opaque))
	}
	if ch.Stale {
		b.WriteString(", stale=true")
	}
	return b.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
