package srtp

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"slices"

	pion "github.com/pion/srtp/v3"

	"flametree/engine/fault"
)

// Suite names how packets are sealed, as a=crypto writes it.
type Suite string

// The suites of RFC 4568 6.2, RFC 6188 and RFC 7714. Those that end in _32 cut
// the tag of RTP to four bytes; of RTCP they do not.
const (
	AES128CM80 Suite = "AES_CM_128_HMAC_SHA1_80"
	AES128CM32 Suite = "AES_CM_128_HMAC_SHA1_32"
	AES256CM80 Suite = "AES_256_CM_HMAC_SHA1_80"
	AES128GCM  Suite = "AEAD_AES_128_GCM"
	AES256GCM  Suite = "AEAD_AES_256_GCM"
)

// Suites lists what can be used, the best first: the authenticated ones cost
// least, the short tag is the last resort.
func Suites() []Suite {
	return []Suite{AES256GCM, AES128GCM, AES256CM80, AES128CM80, AES128CM32}
}

// Len is the length of master key and salt together in bytes, 0 for a suite
// that is not known.
func (s Suite) Len() int {
	key, salt := s.parts()
	return key + salt
}

func (s Suite) parts() (key, salt int) {
	switch s {
	case AES128CM80, AES128CM32:
		return 16, 14
	case AES256CM80:
		return 32, 14
	case AES128GCM:
		return 16, 12
	case AES256GCM:
		return 32, 12
	}
	return 0, 0
}

func (s Suite) profile() pion.ProtectionProfile {
	switch s {
	case AES128CM80:
		return pion.ProtectionProfileAes128CmHmacSha1_80
	case AES128CM32:
		return pion.ProtectionProfileAes128CmHmacSha1_32
	case AES256CM80:
		return pion.ProtectionProfileAes256CmHmacSha1_80
	case AES128GCM:
		return pion.ProtectionProfileAeadAes128Gcm
	case AES256GCM:
		return pion.ProtectionProfileAeadAes256Gcm
	}
	return 0
}

// Key is a master key with its salt. The zero value is no key. Copies share
// the bytes, so that Wipe destroys all of them. It prints as a word, never as
// what it is.
type Key struct {
	suite  Suite
	secret *secret
}

// secret is one pointer more: in an unexported field of some struct fmt asks no
// method, and for a verb that does not fit it follows one pointer.
type secret struct{ *material }

type material struct {
	master []byte // key, then salt
	mki    []byte // master key identifier of every packet, most often none
}

// maxMKI is the longest identifier RFC 4568 9.2 allows.
const maxMKI = 128

// NewKey copies master, which is key and salt. A suite that is not known or a
// wrong length fails with fault.Invalid.
func NewKey(s Suite, master []byte) (Key, error) {
	if s.Len() == 0 {
		return Key{}, fmt.Errorf("srtp: suite %q is none of %v: %w", s, Suites(), fault.Invalid)
	}
	if len(master) != s.Len() {
		return Key{}, fmt.Errorf("srtp: a key of %d bytes, %s wants %d: %w", len(master), s, s.Len(), fault.Invalid)
	}
	return Key{suite: s, secret: &secret{&material{master: slices.Clone(master)}}}, nil
}

// Generate draws a key from the system's randomness.
func Generate(s Suite) (Key, error) {
	master := make([]byte, s.Len())
	defer clear(master)
	if _, err := rand.Read(master); err != nil {
		return Key{}, fmt.Errorf("srtp: draw a key: %w", err)
	}
	return NewKey(s, master)
}

// Suite is what the key is for.
func (k Key) Suite() Suite { return k.suite }

// Valid says whether there is a key.
func (k Key) Valid() bool { return k.secret != nil }

// Identified is the key with an identifier that every packet under it carries
// (RFC 3711 3.1, MKI); none takes it away. One that is too long fails with
// fault.Invalid. The two keys share their bytes.
func (k Key) Identified(mki []byte) (Key, error) {
	if len(mki) > maxMKI {
		return Key{}, fmt.Errorf("srtp: a key identifier of %d bytes, at most %d: %w", len(mki), maxMKI, fault.Invalid)
	}
	if k.secret == nil {
		return Key{}, fmt.Errorf("srtp: an identifier without a key: %w", fault.Invalid)
	}
	return Key{suite: k.suite, secret: &secret{&material{master: k.secret.master, mki: slices.Clone(mki)}}}, nil
}

// Identifier is a copy of what Identified was given, or of what a line said.
func (k Key) Identifier() []byte {
	if k.secret == nil {
		return nil
	}
	return slices.Clone(k.secret.mki)
}

// Reveal gives a copy of key and salt, for the SDP and nothing else.
func (k Key) Reveal() []byte {
	if k.secret == nil {
		return nil
	}
	return slices.Clone(k.secret.master)
}

// Equal compares in a time that tells nothing about the bytes.
func (k Key) Equal(o Key) bool {
	if k.secret == nil || o.secret == nil {
		return k.secret == o.secret
	}
	same := subtle.ConstantTimeCompare(k.secret.master, o.secret.master) &
		subtle.ConstantTimeCompare(k.secret.mki, o.secret.mki)
	return k.suite == o.suite && same == 1
}

// Wipe overwrites the bytes in every copy of the key.
func (k Key) Wipe() {
	if k.secret != nil {
		clear(k.secret.master)
		clear(k.secret.mki)
	}
}

const hidden = "[srtp key]"

// String implements fmt.Stringer and hides the key.
func (Key) String() string { return hidden }

// Format implements fmt.Formatter: no verb shows the key.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue implements slog.LogValuer and hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements encoding.TextMarshaler, which JSON asks, and hides
// the key.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
