package hooks

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with HMAC-SHA1
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Sign is the signature of an address and a form, as X-Twilio-Signature has it:
// the names in order, each with its values, behind the address. Values of one
// name are put in order, and the same value counts once.
func Sign(token, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			mac.Write([]byte(name))
			mac.Write([]byte(v))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Signed checks a signature in constant time. An address is signed with or
// without its scheme's own port, which says the same; with any other port, or
// another scheme, it is another address. Twilio leaves out any port of https,
// so that is tried, too.
func Signed(token, address string, form url.Values, signature string) bool {
	ok := false
	for _, a := range spellings(address) {
		ok = subtle.ConstantTimeCompare([]byte(Sign(token, a, form)), []byte(signature)) == 1 || ok
	}
	return ok
}

func spellings(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return []string{address}
	}
	own := map[string]string{"https": "443", "wss": "443", "http": "80", "ws": "80"}[u.Scheme]
	out := []string{address}
	if u.Port() == "" && own != "" {
		return append(out, strings.Replace(address, "://"+u.Host, "://"+net.JoinHostPort(u.Hostname(), own), 1))
	}
	return append(out, strings.Replace(address, "://"+u.Host, "://"+strings.TrimSuffix(u.Host, ":"+u.Port()), 1))
}
