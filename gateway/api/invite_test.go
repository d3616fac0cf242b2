package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/event"
	"flametree/gateway/api"
	"flametree/gateway/gatewaytest"
)

// stall is a catalogue in memory with one invitation.
type stall struct {
	mu    sync.Mutex
	state stock.State
	now   time.Time
}

const key = "a-token-of-many-characters"

func newStall(t *testing.T) *stall {
	t.Helper()
	s := &stall{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	made, err := s.state.Create(catalog.Catalogue{Name: "Chandlery", Description: "What sailors need", Currency: "EUR"})
	require.NoError(t, err)
	s.take(made)
	invited, err := s.state.Invite("inv", stock.TokenHash(key), s.now)
	require.NoError(t, err)
	s.take(invited)
	return s
}

func (s *stall) take(events []event.Event) {
	for _, e := range events {
		s.state.Apply(event.Envelope{Seq: s.state.Seq + 1, Time: s.now, Body: e})
	}
}

func (s *stall) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stall) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// with lets in who has the token, as the real room does.
func (s *stall) with(token string, do func(by string) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.state.Editor(stock.TokenHash(token), s.now)
	if err != nil {
		return err
	}
	return do(i.ID)
}

func (s *stall) Invited(_ context.Context, token string) (out api.Invitation, err error) {
	err = s.with(token, func(id string) error {
		out = api.Invitation{ID: id, About: s.state.About, Count: s.state.Products.Len(), Expires: s.state.Invitations[0].Expires}
		return nil
	})
	return out, err
}

func (s *stall) Products(_ context.Context, token string, f api.ProductFilter) (some []catalog.Product, all int, err error) {
	err = s.with(token, func(string) error {
		some, all = s.state.Products.Find(f.Text, f.Skip, f.Limit)
		return nil
	})
	return some, all, err
}

func (s *stall) Edit(_ context.Context, token string, e api.ProductEdit) error {
	return s.with(token, func(by string) error {
		var events []event.Event
		var err error
		if e.Item == nil {
			events, err = s.state.Drop([]string{e.Remove}, by)
		} else {
			which := stock.Old
			if e.New {
				which = stock.New
			}
			events, _, err = s.state.Stock([]catalog.Item{*e.Item}, which, by)
		}
		if err == nil {
			s.take(events)
		}
		return err
	})
}

func (s *stall) Import(_ context.Context, token string, f api.ProductFile) (r catalog.Report, err error) {
	err = s.with(token, func(by string) error {
		items, err := catalog.FromJSON(strings.NewReader(string(f.Data)))
		if err != nil {
			return err
		}
		events, changes, err := s.state.Stock(items, stock.Any, by)
		if err == nil && !f.Dry {
			s.take(events)
		}
		r = changes.Report(10)
		return err
	})
	return r, err
}

func (s *stall) Export(_ context.Context, token string, w io.Writer) error {
	return s.with(token, func(string) error { return catalog.WriteCSV(w, s.state.Products.All()) })
}

// guest is somebody outside with a link.
type guest struct {
	t     *testing.T
	site  *gatewaytest.Site
	token string
}

func newGuest(t *testing.T, s *stall) *guest {
	t.Helper()
	site := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{Mount: func(g *gatewaytest.Site) {
		api.MountInvite(g.Server, api.InviteOptions{Editors: s, Now: s.clock})
	}})
	return &guest{t: t, site: site, token: key}
}

