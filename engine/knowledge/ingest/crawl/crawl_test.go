package crawl_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/crawl"
	"flametree/engine/knowledge/ingest/parse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a web site on loopback that counts who asks for what.
type site struct {
	*httptest.Server
	mux   *http.ServeMux
	mu    sync.Mutex
	asked []string
}

func newSite(t *testing.T) *site {
	s := &site{mux: http.NewServeMux()}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.RequestURI())
		s.mu.Unlock()
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// page serves a page of HTML.
func (s *site) page(path, body string) {
	s.serve(path, "text/html; charset=utf-8", "<!DOCTYPE html><html><head><title>T</title></head><body>"+body+"</body></html>")
}

func (s *site) serve(path, media, body string) {
	if path == "/" {
		path = "/{$}"
	}
	s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		_, _ = io.WriteString(w, body)
	})
}

func reader(ctx context.Context, r io.Reader, name string) (parse.Document, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return parse.Document{}, err
	}
	var doc parse.Document
	err = parse.Read(ctx, parse.Input{At: bytes.NewReader(b), Size: int64(len(b)), Name: name}, parse.Collect(&doc))
	return doc, err
}

// client reaches nothing but the given addresses, as the guard would see to it.
func client(t *testing.T, allowed ...string) *http.Client {
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		for _, a := range allowed {
			if u, err := url.Parse(a); err == nil && u.Host == address {
				return nil
			}
		}
		return fmt.Errorf("dial %s: %w", address, fault.Denied)
	}}
	tr := &http.Transport{DialContext: d.DialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// walked runs a walk and gives its pages by their address on the site.
func walked(t *testing.T, s *site, change func(*crawl.Options)) (map[string]crawl.Page, crawl.Report, error) {
	t.Helper()
	pages := map[string]crawl.Page{}
	opt := crawl.Options{Client: client(t, s.URL), Read: reader, Every: time.Microsecond, Each: func(p crawl.Page) error {
		pages[strings.TrimPrefix(p.Address, s.URL)] = p
		return nil
	}}
	if change != nil {
		change(&opt)
	}
	r, err := crawl.Run(t.Context(), s.URL, opt)
	return pages, r, err
}

func text(p crawl.Page) string {
	var b strings.Builder
	for _, s := range p.Doc.Sections {
		b.WriteString(s.Heading + " " + s.Text + "\n")
	}
	return b.String()
}

func links(to ...string) string {
	var b strings.Builder
	for _, l := range to {
		fmt.Fprintf(&b, `<a href="%s">go</a> `, l)
	}
	return b.String()
}

func TestASiteIsReadPageByPage(t *testing.T) {
	s := newSite(t)
	s.serve("/robots.txt", "text/plain", "User-agent: *\nDisallow: /secret\nSitemap: "+s.URL+"/map.xml\n")
	s.serve("/map.xml", "application/xml", `<urlset><url><loc>`+s.URL+`/only-in-map</loc></url><url><loc>http://elsewhere.example/x</loc></url></urlset>`)
	s.page("/", "<p>Welcome to the workshop of bells.</p>"+links("/about", "about?utm_source=x#team", "/secret/plan", "/gone", "http://elsewhere.example/", "mailto:a@b.c", "/list.csv", "/picture.png", "/cyrillic", "/wide"))
	s.page("/about", "<p>We cast bells since 1820.</p>"+links("/"))
	s.page("/only-in-map", "<p>A page that no link leads to.</p>")
	s.page("/secret/plan", "<p>secret</p>")
	s.serve("/list.csv", "text/csv", "bell,price\nsmall,20\nlarge,90\n")
	s.serve("/picture.png", "image/png", "\x89PNG")
	s.serve("/cyrillic", "text/html; charset=windows-1251", "<html><head><meta charset=utf-8></head><body><p>\xca\xee\xeb\xee\xea\xee\xeb\xe0 \xe8 \xe7\xe2\xee\xed\xfb</p></body></html>")
	s.serve("/wide", "text/html", "<html><head><meta charset=windows-1251></head><body><p>\xca\xee\xeb\xee\xea\xee\xeb \xe1\xee\xeb\xfc\xf8\xee\xe9</p></body></html>")
	pages, report, err := walked(t, s, nil)
	require.NoError(t, err)
	require.Contains(t, text(pages["/"]), "workshop of bells")
	require.Contains(t, text(pages["/about"]), "since 1820")
	require.Contains(t, text(pages["/only-in-map"]), "no link leads to")
	require.Contains(t, text(pages["/list.csv"]), "bell: large\nprice: 90")
	require.Contains(t, text(pages["/cyrillic"]), "Колокола и звоны")
	require.Contains(t, text(pages["/wide"]), "Колокол большой")
	require.Equal(t, crawl.Missing, pages["/gone"].Status)
	require.Equal(t, crawl.Unread, pages["/picture.png"].Status)
	require.Equal(t, crawl.Robots, pages["/secret/plan"].Status)
	require.Equal(t, s.URL+"/about", pages["/about"].Doc.Source)
	require.Equal(t, 6, report.Pages[crawl.Read])
	asked := s.requests()
	require.NotContains(t, asked, "/secret/plan", "robots.txt is obeyed")
	n := 0
	for _, a := range asked {
		if strings.HasPrefix(a, "/about") {
			n++
		}
	}
	require.Equal(t, 1, n, "one page has one address: %v", asked)
}

func TestWhatIsWrongWithAPageIsSaid(t *testing.T) {
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }))
	defer inner.Close()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the site was left") }))
	defer other.Close()
	s := newSite(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(inner.URL, "http://"))
	require.NoError(t, err)
	redirect := func(path, to string) {
		s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	}
	status := func(path string, code int) {
		s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	status("/401", 401)
	status("/500", 500)
	redirect("/members", "/login?next=/members")
	s.page("/form", "<form><input name=user><input type=password><p>Please log in.</p></form>")
	redirect("/out", other.URL+"/x")
	redirect("/in", "http://127.0.0.1:"+port+"/admin")
	redirect("/loop", "/loop2")
	redirect("/loop2", "/loop")
	redirect("/moved", "/about")
	s.page("/about", "<p>Something about us that is not elsewhere.</p>")
	s.page("/noindex", `<meta name=robots content=noindex><p>Not for machines.</p>`)
	s.page("/script", `<div id=app></div><script>render()</script>`)
	s.serve("/huge", "text/html", "<html><p>"+strings.Repeat("x ", 1<<20))
	s.mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	s.mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "<html>")
	})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 16 {
		_, err := z.Write(make([]byte, 1<<20))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	s.mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	s.serve("/bad.pdf", "application/pdf", "PK\x03\x04 rubbish")
	want := map[string]crawl.Status{
		"/401": crawl.Login, "/500": crawl.Failed, "/members": crawl.Login, "/form": crawl.Login, "/out": crawl.Outside,
		"/in": crawl.Outside, "/noindex": crawl.Robots, "/script": crawl.Empty, "/huge": crawl.TooLong, "/slow": crawl.Failed,
		"/cut": crawl.Failed, "/bomb": crawl.TooLong, "/bad.pdf": crawl.Unread, "/about": crawl.Read,
	}
	var all []string
	for path := range want {
		all = append(all, path)
	}
	s.page("/", "<p>Start of everything.</p>"+links(append(all, "/loop", "/moved")...))
	pages, _, err := walked(t, s, func(o *crawl.Options) { o.MaxPage, o.Timeout = 1<<20, 2*time.Second })
	require.NoError(t, err)
	for path, status := range want {
		require.Equal(t, status, pages[path].Status, "%s: %s", path, pages[path].Reason)
		require.Equal(t, status == crawl.Read, pages[path].Reason == "", path)
	}
	looped := pages["/loop"].Status == crawl.Failed || pages["/loop2"].Status == crawl.Failed
	require.True(t, looped, "a circle of redirects ends")
}

