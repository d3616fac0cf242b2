// Package knowledge_test fills the library of the real program by its commands,
// as the person who looks after it would, while the sites it reads stand on
// loopback, and asks its agents over the Chat API what they have learned. It
// looks at nothing that person cannot see.
package knowledge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

// patience bounds how long the server may take to read and index a little.
const patience = 60 * time.Second

// site is a website on loopback whose pages a test changes.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]string
	asked int
	held  chan struct{} // pages under /slow are given when it is closed
	slow  chan struct{} // is told when one of them is asked for
}

func newSite(t *testing.T, pages map[string]string) *site {
	t.Helper()
	s := &site{pages: pages, held: make(chan struct{}), slow: make(chan struct{}, 16)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked++
		page, ok := s.pages[r.URL.Path]
		held := s.held
		s.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/slow") {
			s.slow <- struct{}{}
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
		switch {
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(page, "http://"):
			http.Redirect(w, r, page, http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// page is a page of one paragraph, and of links.
func page(title, text string, links ...string) string {
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintf(&b, `<p><a href=%q>More</a></p>`, l)
	}
	return fmt.Sprintf(`<html><head><title>%s</title></head><body><article><h1>%s</h1><p>%s</p>%s</article></body></html>`, title, title, text, b.String())
}

func (s *site) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *site) host() string { return strings.TrimPrefix(s.URL, "http://") }

// place is a running server with its owner at the keyboard.
type place struct {
	*house.Server
	t *testing.T
}

func file(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	require.NoError(t, err)
	return path
}

// samples is the folder of documents that other programs wrote.
func samples(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "engine", "knowledge", "ingest", "parse", "testdata"))
	require.NoError(t, err)
	return path
}

// serve starts a server that may reach the sites, with agents of testdata.
func serve(t *testing.T, data string, sites []*site, agents ...string) *place {
	t.Helper()
	o := house.Options{Data: data}
	for _, a := range agents {
		if !filepath.IsAbs(a) {
			a = file(t, a)
		}
		o.Agents = append(o.Agents, a)
	}
	var allow []string
	for _, s := range sites {
		allow = append(allow, s.host())
	}
	o.Env = []string{"FLAMETREE_EGRESS_ALLOW=" + strings.Join(allow, ",")}
	o.Silent = true
	return &place{Server: house.Serve(t, o), t: t}
}

func (p *place) args(args []string) []string {
	return append([]string{"--data", p.Data, "knowledge"}, args...)
}

// must runs a command about knowledge that has to succeed.
func (p *place) must(args ...string) string {
	p.t.Helper()
	return house.Must(p.t, p.args(args)...)
}

// fails runs one that has to fail and returns what it says.
func (p *place) fails(args ...string) string {
	p.t.Helper()
	r := house.Command(p.t, p.args(args)...)
	require.NotZero(p.t, r.Code, "%v\n%s", args, r.Out)
	return r.Err
}

// source is a line of knowledge list --json.
type source struct {
	ID, Type, Title, Origin, Status, Failure, Owner string
	Agents, Warnings                                []string
	Entries, Chunks                                 int
	Run                                             int
	Progress                                        struct {
		Doing, What string
		Done        int
	}
}

func (p *place) list() []source {
	p.t.Helper()
	var out []source
	for line := range strings.Lines(p.must("list", "--json")) {
		var s source
		require.NoError(p.t, json.Unmarshal([]byte(line), &s))
		out = append(out, s)
	}
	return out
}

// source finds one by its title, waiting until it stands where it is wanted.
func (p *place) source(title, status string) source {
	p.t.Helper()
	var last []source
	for until := time.Now().Add(patience); time.Now().Before(until); {
		last = p.list()
		for _, s := range last {
			if s.Title == title && (status == "" || s.Status == status) {
				return s
			}
		}
	}
	p.t.Fatalf("no source %q is %s: %+v", title, status, last)
	return source{}
}

// found are the passages that an agent finds, "" = of the whole library.
func (p *place) found(query, agent string) string {
	p.t.Helper()
	args := []string{"search", query}
	if agent != "" {
		args = append(args, "--agent", agent)
	}
	return p.must(args...)
}

// asks opens a conversation and returns what asks the next question in it.
func (p *place) asks(agent string) func(question string) string {
	p.t.Helper()
	c := p.Chat(p.Agent(p.t, agent))
	id := c.MustOpen(p.t, "guest")
	return func(question string) string { return c.MustSay(p.t, id, question).Text }
}
