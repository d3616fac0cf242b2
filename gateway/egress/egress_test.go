package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/engine/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary listens on loopback and counts who comes.
func canary(t testing.TB) (port string, hits *atomic.Int32) {
	hits = &atomic.Int32{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			hits.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port, hits
}

// names is a resolver of a test: each look-up of a name gives its next answer.
type names struct {
	asked atomic.Int32
	say   func(n int32, host string) ([]netip.Addr, error)
}

func (r *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return r.say(r.asked.Add(1), host)
}

func always(ips ...string) *names {
	return &names{say: func(int32, string) ([]netip.Addr, error) {
		var all []netip.Addr
		for _, ip := range ips {
			all = append(all, netip.MustParseAddr(ip))
		}
		return all, nil
	}}
}

func guard(t testing.TB, o Options) *Guard {
	g := New(o)
	t.Cleanup(g.Close)
	return g
}

func get(t testing.TB, c *http.Client, at string) (string, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, at, nil)
	if err != nil {
		return "", err
	}
	res, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(Limit(res.Body, 1<<20))
	return string(b), err
}

func TestNoSpellingOfAnInnerAddressIsDialled(t *testing.T) {
	port, hits := canary(t)
	g := guard(t, Options{Resolver: always("127.0.0.1")})
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0X7F.1", "017700000001", "0177.0.0.1", "127.0.0.1.",
		"127.0.0.01", "0", "0.0.0.0", "localhost", "LOCALHOST.", "a.localhost", "inner.example", "127.0.0.1.nip.example",
		"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
		"[2002:7f00:1::]", "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2a00::5efe:7f00:1]", "[2a00::200:5efe:7f00:1]",
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200", "169.254.169.254", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255", "198.18.0.1",
		"①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "127.0.0.1%2f", "%31%32%37.0.0.1", "x@127.0.0.1", "user:pw@127.0.0.1",
	} {
		_, err := get(t, g.Client(), "http://"+host+":"+port+"/")
		if assert.Error(t, err, host) && fault.KindOf(err) != fault.Denied {
			var parse *url.Error // the URL itself does not hold
			assert.ErrorAs(t, err, &parse, host)
		}
		bare := strings.Trim(host, "[]")
		_, err = g.DialContext(t.Context(), "tcp", net.JoinHostPort(bare, port))
		assert.ErrorIs(t, err, fault.Denied, host)
	}
	for _, at := range []string{"file:///etc/passwd", "gopher://127.0.0.1:" + port, "ftp://127.0.0.1:" + port, "unix:/run/x", "http://", "//127.0.0.1:" + port, "http:127.0.0.1"} {
		_, err := get(t, g.Client(), at)
		assert.Error(t, err, at)
	}
	assert.Zero(t, hits.Load(), "nobody came to the canary")
}

// Any IPv4 address that is not public stays so in every wrapping, and a public
// one passes.
func TestAnAddressIsJudgedAsWhatItIs(t *testing.T) {
	inner := []netip.Prefix{p("10.0.0.0/8"), p("127.0.0.0/8"), p("172.16.0.0/12"), p("192.168.0.0/16"), p("169.254.0.0/16"), p("100.64.0.0/10"), p("0.0.0.0/8"), p("224.0.0.0/4"), p("240.0.0.0/4")}
	rapid.Check(t, func(rt *rapid.T) {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(rt, "address"))
		if rapid.Bool().Draw(rt, "inner") {
			base := rapid.SampledFrom(inner).Draw(rt, "net")
			host := base.Masked().Addr().As4()
			for i := range b {
				free := 8 * (i + 1)
				switch {
				case base.Bits() >= free:
					b[i] = host[i]
				case base.Bits() > free-8:
					mask := byte(0xff) >> (base.Bits() % 8)
					b[i] = host[i] | b[i]&mask
				}
			}
		}
		v4 := netip.AddrFrom4(b)
		bad := v4.IsPrivate() || v4.IsLoopback() || v4.IsLinkLocalUnicast() || v4.IsMulticast() || v4.IsUnspecified()
		for _, in := range inner {
			bad = bad || in.Contains(v4)
		}
		h := fmt.Sprintf("%02x%02x:%02x%02x", b[0], b[1], b[2], b[3])
		for _, text := range []string{
			v4.String(), "::ffff:" + v4.String(), "::ffff:" + h, "64:ff9b::" + h, "2002:" + h + "::", "2a00:1450::5efe:" + h,
		} {
			why := forbidden(netip.MustParseAddr(text))
			if bad && why == "" {
				rt.Fatalf("%s may be dialled", text)
			}
			if !bad && (why == "") != (forbidden(v4) == "") {
				rt.Fatalf("%s and %s are judged differently", text, v4)
			}
		}
		for _, text := range []string{
			fmt.Sprint(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])),
			fmt.Sprintf("0x%08x", b), fmt.Sprintf("0%o.0%o.%d.%d", b[0], b[1], b[2], b[3]), fmt.Sprintf("%d.%d", b[0], b[3]),
		} {
			if _, err := netip.ParseAddr(text); err != nil && !odd(text) {
				rt.Fatalf("%s passes as a name", text)
			}
		}
	})
	for _, public := range []string{"8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"} {
		assert.Empty(t, forbidden(netip.MustParseAddr(public)), public)
	}
	for _, at := range []string{"https://bücher.example/x?y", "http://a_b.example", "http://8.8.8.8", "http://[2606:4700::1]"} {
		u, err := url.Parse(at)
		require.NoError(t, err)
		assert.NoError(t, CheckURL(u), at)
	}
	for _, name := range []string{"example.org", "xn--bcher-kva.example", "a.b.c.d1", "0x.example", "1.2.3.4.example"} {
		assert.False(t, odd(name), name)
	}
}

