package digest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/media/sip/digest"
)

// The examples the specifications print.
func TestPublishedResponses(t *testing.T) {
	for name, test := range map[string]struct {
		challenge digest.Challenge
		password  string
		cnonce    string
		want      string
	}{
		"RFC 2617 3.5, MD5 with qop": {
			digest.Challenge{Realm: "testrealm@host.com", Nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", QOP: []string{"auth", "auth-int"}},
			"Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1",
		},
		"RFC 7616 3.9.1, MD5": {
			digest.Challenge{Realm: "http-auth@example.org", Nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", QOP: []string{"auth"}, Algorithm: "MD5"},
			"Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec",
		},
		"RFC 7616 3.9.1, SHA-256": {
			digest.Challenge{Realm: "http-auth@example.org", Nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", QOP: []string{"auth"}, Algorithm: "SHA-256"},
			"Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
		},
		"RFC 2069 with its erratum, no qop": {
			digest.Challenge{Realm: "testrealm@host.com", Nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093"},
			"CircleOfLife", "", "1949323746fe6a43ef61f9606e7febea",
		},
	} {
		c, err := test.challenge.Answer("Mufasa", test.password, digest.Request{Method: "GET", URI: "/dir/index.html", CNonce: test.cnonce, NC: 1})
		require.NoError(t, err, name)
		require.Equal(t, test.want, c.Response, name)
	}
}

// Challenges as servers write them.
func TestParseChallenges(t *testing.T) {
	for name, test := range map[string]struct {
		value string
		want  []digest.Challenge
	}{
		"one": {
			`Digest realm="a b", nonce="n\"1", qop="auth,auth-int", algorithm=SHA-256, stale=TRUE, opaque="o"`,
			[]digest.Challenge{{Realm: "a b", Nonce: `n"1`, QOP: []string{"auth", "auth-int"}, Algorithm: "SHA-256", Stale: true, Opaque: "o"}},
		},
		"two in one header": {
			`Digest realm="a", nonce="1", algorithm=MD5, Digest realm="a" , nonce="2",algorithm = "SHA-256"`,
			[]digest.Challenge{{Realm: "a", Nonce: "1", Algorithm: "MD5"}, {Realm: "a", Nonce: "2", Algorithm: "SHA-256"}},
		},
		"another scheme beside":  {`Basic realm="b", dIgEsT Realm=a,NONCE=1/2`, []digest.Challenge{{Realm: "a", Nonce: "1/2"}}},
		"no quotes anywhere":     {`Digest realm=a, nonce=1, qop=auth`, []digest.Challenge{{Realm: "a", Nonce: "1", QOP: []string{"auth"}}}},
		"other schemes alone":    {`Bearer x="y"`, nil},
		"an empty realm is fine": {`Digest realm="", nonce="1"`, []digest.Challenge{{Nonce: "1"}}},
	} {
		got, err := digest.ParseChallenges(test.value)
		require.NoError(t, err, name)
		require.Equal(t, test.want, got, name)
	}
	for _, broken := range []string{
		`Digest realm="a`, `Digest nonce="1"`, `Digest realm="a"`, `Digest realm="a", realm="b", nonce="1"`, `="x"`, `realm="a"`,
		"Digest " + strings.Repeat("a=b,", 100), strings.Repeat("x", 9000),
	} {
		_, err := digest.ParseChallenges(broken)
		require.ErrorIs(t, err, fault.Invalid, broken)
	}
}

// The strongest algorithm we know wins, whatever order it comes in; auth-int
// alone is not ours.
func TestStrongest(t *testing.T) {
	all := []digest.Challenge{
		{Realm: "r", Nonce: "1", Algorithm: "MD5"},
		{Realm: "r", Nonce: "2", Algorithm: "SHA-512-256", QOP: []string{"auth-int"}},
		{Realm: "r", Nonce: "3", Algorithm: "SHA-256"},
		{Realm: "s", Nonce: "4", Algorithm: "sha-512-256"},
		{Realm: "r", Nonce: "5", Algorithm: "SHA3"},
	}
	for realm, want := range map[string]string{"r": "3", "s": "4", "": "4"} {
		c, ok := digest.Strongest(all, realm)
		require.True(t, ok)
		require.Equal(t, want, c.Nonce, realm)
	}
	_, ok := digest.Strongest(all[4:], "")
	require.False(t, ok)
}

// login is what a client sends for a challenge of a guard.
func login(t require.TestingT, ch digest.Challenge, password string, nc uint32) digest.Credentials {
	c, err := ch.Answer("alice", password, digest.Request{Method: "INVITE", URI: "sip:bank@x", CNonce: "c", NC: nc})
	require.NoError(t, err)
	back, err := digest.ParseCredentials(c.String())
	require.NoError(t, err)
	return back
}

func users(user string) (string, bool) { return "secret", user == "alice" }

// What a guard lets in, and what it does not.
func TestGuard(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	g := digest.NewGuard("bank", time.Minute, false)
	ch := g.Challenges(now, false)
	require.Len(t, ch, 1, "SHA-256 alone")
	require.Contains(t, ch[0].String(), `qop="auth", algorithm=SHA-256`)
	good := login(t, ch[0], "secret", 1)
	check := func(at time.Time, c digest.Credentials) digest.Verdict {
		return g.Check(at, c, "INVITE", "sip:bank@x", users)
	}
	bad := map[string]func(*digest.Credentials){
		"user":     func(c *digest.Credentials) { c.User = "bob" },
		"realm":    func(c *digest.Credentials) { c.Realm = "other" },
		"response": func(c *digest.Credentials) { c.Response = strings.Repeat("0", 64) },
		"uri":      func(c *digest.Credentials) { c.URI = "sip:premium@x" },
		"count":    func(c *digest.Credentials) { c.NC++ },
		"nonce":    func(c *digest.Credentials) { c.Nonce = "AAAA" },
		"no qop":   func(c *digest.Credentials) { c.QOP = "" },
		"weak":     func(c *digest.Credentials) { c.Algorithm = "MD5" },
	}
	for name, change := range bad {
		c := good
		change(&c)
		require.Equal(t, digest.Wrong, check(now, c), name)
	}
	require.Equal(t, digest.Wrong, check(now, login(t, ch[0], "guess", 1)))
	require.Equal(t, digest.Wrong, g.Check(now, good, "BYE", "sip:bank@x", users), "another method")
	other := digest.NewGuard("bank", time.Minute, false).Challenges(now, false)[0]
	require.Equal(t, digest.Wrong, check(now, login(t, other, "secret", 1)), "a nonce somebody else made")

	require.Equal(t, digest.Good, check(now, good))
	require.Equal(t, digest.Stale, check(now, good), "replayed")
	require.Equal(t, digest.Good, check(now, login(t, ch[0], "secret", 5)))
	require.Equal(t, digest.Good, check(now, login(t, ch[0], "secret", 3)), "one that was overtaken")
	require.Equal(t, digest.Stale, check(now, login(t, ch[0], "secret", 3)))
	require.Equal(t, digest.Stale, check(now.Add(61*time.Second), login(t, ch[0], "secret", 6)), "an old nonce")

	weak := digest.NewGuard("bank", time.Minute, true).Challenges(now, true)
	require.Equal(t, []string{"SHA-256", "MD5"}, []string{weak[0].Algorithm, weak[1].Algorithm})
	require.True(t, weak[0].Stale)
}

// Whatever the order, every nonce count is good once at most, and the newest is
// always good the first time.
func TestNoCountIsGoodTwice(t *testing.T) {
	now := time.Unix(1, 0)
	rapid.Check(t, func(t *rapid.T) {
		g := digest.NewGuard("bank", time.Minute, false)
		ch := g.Challenges(now, false)[0]
		seen, high := map[uint32]bool{}, uint32(0)
		for _, nc := range rapid.SliceOfN(rapid.Uint32Range(1, 200), 1, 60).Draw(t, "counts") {
			v := g.Check(now, login(t, ch, "secret", nc), "INVITE", "sip:bank@x", users)
			if v == digest.Good && seen[nc] {
				t.Fatalf("count %d was good twice", nc)
			}
			if nc > high && v != digest.Good {
				t.Fatalf("count %d above %d was refused", nc, high)
			}
			seen[nc], high = seen[nc] || v == digest.Good, max(high, nc)
		}
	})
}

// Nonces in use are bounded; the oldest become stale, not good again.
func TestNonceTableIsBounded(t *testing.T) {
	now := time.Unix(1, 0)
	g := digest.NewGuard("bank", time.Hour, false)
	first := g.Challenges(now, false)[0]
	require.Equal(t, digest.Good, g.Check(now, login(t, first, "secret", 1), "INVITE", "sip:bank@x", users))
	for i := range 4200 {
		ch := g.Challenges(now.Add(time.Duration(i+1)*time.Millisecond), false)[0]
		require.Equal(t, digest.Good, g.Check(now.Add(time.Minute), login(t, ch, "secret", 1), "INVITE", "sip:bank@x", users))
	}
	require.Equal(t, digest.Stale, g.Check(now.Add(time.Minute), login(t, first, "secret", 2), "INVITE", "sip:bank@x", users))
	require.NotEqual(t, digest.Good, g.Check(now.Add(time.Minute), login(t, first, "secret", 1), "INVITE", "sip:bank@x", users), "a request from before the nonce was dropped")
}

// Errors never repeat what came: it may hold a response worth guessing on.
func TestErrorsHoldNoValues(t *testing.T) {
	for _, value := range []string{
		`Digest username="alice", realm="r", nonce="n", uri="u", response="SECRET", qop=auth`,
		`Digest username="alice", response="SECRET"`, `Digest response="SECRET`, `Digest response="SECRET", nc=12, realm="r"`,
	} {
		_, err := digest.ParseCredentials(value)
		require.ErrorIs(t, err, fault.Invalid)
		require.NotContains(t, fmt.Sprint(err), "SECRET")
	}
}

// What parses is written so that it parses to the same.
func FuzzDigest(f *testing.F) {
	f.Add(`Digest realm="a", nonce="1", qop="auth", algorithm=SHA-256, opaque="\"", stale=true`)
	f.Add(`Digest username="a", realm="b", nonce="c", uri="sip:x", response="d", qop=auth, nc=00000001, cnonce="e"`)
	f.Add(`Basic x, Digest realm=a,nonce=b,qop="auth , auth-int"`)
	f.Add(`Digest ="`)
	f.Fuzz(func(t *testing.T, value string) {
		if all, err := digest.ParseChallenges(value); err == nil {
			for _, c := range all {
				_, _ = c.Answer("u", "p", digest.Request{Method: "INVITE", URI: "sip:x", CNonce: "c", NC: 1})
				if strings.ContainsAny(c.Algorithm, " ,\"=\t") || strings.ContainsAny(strings.Join(c.QOP, ""), "\"\\") {
					continue
				}
				back, err := digest.ParseChallenges(c.String())
				if err != nil || len(back) != 1 || back[0].Nonce != c.Nonce || back[0].Realm != c.Realm || back[0].Opaque != c.Opaque {
					t.Fatalf("%q became %q: %v", value, c.String(), err)
				}
			}
		}
		if c, err := digest.ParseCredentials(value); err == nil {
			g := digest.NewGuard(c.Realm, 0, true)
			if g.Check(time.Unix(1, 0), c, "INVITE", c.URI, users) == digest.Good {
				t.Fatal("a stranger is let in")
			}
		}
	})
}