func (g *guest) send(method, path, body string, header ...string) (int, string, http.Header) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.site.URL+path, strings.NewReader(body))
	require.NoError(g.t, err)
	if g.token != "" {
		req.Header.Set("Authorization", "Bearer "+g.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := g.site.Client.Do(req)
	require.NoError(g.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(g.t, err)
	return resp.StatusCode, string(text), resp.Header
}

const invited = "/api/v1/invited/catalog"

func TestAnOutsideEditorKeepsTheProductsOfOneCatalogue(t *testing.T) {
	g := newGuest(t, newStall(t))
	code, text, head := g.send("GET", invited, "")
	require.Equal(t, 200, code, text)
	require.JSONEq(t, `{"name":"Chandlery","description":"What sailors need","currency":"EUR","language":"","products":0,"expires":"2026-11-29T12:00:00Z"}`, text)
	require.Equal(t, "no-store", head.Get("Cache-Control"))

	code, text, _ = g.send("POST", invited+"/products", `{"sku":"L-1","title":"Life jacket","product_url":"https://s.example/l-1","price":1990.125,"tags":["new"]}`)
	require.Equal(t, 200, code, text)
	code, text, _ = g.send("POST", invited+"/products", `{"sku":"L-1","title":"Life jacket","product_url":"https://s.example/l-1"}`)
	require.Equal(t, 409, code, text)
	code, text, _ = g.send("PUT", invited+"/products", `{"sku":"L-1","title":"Blue life jacket"}`)
	require.Equal(t, 200, code, text)
	code, text, _ = g.send("GET", invited+"/products?text=BLUE&limit=10", "")
	require.Equal(t, 200, code)
	require.JSONEq(t, `{"all":1,"products":[{"sku":"L-1","title":"Blue life jacket","price":1990.125,"availability":"in_stock",
		"product_url":"https://s.example/l-1","tags":["new"],"active":true}]}`, text)

	code, text, _ = g.send("POST", invited+"/import?name=x.json&dry=1", `[{"sku":"K-1","title":"Kettle","product_url":"https://s.example/k"},{"sku":"K-2"}]`)
	require.Equal(t, 200, code, text)
	require.Contains(t, text, `"new":1`)
	code, text, head = g.send("GET", invited+"/export", "")
	require.Equal(t, 200, code)
	require.Contains(t, head.Get("Content-Disposition"), "products.csv")
	require.Contains(t, text, "L-1,Blue life jacket")
	require.NotContains(t, text, "K-1", "a dry run changes nothing")

	code, _, _ = g.send("DELETE", invited+"/products?"+url.Values{"sku": {"L-1"}}.Encode(), "")
	require.Equal(t, 200, code)
	code, text, _ = g.send("DELETE", invited+"/products?sku=L-1", "")
	require.Equal(t, 404, code)
	require.NotContains(t, text, ": not found", "a sentence for people")
}

func TestFaultsOfAProductAreToldAtTheirFields(t *testing.T) {
	g := newGuest(t, newStall(t))
	code, text, _ := g.send("POST", invited+"/products", `{"sku":"L-1","title":"","product_url":"javascript:alert(1)","price":"dear"}`)
	require.Equal(t, 422, code)
	var p struct {
		Errors []struct{ Location, Message string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	var where []string
	for _, e := range p.Errors {
		require.NotEmpty(t, e.Message)
		where = append(where, e.Location)
	}
	require.ElementsMatch(t, []string{"body.title", "body.product_url", "body.price"}, where)
	for name, c := range map[string]struct {
		method, path, body string
		code               int
	}{
		"no JSON":            {"POST", "/products", "{", 422},
		"a list":             {"POST", "/products", "[]", 422},
		"null":               {"PUT", "/products", "null", 404},
		"too large":          {"POST", "/products", `{"title":"` + strings.Repeat("x", 70_000) + `"}`, 413},
		"a bad window":       {"GET", "/products?skip=-1", "", 422},
		"no SKU":             {"DELETE", "/products", "", 422},
		"a file with a path": {"POST", "/import?name=..%2Fx.csv", "", 422},
		"a file of noise":    {"POST", "/import?name=x.json", "\x00\x01", 422},
	} {
		code, text, _ := g.send(c.method, invited+c.path, c.body)
		require.Equal(t, c.code, code, "%s: %s", name, text)
	}
}

func TestNobodyElseGetsIn(t *testing.T) {
	s := newStall(t)
	g := newGuest(t, s)
	calls := [][2]string{{"GET", ""}, {"GET", "/products"}, {"POST", "/products"}, {"PUT", "/products"}, {"DELETE", "/products?sku=A"}, {"POST", "/import?name=x.json"}, {"GET", "/export"}}
	refused := func(why string) {
		t.Helper()
		for _, c := range calls {
			code, text, _ := g.send(c[0], invited+c[1], "{}")
			require.Equal(t, 401, code, "%s: %s %s %s", why, c[0], c[1], text)
			require.Contains(t, text, "invitation_over")
			require.NotContains(t, text, key)
			require.NotContains(t, text, "Chandlery", "not even the catalogue's name is told")
		}
	}
	g.token = ""
	refused("no token")
	g.token = "another"
	refused("a wrong token")
	code, _, _ := g.send("GET", invited+"?token="+key, "")
	require.Equal(t, 401, code, "a token in an address is none: logs keep addresses")

	g.token = key
	code, _, _ = g.send("POST", invited+"/products", `{}`, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, 403, code, "not from another site's page")
	s.later(2 * time.Minute) // the wrong ones are forgiven
	s.later(stock.Life)
	refused("an expired link")
}

func TestGuessesAndGreedAreSlowedDown(t *testing.T) {
	s := newStall(t)
	g := newGuest(t, s)
	slowed := 0
	for i := range 40 {
		g.token = fmt.Sprint("guess-", i)
		code, _, head := g.send("GET", invited, "")
		if code == 429 {
			slowed++
			require.NotEmpty(t, head.Get("Retry-After"))
		}
	}
	require.Equal(t, 20, slowed, "twenty wrong ones a minute are answered")
	g.token = key
	code, _, _ := g.send("GET", invited, "")
	require.Equal(t, 200, code, "who has the link is not kept out by others at the same address")

	var codes []int
	for range 25 {
		code, _, _ = g.send("POST", invited+"/import?name=x.json&dry=1", "[]")
		codes = append(codes, code)
	}
	require.Equal(t, 200, codes[19])
	require.Equal(t, 429, codes[20], "files are dear to read")
	for range 240 {
		code, _, _ = g.send("GET", invited, "")
	}
	require.Equal(t, 429, code)
	s.later(time.Minute)
	code, _, _ = g.send("GET", invited, "")
	require.Equal(t, 200, code)
}

func TestThePageIsOursAloneAndKnowsNoToken(t *testing.T) {
	g := newGuest(t, newStall(t))
	g.token = ""
	for path, typ := range map[string]string{"/invite/catalog": "text/html", "/invite/page.css": "text/css", "/invite/page.js": "text/javascript"} {
		code, text, head := g.send("GET", path, "")
		require.Equal(t, 200, code, path)
		require.Contains(t, head.Get("Content-Type"), typ)
		require.Contains(t, head.Get("Content-Security-Policy"), "default-src 'none'")
		require.Equal(t, "no-referrer", head.Get("Referrer-Policy"))
		require.NotRegexp(t, `(src|href)="(https?:)?//`, text, "%s loads nothing from elsewhere", path)
		require.NotContains(t, text, "innerHTML", "what an editor writes is never markup")
	}
}