// A name that means a public address when it is checked and an inner one when it
// is dialled: it is looked up once, and what was checked is dialled.
func TestANameIsLookedUpOnceAndTheCheckedAddressDialled(t *testing.T) {
	port, hits := canary(t)
	flips := &names{say: func(n int32, _ string) ([]netip.Addr, error) {
		if n == 1 {
			return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}}
	g := guard(t, Options{Resolver: flips})
	var dialled []string
	g.dial = func(_ context.Context, _, addr string) (net.Conn, error) { // nothing leaves this machine
		dialled = append(dialled, addr)
		return nil, errors.New("dial tcp 93.184.216.34: no route")
	}
	_, err := get(t, g.Client(), "http://flips.example:"+port)
	require.ErrorIs(t, err, fault.Unavailable)
	assert.Equal(t, []string{"93.184.216.34:" + port}, dialled)
	assert.Equal(t, int32(1), flips.asked.Load())
	assert.NotContains(t, err.Error(), "93.184", "an error names the host, not what is behind it")
	_, err = get(t, g.Client(), "http://flips.example:"+port)
	require.ErrorIs(t, err, fault.Denied)
	assert.Len(t, dialled, 1)
	assert.Zero(t, hits.Load())
}

func TestOneBadAddressSpoilsAName(t *testing.T) {
	port, hits := canary(t)
	for _, ips := range [][]string{{"93.184.216.34", "127.0.0.1"}, {"::ffff:10.0.0.1"}, {"2606:4700::1", "fd00::1"}} {
		g := guard(t, Options{Resolver: always(ips...)})
		g.dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("something was dialled")
			return nil, errors.New("no")
		}
		_, err := g.DialContext(t.Context(), "tcp", "mixed.example:"+port)
		require.ErrorIs(t, err, fault.Denied)
		assert.ErrorContains(t, err, "mixed.example")
		for _, ip := range ips {
			assert.NotContains(t, err.Error(), ip)
		}
	}
	assert.Zero(t, hits.Load())
}

func TestWhatTheHouseNamedIsReached(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "inside") }))
	t.Cleanup(srv.Close)
	addr := strings.TrimPrefix(srv.URL, "http://")
	_, port, _ := net.SplitHostPort(addr)
	other, hits := canary(t)

	g := guard(t, Options{Allow: []string{addr, "Wiki.Inner:" + port}, Resolver: always("127.0.0.1"), Ports: []uint16{80, 443}})
	for _, at := range []string{srv.URL, "http://wiki.inner:" + port, "http://WIKI.inner.:" + port} {
		got, err := get(t, g.Client(), at)
		require.NoError(t, err, at)
		assert.Equal(t, "inside", got)
	}
	for _, at := range []string{"http://127.0.0.1:" + other, "http://wiki.inner:" + other, "http://other.inner:" + port, "http://other.inner", "http://127.1:" + port} {
		_, err := get(t, g.Client(), at)
		assert.ErrorIs(t, err, fault.Denied, at)
	}
	assert.Zero(t, hits.Load())
	require.NoError(t, CheckAllow([]string{"10.0.0.1:80", "[::1]:8080", "host:1"}))
	for _, bad := range []string{"", "10.0.0.1", ":80", "host:http", "host:0", "host:70000", "http://host:80"} {
		assert.ErrorIs(t, CheckAllow([]string{bad}), fault.Invalid, bad)
	}
	assert.Empty(t, New(Options{Allow: []string{"10.0.0.1", "*:80"}}).allow["10.0.0.1:80"])
}

// The environment's proxy would dial for us, unchecked.
func TestNoProxyFromTheEnvironment(t *testing.T) {
	port, hits := canary(t)
	for _, v := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(v, "http://127.0.0.1:"+port)
	}
	_, err := get(t, guard(t, Options{Resolver: always("10.0.0.1")}).Client(), "http://inner.example")
	require.ErrorIs(t, err, fault.Denied)
	assert.Zero(t, hits.Load())
	assert.Nil(t, New(Options{}).transport.Proxy)
}

