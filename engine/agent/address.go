package agent

import (
	"fmt"
	"strings"

	"flametree/engine/fault"
)

// Addresses are e-mail addresses, each once, in the order in which they were
// given.
type Addresses []string

// The limits of Addresses. MaxAddress is that of RFC 5321 4.5.3.1.3, less the
// angle brackets that a path has.
const (
	MaxAddresses = 20
	MaxAddress   = 254
)

// ParseAddresses reads addresses between commas; a blank text is none. What is
// accepted is narrower than RFC 5322: a local part of dot-separated atoms
// without quotes or comments, and a domain of letters, digits and hyphens
// (RFC 5321 4.1.2). So an address has no place for a line break, a space or a
// second address. Others are *AddressFault, which is fault.Invalid.
func ParseAddresses(text string) (Addresses, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var out Addresses
	seen := make(map[string]bool)
	at := 0
	for i, field := range strings.Split(text, ",") {
		a := strings.TrimLeft(field, " \t")
		f := AddressFault{Number: i + 1, At: at + len(field) - len(a)}
		at += len(field) + 1
		if a = strings.TrimRight(a, " \t"); a == "" {
			f.Why = "is empty: put one comma between two addresses"
			return nil, &f
		}
		if f.Why = misaddressed(a); f.Why != "" {
			return nil, &f
		}
		if k := strings.ToLower(a); !seen[k] {
			seen[k] = true
			out = append(out, a)
		}
		if len(out) > MaxAddresses {
			f.Why = fmt.Sprintf("is too many: %d are allowed", MaxAddresses)
			return nil, &f
		}
	}
	return out, nil
}

// AddressFault says which address of a text is not one. It does not repeat it:
// it may be somebody's.
type AddressFault struct {
	Number int // from 1
	At     int // where it begins, in bytes
	Why    string
}

// Error implements error.
func (f *AddressFault) Error() string { return fmt.Sprintf("address %d %s", f.Number, f.Why) }

// Unwrap says that the text must change.
func (*AddressFault) Unwrap() error { return fault.Invalid }

// misaddressed says what is wrong with one address, "" = nothing.
func misaddressed(a string) string {
	local, domain, ok := strings.Cut(a, "@")
	switch {
	case !ok || local == "" || domain == "":
		return "is not like name@example.com"
	case len(a) > MaxAddress || len(local) > 64: // RFC 5321 4.5.3.1.1
		return "is too long"
	case strings.ContainsFunc(local, func(r rune) bool { return r != '.' && !atomic(r) }):
		return "has a character before the @ that is not allowed"
	case dotted(local):
		return "has a dot before the @ that stands alone"
	case strings.ContainsFunc(domain, func(r rune) bool { return r > 0x7f }):
		return "has a domain that mail servers need in its ASCII form, xn--…"
	case !isDomain(domain):
		return "has no domain like example.com behind the @"
	}
	return ""
}

// atomic reports whether a character may stand in an atom (RFC 5322 3.2.3).
func atomic(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// dotted reports whether a dot has nothing before or behind it.
func dotted(s string) bool {
	return strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..")
}

func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		const longest = 63 // RFC 1035 2.3.4
		if l == "" || len(l) > longest || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(strings.ToLower(l), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
