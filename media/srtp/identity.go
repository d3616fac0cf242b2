package srtp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // fingerprints are taken with these
	_ "crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"time"

	"flametree/engine/fault"
)

// Identity is a certificate of our own making with its key. A process makes
// one and uses it for all its calls (RFC 5763 6.4: who it is, signalling tells
// by the fingerprint). It is safe for concurrent use and prints as its
// fingerprint.
type Identity struct {
	certificate tls.Certificate
	fingerprint Fingerprint
}

// life is how long a certificate says it is good for. Peers look at the
// fingerprint only; some libraries refuse a certificate that has expired.
const life = 10 * 365 * 24 * time.Hour

// NewIdentity makes one: ECDSA on P-256, good from a day before now, for peers
// whose clocks are wrong. The name in it says nothing about us.
func NewIdentity(now time.Time) (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("srtp: make a certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, fmt.Errorf("srtp: make a certificate: %w", err)
	}
	draft := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "call"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, &draft, &draft, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("srtp: make a certificate: %w", err)
	}
	sum, err := digest(crypto.SHA256, der)
	if err != nil {
		return nil, err
	}
	return &Identity{
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		fingerprint: Fingerprint{hash: crypto.SHA256, sum: sum},
	}, nil
}

// Fingerprint is what follows "a=fingerprint:" in our SDP (RFC 8122 5).
func (i *Identity) Fingerprint() Fingerprint { return i.fingerprint }

// String implements fmt.Stringer; the private key stays hidden.
func (i *Identity) String() string { return i.fingerprint.String() }

// Format implements fmt.Formatter: no verb shows the private key.
func (i *Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(i.String())) }

// LogValue implements slog.LogValuer; the private key stays hidden.
func (i *Identity) LogValue() slog.Value { return slog.StringValue(i.String()) }

// Fingerprint is a digest of a certificate. The zero value is none. Two may be
// compared with ==.
type Fingerprint struct {
	hash crypto.Hash
	sum  string
}

// hashes are those of RFC 8122 5 that are still worth something. md5, sha-1
// and sha-224 are refused.
func hashes() map[string]crypto.Hash {
	return map[string]crypto.Hash{"sha-256": crypto.SHA256, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512}
}

// ParseFingerprint reads "sha-256 AB:CD:…". Anything else, and digests that can
// be forged, fail with fault.Invalid.
func ParseFingerprint(s string) (Fingerprint, error) {
	name, digits, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		return Fingerprint{}, fmt.Errorf("a=fingerprint: want HASH AB:CD:…: %w", fault.Invalid)
	}
	hash, ok := hashes()[strings.ToLower(name)]
	if !ok {
		return Fingerprint{}, fmt.Errorf("a=fingerprint: hash %.20q is not one of sha-256 sha-384 sha-512: %w", name, fault.Invalid)
	}
	digits = strings.TrimSpace(digits)
	if len(digits) != 3*hash.Size()-1 {
		return Fingerprint{}, fmt.Errorf("a=fingerprint: %d characters, %s has %d: %w", len(digits), name, 3*hash.Size()-1, fault.Invalid)
	}
	for i := 2; i < len(digits); i += 3 {
		if digits[i] != ':' {
			return Fingerprint{}, fmt.Errorf("a=fingerprint: character %d of the digest is no colon: %w", i, fault.Invalid)
		}
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil || len(sum) != hash.Size() {
		return Fingerprint{}, fmt.Errorf("a=fingerprint: the digest is not hexadecimal: %w", fault.Invalid)
	}
	return Fingerprint{hash: hash, sum: string(sum)}, nil
}

// Valid says whether there is a fingerprint.
func (f Fingerprint) Valid() bool { return f.hash != 0 }

// String writes it as the SDP wants it.
func (f Fingerprint) String() string {
	for name, hash := range hashes() {
		if hash == f.hash {
			var b strings.Builder
			for i := range len(f.sum) {
				if i > 0 {
					b.WriteByte(':')
				}
				fmt.Fprintf(&b, "%02X", f.sum[i])
			}
			return name + " " + b.String()
		}
	}
	return "none"
}

// matches says whether this is the certificate's digest.
func (f Fingerprint) matches(der []byte) bool {
	sum, err := digest(f.hash, der)
	return err == nil && subtle.ConstantTimeCompare([]byte(sum), []byte(f.sum)) == 1
}

func digest(h crypto.Hash, der []byte) (string, error) {
	if h == 0 || !h.Available() {
		return "", fmt.Errorf("srtp: no digest: %w", fault.Bug)
	}
	d := h.New()
	d.Write(der)
	return string(d.Sum(nil)), nil
}
