package srtp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"flametree/engine/fault"
)

// Attribute is one a=crypto line (RFC 4568 9.1).
type Attribute struct {
	Tag int // the answer repeats the tag of the line it takes
	Key Key // with its suite and, where the line has one, its identifier
	// Lifetime is how many packets the key may seal, 0 when not said.
	Lifetime uint64
	// Window is the replay window the sender of the line asks for, 0 when not
	// said. Ours is at least as large as any it may ask for reasonably.
	Window int
}

const (
	maxLine     = 1024
	maxLifetime = 1 << 48 // RFC 3711 9.2
	maxTag      = 999999999
	minWindow   = 64 // RFC 4568 6.3.6
	inline      = "inline:"
)

// ParseCrypto reads what follows "a=crypto:". It fails with fault.Invalid and
// names the field: a suite that is not known, more than one key, a key of the
// wrong length, a session parameter that would weaken the seal or that is not
// known and does not begin with "-" (RFC 4568 6.3.7). No error repeats a key.
func ParseCrypto(value string) (Attribute, error) {
	if len(value) > maxLine {
		return Attribute{}, bad("the line", "is %d bytes long, at most %d are read", len(value), maxLine)
	}
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return Attribute{}, bad("the line", "has %d fields, want TAG SUITE inline:KEY", len(fields))
	}
	var a Attribute
	var err error
	if a.Tag, err = tag(fields[0]); err != nil {
		return Attribute{}, err
	}
	suite := Suite(strings.ToUpper(fields[1]))
	if suite.Len() == 0 {
		return Attribute{}, bad("the suite", "%.40q is none of %v", fields[1], Suites())
	}
	if err := a.params(fields[3:]); err != nil {
		return Attribute{}, err
	}
	if err := a.key(suite, fields[2]); err != nil {
		return Attribute{}, err
	}
	return a, nil
}

func bad(field, format string, args ...any) error {
	return fmt.Errorf("a=crypto: %s %s: %w", field, fmt.Sprintf(format, args...), fault.Invalid)
}

func tag(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxTag || s != strconv.Itoa(n) {
		return 0, bad("the tag", "%.20q is no number from 0 to %d", s, maxTag)
	}
	return n, nil
}

// key reads inline:KEY|lifetime|MKI:length.
func (a *Attribute) key(s Suite, field string) error {
	rest, ok := strings.CutPrefix(field, inline)
	if !ok {
		return bad("the key", "has another method than %q", inline)
	}
	if strings.Contains(rest, ";") {
		return bad("the key", "is more than one")
	}
	parts := strings.Split(rest, "|")
	if len(parts) > 3 {
		return bad("the key", "has %d parts, at most 3 are known", len(parts))
	}
	master, err := decode(parts[0])
	if err != nil {
		return bad("the key", "is no base64")
	}
	defer clear(master)
	k, err := NewKey(s, master)
	if err != nil {
		return bad("the key", "has %d bytes, %s wants %d", len(master), s, s.Len())
	}
	for i, part := range parts[1:] {
		if strings.Contains(part, ":") {
			if i != len(parts)-2 {
				return bad("the lifetime", "comes after the key identifier")
			}
			if k.secret.mki, err = identifier(part); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			return bad("the key identifier", "lacks its length, want NUMBER:LENGTH")
		}
		if a.Lifetime, err = lifetime(part); err != nil {
			return err
		}
	}
	a.Key = k
	return nil
}

// decode reads base64 with padding or, as some telephones write it, without.
func decode(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	return base64.RawStdEncoding.Strict().DecodeString(s)
}

// lifetime reads a number of packets, 2^n or plain.
func lifetime(s string) (uint64, error) {
	if power, ok := strings.CutPrefix(s, "2^"); ok {
		n, err := strconv.ParseUint(power, 10, 8)
		if err != nil || n > 48 {
			return 0, bad("the lifetime", "%.20q is not 2^0 to 2^48", s)
		}
		return 1 << n, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 || n > maxLifetime {
		return 0, bad("the lifetime", "%.20q is no number of packets from 1 to 2^48", s)
	}
	return n, nil
}

// identifier reads NUMBER:LENGTH into LENGTH bytes, high ones first.
func identifier(s string) ([]byte, error) {
	number, length, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(length)
	if err != nil || n < 1 || n > maxMKI {
		return nil, bad("the key identifier", "has length %.10q, want 1 to %d", length, maxMKI)
	}
	v, ok := new(big.Int).SetString(number, 10)
	if !ok || v.Sign() < 0 || v.BitLen() > 8*n || strings.HasPrefix(number, "+") {
		return nil, bad("the key identifier", "is no number that fits %d bytes", n)
	}
	return v.FillBytes(make([]byte, n)), nil
}

// params takes in the session parameters (RFC 4568 6.3).
func (a *Attribute) params(fields []string) error {
	var errs []error
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		switch {
		case strings.HasPrefix(f, "-"): // may be left out of account
		case f == "KDR=0": // keys are derived once, as ours are
		case name == "WSH":
			n, err := strconv.Atoi(value)
			if err != nil || n < minWindow || n > 1<<15 {
				errs = append(errs, bad("the window", "%.20q is no number from %d to 32768", value, minWindow))
			}
			a.Window = n
		default:
			errs = append(errs, bad("the session parameter", "%.40q is not taken", name))
		}
	}
	return errors.Join(errs...)
}

// Line writes what follows "a=crypto:", with the key in clear: it is for the
// SDP and for nothing else. Suite and length were checked when the key was made.
func (a Attribute) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", a.Tag, string(a.Key.suite), inline)
	if a.Key.secret != nil {
		b.WriteString(base64.StdEncoding.EncodeToString(a.Key.secret.master))
		if a.Lifetime > 0 {
			b.WriteString("|" + strconv.FormatUint(a.Lifetime, 10))
		}
		if mki := a.Key.secret.mki; len(mki) > 0 {
			fmt.Fprintf(&b, "|%s:%d", new(big.Int).SetBytes(mki), len(mki))
		}
	}
	if a.Window > 0 {
		fmt.Fprintf(&b, " WSH=%d", a.Window)
	}
	return b.String()
}