func TestTheGuardRefusesAnInnerAddress(t *testing.T) {
	s := newSite(t)
	s.page("/", "<p>x</p>")
	_, err := crawl.Run(t.Context(), s.URL, crawl.Options{Client: client(t), Read: reader, Every: time.Microsecond})
	require.ErrorIs(t, err, fault.Denied)
	require.ErrorContains(t, err, "not public")
	require.Empty(t, s.requests())
}

// A redirect inside the site is dialled through the guard, too.
func TestARedirectToAPrivateAddressIsRefusedByTheGuard(t *testing.T) {
	s := newSite(t)
	s.page("/", "<p>Start here.</p>"+links("/away"))
	s.mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+strings.TrimPrefix(s.URL, "http://")+"/admin", http.StatusFound)
	})
	plain := client(t, s.URL)
	guard := *plain
	guard.Transport = transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme == "https" {
			return nil, fmt.Errorf("egress: 10.0.0.7 is private: %w", fault.Denied)
		}
		return plain.Transport.RoundTrip(r)
	})
	pages, _, err := walked(t, s, func(o *crawl.Options) { o.Client = &guard })
	require.NoError(t, err)
	for path, p := range pages {
		if strings.HasSuffix(path, "/admin") || path == "/away" {
			require.Equal(t, crawl.Blocked, p.Status, path)
			return
		}
	}
	t.Fatalf("the redirect was not told of: %v", pages)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnEndlessCalendarIsLeft(t *testing.T) {
	s := newSite(t)
	s.page("/", "<p>A village with a calendar.</p>"+links("/calendar/2026/1", "/bend/x", "/about"))
	s.page("/about", "<p>A page that comes after the calendar.</p>")
	s.mux.HandleFunc("/calendar/{year}/{month}", func(w http.ResponseWriter, r *http.Request) {
		var y, m int
		_, _ = fmt.Sscan(r.PathValue("year"), &y)
		_, _ = fmt.Sscan(r.PathValue("month"), &m)
		if m++; m > 12 {
			y, m = y+1, 1
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><body><p>Nothing is planned in the village in %s %d, come again.</p>%s</body></html>", time.Month(m), y, links(fmt.Sprintf("/calendar/%d/%d", y, m)))
	})
	s.mux.HandleFunc("/bend/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><body><p>Bend %d.</p>%s</body></html>", len(r.URL.Path), links("x/x", "x/y/x"))
	})
	pages, report, err := walked(t, s, func(o *crawl.Options) { o.MaxDepth = 1000 })
	require.NoError(t, err)
	require.Equal(t, crawl.Read, pages["/about"].Status)
	require.Less(t, len(s.requests()), 40)
	require.Positive(t, report.Pages[crawl.Endless])
	require.Empty(t, report.Limit, "the walk ended by itself")
}