func TestEachRedirectIsCheckedAgain(t *testing.T) {
	port, hits := canary(t)
	for _, to := range []string{"http://127.0.0.1:" + port + "/", "http://inner.example:" + port, "http://0x7f.1:" + port, "http://[::ffff:127.0.0.1]:" + port, "file:///etc/passwd", "http://me:pw@127.0.0.1:" + port} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}))
		g := guard(t, Options{Allow: []string{strings.TrimPrefix(srv.URL, "http://")}, Resolver: always("127.0.0.1")})
		_, err := get(t, g.Client(), srv.URL)
		assert.ErrorIs(t, err, fault.Denied, to)
		srv.Close()
	}
	assert.Zero(t, hits.Load())
}

func TestSecretsStayWithTheirHostAndRedirectsEnd(t *testing.T) {
	var second http.Header
	two := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { second = r.Header.Clone() }))
	t.Cleanup(two.Close)
	var one *httptest.Server
	kept := ""
	one = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away": // the same address under another port
			http.Redirect(w, r, two.URL, http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/kept", http.StatusFound)
		case "/kept":
			kept = r.Header.Get("Authorization")
		default:
			http.Redirect(w, r, "/round", http.StatusFound)
		}
	}))
	t.Cleanup(one.Close)
	g := guard(t, Options{Allow: []string{strings.TrimPrefix(one.URL, "http://"), strings.TrimPrefix(two.URL, "http://")}})
	do := func(path string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, one.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer canary")
		r.Header.Set("Cookie", "sid=canary")
		r.Header.Set("X-Other", "goes along")
		res, err := g.Client().Do(r)
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	}
	require.NoError(t, do("/away"))
	assert.Equal(t, "goes along", second.Get("X-Other"))
	assert.Empty(t, second.Get("Authorization"))
	assert.Empty(t, second.Get("Cookie"))
	assert.Empty(t, second.Get("Referer"))
	require.NoError(t, do("/here"))
	assert.Equal(t, "Bearer canary", kept)
	err := do("/round")
	require.ErrorIs(t, err, fault.Denied)
	assert.ErrorContains(t, err, "more than 5 redirects")
}

func TestWhyAHostIsNotReached(t *testing.T) {
	port, _ := canary(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := l.Addr().String()
	require.NoError(t, l.Close())
	g := guard(t, Options{Allow: []string{closed}})
	_, err = g.DialContext(t.Context(), "tcp", closed)
	require.ErrorIs(t, err, fault.Unavailable)
	assert.ErrorContains(t, err, "connection refused")

	gone := guard(t, Options{Resolver: &names{say: func(int32, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "x", Server: "10.1.2.3:53", IsNotFound: true}
	}}})
	_, err = gone.DialContext(t.Context(), "tcp", "x.example:"+port)
	require.ErrorIs(t, err, fault.Unavailable)
	assert.ErrorContains(t, err, `"x.example" cannot be reached: no such name`)
	assert.NotContains(t, err.Error(), "10.1.2.3")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = gone.DialContext(ctx, "tcp", "x.example:"+port)
	assert.ErrorIs(t, err, fault.Cancelled)
}

func TestABodyIsReadToItsLimitAndNotBeyond(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, most := rapid.IntRange(0, 300).Draw(rt, "bytes"), rapid.Int64Range(0, 300).Draw(rt, "limit")
		got, err := io.ReadAll(Limit(io.NopCloser(strings.NewReader(strings.Repeat("x", n))), most))
		if int64(n) <= most && (err != nil || len(got) != n) {
			rt.Fatalf("%d of %d: %d, %v", n, most, len(got), err)
		}
		if int64(n) > most && (!errors.Is(err, fault.Invalid) || int64(len(got)) > most) {
			rt.Fatalf("%d of %d: %d, %v", n, most, len(got), err)
		}
	})
}

// Whatever a URL is, the canary on loopback stays alone, and nothing is dialled
// but what may be.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1", "http://0x7f.1/", "http://[::1]:80/", "http://①.example", "https://a@b:1", "http://x:99999", "http://%31", "//x"} {
		f.Add(s)
	}
	g := New(Options{Resolver: always("127.0.0.1")})
	g.dial = func(_ context.Context, _, addr string) (net.Conn, error) {
		at, err := netip.ParseAddrPort(addr)
		if err != nil || forbidden(at.Addr()) != "" {
			panic("dialled " + addr)
		}
		return nil, errors.New("nothing leaves this machine")
	}
	f.Fuzz(func(t *testing.T, at string) {
		if _, err := get(t, g.Client(), at); err == nil {
			t.Fatalf("%q was fetched", at)
		}
	})
}
