// Package catalog_test keeps catalogues of products as their owner does, by the
// commands of the real program, and as an outside editor does, by the link of an
// invitation, and asks agents over the Chat API what they sell. It looks at
// nothing that these people cannot see.
package catalog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider/vendortest"
	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

// adviser is a model on loopback that looks up what it is asked for and repeats
// what it found; "tools" says which tools it was offered.
type adviser struct {
	*vendortest.Server
	url string
}

func newAdviser(t *testing.T) *adviser {
	t.Helper()
	a := &adviser{Server: vendortest.OpenAI("")}
	a.url, _ = vendortest.Local(t, a)
	return a
}

// ServeHTTP implements http.Handler.
func (a *adviser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.Then(advice(body))
	a.Server.ServeHTTP(w, r)
}

func advice(body []byte) vendortest.Reply {
	var q struct {
		Messages []struct{ Role, Content string }
		Format   json.RawMessage `json:"response_format"`
		Tools    []struct{ Function struct{ Name string } }
	}
	if json.Unmarshal(body, &q) != nil || len(q.Messages) == 0 || len(q.Format) > 0 {
		return vendortest.Reply{} // an extraction gets the JSON of its schema
	}
	last := q.Messages[len(q.Messages)-1]
	var names []string
	for _, t := range q.Tools {
		names = append(names, t.Function.Name)
	}
	sells := strings.Contains(strings.Join(names, " "), "SearchProducts")
	switch {
	case last.Role == "tool":
		return vendortest.Reply{Text: []string{"We have this: " + last.Content}}
	case last.Content == "tools" || !sells:
		return vendortest.Reply{Text: []string{"My tools are " + strings.Join(names, ", ")}}
	case strings.HasPrefix(last.Content, "sku "):
		return call("GetProduct", map[string]string{"sku": strings.TrimPrefix(last.Content, "sku ")})
	}
	return call("SearchProducts", map[string]string{"query": last.Content})
}

func call(name string, args map[string]string) vendortest.Reply {
	text, _ := json.Marshal(args) // a map of texts always marshals
	return vendortest.Reply{Calls: []vendortest.Call{{ID: "call_1", Name: name, Args: []string{string(text)}}}}
}

// place is a running server with its owner at the keyboard.
type place struct {
	*house.Server
	t     *testing.T
	model *adviser
	dir   string
}

// open starts a server with agents of testdata, whose model is the adviser.
func open(t *testing.T, agents ...string) *place {
	t.Helper()
	p := &place{t: t, model: newAdviser(t), dir: t.TempDir()}
	p.start(filepath.Join(t.TempDir(), "data"), agents...)
	return p
}

func (p *place) start(data string, agents ...string) {
	p.t.Helper()
	o := house.Options{Data: data, Silent: true, Env: []string{"FLAMETREE_EGRESS_ALLOW=" + strings.TrimPrefix(p.model.url, "http://")}}
	for _, a := range agents {
		o.Agents = append(o.Agents, p.agent(a))
	}
	p.Server = house.Serve(p.t, o)
}

// agent is an agent file of testdata with the adviser as its model.
func (p *place) agent(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(p.t, err)
	return p.write(name, string(text)+fmt.Sprintf("models:\n  llm: {provider: openai_compatible, base_url: %s/v1, model: adviser}\n", p.model.url))
}

func (p *place) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	require.NoError(p.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (p *place) args(args []string) []string {
	return append([]string{"--data", p.Data, "catalog"}, args...)
}

// must runs a command about catalogues that has to succeed.
func (p *place) must(args ...string) string {
	p.t.Helper()
	return house.Must(p.t, p.args(args)...)
}

// fails runs one that has to fail and returns what it says.
func (p *place) fails(args ...string) string {
	p.t.Helper()
	r := house.Command(p.t, p.args(args)...)
	require.NotZero(p.t, r.Code, "%v\n%s", args, r.Out)
	return r.Out + r.Err
}

// asks opens a conversation and returns what says the next thing in it.
func (p *place) asks(agent string) func(text string) string {
	p.t.Helper()
	c := p.Chat(p.Agent(p.t, agent))
	id := c.MustOpen(p.t, "guest")
	return func(text string) string { return c.MustSay(p.t, id, text).Text }
}

// editor is somebody outside with a link.
type editor struct {
	t          *testing.T
	base, link string
	token      string
}

var linkLine = regexp.MustCompile(`(?m)^(http://\S+)/invite/catalog#(\S+)$`)

// invite makes a link and hands it over.
func (p *place) invite(catalog string) *editor {
	p.t.Helper()
	out := p.must("invite", catalog)
	m := linkLine.FindStringSubmatch(out)
	require.NotNil(p.t, m, out)
	return &editor{t: p.t, base: m[1], link: m[0], token: m[2]}
}

// send calls what the page calls.
func (e *editor) send(method, path, body string) (int, string) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.base+"/api/v1/invited/catalog"+path, strings.NewReader(body))
	require.NoError(e.t, err)
	req.Header.Set("Authorization", "Bearer "+e.token)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(e.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	return resp.StatusCode, string(text)
}

func (e *editor) must(method, path, body string) string {
	e.t.Helper()
	code, text := e.send(method, path, body)
	require.Equal(e.t, 200, code, "%s %s: %s", method, path, text)
	return text
}

func sku(s string) string { return "/products?" + url.Values{"sku": {s}}.Encode() }

// quietly is send while the server may be gone.
func (e *editor) quietly(method, path, body string) (int, error) {
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.base+"/api/v1/invited/catalog"+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+e.token)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, err
}