func TestLimits(t *testing.T) {
	wide := func(t *testing.T) *site {
		s := newSite(t)
		var to []string
		for i := range 50 {
			to = append(to, fmt.Sprintf("/word%c%c", 'a'+i/26, 'a'+i%26))
			s.page(to[i], fmt.Sprintf("<p>Page of the word %s.</p>%s", strings.Repeat(string(rune('a'+i%26)), 5+i), links(to[i]+"deeper")))
			s.page(to[i]+"deeper", "<p>deeper</p>")
		}
		s.page("/", "<p>All words.</p>"+links(to...))
		return s
	}
	s := wide(t)
	_, report, err := walked(t, s, func(o *crawl.Options) { o.MaxPages = 10 })
	require.NoError(t, err)
	require.Equal(t, "10 pages", report.Limit)
	require.Positive(t, report.Left)
	require.LessOrEqual(t, len(s.requests()), 12, "robots.txt and the map besides")

	s = wide(t)
	_, report, err = walked(t, s, func(o *crawl.Options) { o.MaxBytes = 2000 })
	require.NoError(t, err)
	require.Contains(t, report.Limit, "MB")

	s = wide(t)
	_, _, err = walked(t, s, func(o *crawl.Options) { o.MaxDepth = 1 })
	require.NoError(t, err)
	for _, a := range s.requests() {
		require.NotContains(t, a, "deeper")
	}
}

