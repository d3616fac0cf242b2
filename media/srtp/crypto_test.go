package srtp

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"flametree/engine/fault"
)

var (
	thirty    = base64.StdEncoding.EncodeToString([]byte("thirty bytes of key and salt!!"))
	fortySix  = base64.StdEncoding.EncodeToString([]byte("forty-six bytes: a long key and a fair salt..."))
	fortyFour = base64.StdEncoding.EncodeToString([]byte("forty-four bytes: a long key, a short salt.."))
)

func TestParseCrypto(t *testing.T) {
	tests := map[string]struct {
		in       string
		tag      int
		suite    Suite
		lifetime uint64
		mki      string
		window   int
	}{
		"the plain one":                   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty, 1, AES128CM80, 0, "", 0},
		"tag 0 and the short tag":         {"0 AES_CM_128_HMAC_SHA1_32 inline:" + thirty, 0, AES128CM32, 0, "", 0},
		"RFC 6188, padded":                {"2 AES_256_CM_HMAC_SHA1_80 inline:" + fortySix, 2, AES256CM80, 0, "", 0},
		"RFC 6188, without padding":       {"2 AES_256_CM_HMAC_SHA1_80 inline:" + strings.TrimRight(fortySix, "="), 2, AES256CM80, 0, "", 0},
		"RFC 7714":                        {"3 AEAD_AES_256_GCM inline:" + fortyFour, 3, AES256GCM, 0, "", 0},
		"a lifetime as a power":           {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + "|2^20", 1, AES128CM80, 1 << 20, "", 0},
		"a lifetime as a number":          {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + "|800000", 1, AES128CM80, 800000, "", 0},
		"lifetime and identifier":         {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + "|2^31|258:4", 1, AES128CM80, 1 << 31, "\x00\x00\x01\x02", 0},
		"an identifier alone":             {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + "|1:1", 1, AES128CM80, 0, "\x01", 0},
		"a window":                        {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + " WSH=128", 1, AES128CM80, 0, "", 128},
		"an optional parameter":           {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + " -strange=1", 1, AES128CM80, 0, "", 0},
		"a derivation rate of never":      {"1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + " KDR=0", 1, AES128CM80, 0, "", 0},
		"tabs and spaces between":         {"  7\tAES_CM_128_HMAC_SHA1_80   inline:" + thirty + "  ", 7, AES128CM80, 0, "", 0},
		"the suite in small letters":      {"1 aes_cm_128_hmac_sha1_80 inline:" + thirty, 1, AES128CM80, 0, "", 0},
		"the largest tag of nine figures": {"999999999 AES_CM_128_HMAC_SHA1_80 inline:" + thirty, 999999999, AES128CM80, 0, "", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := ParseCrypto(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if a.Tag != tc.tag || a.Key.Suite() != tc.suite || a.Lifetime != tc.lifetime || a.Window != tc.window || string(a.Key.secret.mki) != tc.mki {
				t.Errorf("read %d %s %d %x %d", a.Tag, a.Key.Suite(), a.Lifetime, a.Key.secret.mki, a.Window)
			}
			again, err := ParseCrypto(a.Line())
			if err != nil || !again.Key.Equal(a.Key) || again.Tag != a.Tag || again.Lifetime != a.Lifetime || again.Window != a.Window {
				t.Errorf("written and read again: %v, %v", again.Tag, err)
			}
		})
	}
}

func TestBadCryptoLinesAreRefusedByField(t *testing.T) {
	good := "1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty
	tests := map[string]struct{ in, want string }{
		"nothing":                        {"", "the line"},
		"no key":                         {"1 AES_CM_128_HMAC_SHA1_80", "the line"},
		"endless":                        {good + strings.Repeat(" -x", 500), "the line"},
		"no tag":                         {"x" + good, "the tag"},
		"a negative tag":                 {"-" + good, "the tag"},
		"a tag with a zero before":       {"0" + good, "the tag"},
		"a tag of ten figures":           {"999999999" + good, "the tag"},
		"no encryption":                  {"1 NULL_HMAC_SHA1_80 inline:" + thirty, "the suite"},
		"F8":                             {"1 F8_128_HMAC_SHA1_80 inline:" + thirty, "the suite"},
		"another key method":             {"1 AES_CM_128_HMAC_SHA1_80 uri:" + thirty, "the key"},
		"a key of another suite":         {"1 AEAD_AES_256_GCM inline:" + thirty, "the key"},
		"no base64":                      {"1 AES_CM_128_HMAC_SHA1_80 inline:!!!!" + thirty[4:], "the key"},
		"two keys":                       {good + "|1:1;inline:" + thirty + "|2:1", "the key"},
		"four parts":                     {good + "|2^20|1:1|9", "the key"},
		"a lifetime too long":            {good + "|2^49", "the lifetime"},
		"a lifetime of none":             {good + "|0", "the lifetime"},
		"a lifetime that is none":        {good + "|soon", "the lifetime"},
		"identifier before lifetime":     {good + "|1:1|2^20", "the lifetime"},
		"two lifetimes":                  {good + "|2^20|2^20", "the key identifier"},
		"an identifier too large":        {good + "|256:1", "the key identifier"},
		"an identifier too long":         {good + "|1:129", "the key identifier"},
		"an identifier of no bytes":      {good + "|1:0", "the key identifier"},
		"a negative identifier":          {good + "|-1:4", "the key identifier"},
		"RTP in clear":                   {good + " UNENCRYPTED_SRTP", "the session parameter"},
		"RTCP in clear":                  {good + " UNENCRYPTED_SRTCP", "the session parameter"},
		"not authenticated":              {good + " UNAUTHENTICATED_SRTP", "the session parameter"},
		"a derivation rate":              {good + " KDR=12", "the session parameter"},
		"an order of error correction":   {good + " FEC_ORDER=FEC_SRTP", "the session parameter"},
		"a parameter nobody knows":       {good + " STRANGE=1", "the session parameter"},
		"a window of nearly no packets":  {good + " WSH=8", "the window"},
		"a window that is none":          {good + " WSH=wide", "the window"},
		"a lifetime with a sign":         {good + "|+5", "the lifetime"},
		"an identifier in hexadecimal":   {good + "|0x01:1", "the key identifier"},
		"an identifier without a number": {good + "|:4", "the key identifier"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCrypto(tc.in)
			if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("%v, want fault.Invalid about %s", err, tc.want)
			}
			if strings.Contains(err.Error(), thirty[:8]) {
				t.Errorf("the error tells the key: %v", err)
			}
		})
	}
}

func TestEveryKeySurvivesItsLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		suite := rapid.SampledFrom(Suites()).Draw(t, "suite")
		master := rapid.SliceOfN(rapid.Byte(), suite.Len(), suite.Len()).Draw(t, "master")
		k, err := NewKey(suite, master)
		if err != nil {
			t.Fatal(err)
		}
		k.secret.mki = rapid.SliceOfN(rapid.Byte(), 0, maxMKI).Draw(t, "mki")
		a := Attribute{
			Tag: rapid.IntRange(0, maxTag).Draw(t, "tag"), Key: k,
			Lifetime: rapid.Uint64Range(0, maxLifetime).Draw(t, "lifetime"),
		}
		got, err := ParseCrypto(a.Line())
		if err != nil || got.Tag != a.Tag || got.Lifetime != a.Lifetime || !got.Key.Equal(k) {
			t.Fatalf("%v: tag %d of %d, lifetime %d of %d", err, got.Tag, a.Tag, got.Lifetime, a.Lifetime)
		}
	})
}

func FuzzParseCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + thirty + "|2^20|1:4 WSH=128 -x")
	f.Add("2 AES_256_CM_HMAC_SHA1_80 inline:" + fortySix)
	f.Add("3 AEAD_AES_256_GCM inline:" + fortyFour + "|1:128")
	f.Add("0 AEAD_AES_128_GCM inline:|:|")
	f.Fuzz(func(t *testing.T, in string) {
		a, err := ParseCrypto(in)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if _, err := a.Key.context(); err != nil {
			t.Fatalf("a key that was read cannot be used: %v", err)
		}
		again, err := ParseCrypto(a.Line())
		if err != nil || !again.Key.Equal(a.Key) {
			t.Fatalf("written and read again: %v", err)
		}
	})
}

func TestFingerprints(t *testing.T) {
	pairs := func(n int) string { return strings.TrimSuffix(strings.Repeat("Ab:", n), ":") }
	for in, ok := range map[string]bool{
		"sha-256 " + pairs(32):                       true,
		"SHA-256 " + pairs(32):                       true,
		"sha-384 " + pairs(48):                       true,
		"sha-512 " + pairs(64):                       true,
		"sha-1 " + pairs(20):                         false,
		"md5 " + pairs(16):                           false,
		"sha-224 " + pairs(28):                       false,
		"sha-256 " + pairs(31):                       false,
		"sha-256 " + pairs(33):                       false,
		"sha-256 " + strings.Repeat("Ab", 32):        false,
		"sha-256 " + pairs(31) + ":zz":               false,
		"sha-256 " + pairs(30) + "::A:B":             false,
		"sha-256":                                    false,
		"":                                           false,
		"sha-256 " + strings.Repeat(":", 3*32-1):     false,
		"sha-512 " + pairs(32):                       false,
		"sha-256  " + pairs(32) + " ":                true,
		"sha-256 " + pairs(32) + " sha-1" + pairs(2): false,
	} {
		f, err := ParseFingerprint(in)
		if (err == nil) != ok || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%.30q: %v", in, err)
		}
		if err == nil {
			if again, err := ParseFingerprint(f.String()); err != nil || again != f {
				t.Errorf("%.30q is written %q", in, f)
			}
		}
	}
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add("sha-256 " + strings.TrimSuffix(strings.Repeat("0f:", 32), ":"))
	f.Add("sha-1 AA:BB")
	f.Fuzz(func(t *testing.T, in string) {
		p, err := ParseFingerprint(in)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseFingerprint(p.String()); err != nil || again != p {
			t.Fatalf("%q is written %q", in, p)
		}
	})
}
