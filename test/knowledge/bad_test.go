package knowledge_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// canary notes every connection to an address that nobody may reach.
func canary(t *testing.T) (address string, touched *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	touched = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			touched.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().String(), touched
}

func TestWhatCannotBeReadIsToldWithWhatToDo(t *testing.T) {
	t.Parallel()
	private, touched := canary(t)
	login := `<html><head><title>Members</title></head><body><form action="/in"><input name="user"><input type="password" name="pw"><button>Log in</button></form></body></html>`
	web := newSite(t, map[string]string{"/login": login, "/away": "http://" + private + "/secret", "/": page("Harbour", welcome, "/away")})
	p := serve(t, "", []*site{web}, "harbour.yaml")
	samples := samples(t)
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	require.NoError(t, os.WriteFile(bad, []byte("- question: What?\n- answer: So.\n"), 0o600))
	for name, one := range map[string]struct {
		args []string
		says string
	}{
		"a login page":                 {[]string{"add", web.URL + "/login"}, "only public pages can be read"},
		"a redirect to a private host": {[]string{"add", web.URL + "/away"}, "it leads to another site"},
		"a private host":               {[]string{"add", "http://" + private + "/"}, "not public"},
		"a page that is not there":     {[]string{"add", web.URL + "/none"}, "no page of"},
		"an encrypted PDF":             {[]string{"add", filepath.Join(samples, "password.pdf")}, "protected by a password"},
		"a scanned PDF":                {[]string{"add", filepath.Join(samples, "scan.pdf")}, "character recognition"},
		"an address of no scheme":      {[]string{"add", "ftp://example.com/"}, "http"},
		"a FAQ with a hole":            {[]string{"add", "--faq", bad}, "bad.yaml 1:"},
		"a FAQ without questions":      {[]string{"add", "--faq", filepath.Join(samples, "prices.csv")}, "no questions"},
		"an unknown agent":             {[]string{"add", "--text", "x", "--title", "y", "--agent", "nobody"}, "there is no agent"},
		"nothing":                      {[]string{"add"}, "give one of"},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			require.Contains(t, p.fails(one.args...), one.says)
		})
	}
	p.t = t
	for _, s := range p.list() {
		require.Equal(t, "Error", s.Status, "%+v", s)
		require.NotEmpty(t, s.Failure)
	}
	// A site one page of which leads to a private host is read without it.
	require.Contains(t, p.must("add", web.URL+"/", "--title", "Site"), "/away")
	require.Zero(t, touched.Load(), "the private address was dialled")
	require.Contains(t, p.asks("Harbour")("How much does a berth cost?"), "14 euros", "the agent goes on")
}

func TestWithoutAServerTheCommandSaysSo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"list"}, {"add", "--text", "x", "--title", "y"}, {"search", "x"}, {"unanswered"}} {
		r := house.Command(t, append([]string{"--data", t.TempDir(), "knowledge"}, args...)...)
		require.NotZero(t, r.Code)
		require.Contains(t, strings.ToLower(r.Err), "flametree serve", "%v", args)
	}
}