func TestAWalkCanBeStopped(t *testing.T) {
	s := newSite(t)
	s.page("/", "<p>Start.</p>"+links("/hang"))
	ctx, cancel := context.WithCancel(t.Context())
	s.mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	report, err := crawl.Run(ctx, s.URL, crawl.Options{Client: client(t, s.URL), Read: reader, Every: time.Microsecond, Timeout: time.Minute})
	require.ErrorIs(t, err, fault.Cancelled)
	require.Equal(t, 1, report.Pages[crawl.Read], "what was read stays counted")

	full := fmt.Errorf("the store is full: %w", fault.Exhausted)
	_, err = crawl.Run(t.Context(), s.URL, crawl.Options{Client: client(t, s.URL), Read: reader, Every: time.Microsecond, Each: func(crawl.Page) error { return full }})
	require.ErrorIs(t, err, full)
}

func TestAServerThatAsksUsToWait(t *testing.T) {
	s := newSite(t)
	var times atomic.Int32
	s.mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		if times.Add(1) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><p>Here we are.")
	})
	_, _, err := walked(t, s, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, times.Load())
}

func TestASiteThatCannotBeReadIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*site)
		kind fault.Kind
		want string
	}{
		"all is forbidden": {func(s *site) { s.serve("/robots.txt", "text/plain", "User-agent: *\nDisallow: /\n") }, fault.Denied, "robots.txt"},
		"robots.txt is broken": {func(s *site) {
			s.mux.HandleFunc("/robots.txt", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		}, fault.Unavailable, "answers 500"},
		"there is no start page": {func(*site) {}, fault.NotFound, "404"},
		"a login": {func(s *site) {
			s.mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
		}, fault.Denied, "only public pages"},
		"only scripts": {func(s *site) { s.page("/", "<script>x</script>") }, fault.Invalid, "without its scripts"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.set(s)
			_, _, err := walked(t, s, nil)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
		})
	}
	for _, bad := range []string{"", "ftp://x.example", "http://", "https://user:pass@x.example/", "http://[::1", "javascript://x"} {
		_, err := crawl.Run(t.Context(), bad, crawl.Options{Client: http.DefaultClient, Read: reader})
		require.ErrorIs(t, err, fault.Invalid, bad)
		require.NotContains(t, err.Error(), "pass@", bad)
	}
}

func TestAgentsOwnRulesAndDelay(t *testing.T) {
	s := newSite(t)
	s.serve("/robots.txt", "text/plain", "User-agent: flametree\nCrawl-delay: 0.05\nDisallow: /ours\n\nUser-agent: *\nDisallow: /\n")
	s.page("/", "<p>For us, too.</p>"+links("/ours", "/a"))
	s.page("/a", "<p>Another page.</p>")
	begun := time.Now()
	pages, _, err := walked(t, s, nil)
	require.NoError(t, err)
	require.Equal(t, crawl.Robots, pages["/ours"].Status)
	require.Equal(t, crawl.Read, pages["/a"].Status)
	require.GreaterOrEqual(t, time.Since(begun), 100*time.Millisecond, "three requests after the rules are known have two pauses")
}

func FuzzRobotsMapAndPage(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /x*$\nCrawl-delay: 1e9\n", `<sitemapindex><sitemap><loc>/m</loc></sitemap></sitemapindex>`, `<base href="//x"><a href="http://[">`)
	f.Add("\x00", "\x1f\x8b", `<link rel=canonical href="?"><meta name=robots content=none>`)
	f.Fuzz(func(t *testing.T, robots, siteMap, page string) {
		rt := transport(func(r *http.Request) (*http.Response, error) {
			body, media := "<html>"+page, "text/html"
			switch r.URL.Path {
			case "/robots.txt":
				body, media = robots, "text/plain"
			case "/sitemap.xml":
				body, media = siteMap, "application/xml"
			}
			if r.URL.Host != "a.example" {
				t.Fatalf("the site was left for %s", r.URL)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = crawl.Run(ctx, "http://a.example", crawl.Options{Client: &http.Client{Transport: rt}, Read: reader, Every: time.Microsecond, MaxPages: 5})
	})
}
