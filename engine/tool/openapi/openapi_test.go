package openapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/openapi"
	"flametree/engine/tool/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is a request as the service got it.
type seen struct {
	Method, URI, Host, Body string
	Header                  http.Header
}

// service records what arrives and answers as a test says.
func service(t testing.TB, answer http.HandlerFunc) (*httptest.Server, *atomic.Pointer[seen]) {
	var last atomic.Pointer[seen]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last.Store(&seen{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone()})
		if answer != nil {
			answer(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
	}))
	t.Cleanup(srv.Close)
	return srv, &last
}

func client(t testing.TB) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func kennel(t testing.TB, base string, change ...func(*openapi.Options)) (tool.Runner, []string) {
	t.Helper()
	doc, err := os.ReadFile("testdata/kennel.yaml")
	require.NoError(t, err)
	o := openapi.Options{Name: "kennel", Document: doc, BaseURL: base, HTTP: client(t), Timeout: 20 * time.Second}
	for _, f := range change {
		f(&o)
	}
	r, warnings, err := openapi.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r, warnings
}

func run(r tool.Runner, name, args string) (string, error) {
	out, err := r.Run(context.Background(), tool.Call{Name: name, Key: "key-1", Args: []byte(args)})
	return string(out.Value), err
}

func names(r tool.Runner) (all []string) {
	for _, s := range r.Tools() {
		all = append(all, s.Name)
	}
	return all
}

func spec(t testing.TB, r tool.Runner, name string) tool.Spec {
	t.Helper()
	for _, s := range r.Tools() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no tool %q", name)
	return tool.Spec{}
}

func TestEachOperationIsATool(t *testing.T) {
	r, warnings := kennel(t, "", func(o *openapi.Options) { o.Timeout = 0 })
	assert.Equal(t, []string{"listDogs", "add_dog", "removeDog", "get_dogs_dogId", "file"}, sortedLike(names(r)))
	said := strings.Join(warnings, "\n")
	assert.Contains(t, said, "POST /photos is left out: its body is no JSON")
	assert.Contains(t, said, "GET /cookie is left out")
	assert.Contains(t, said, "GET /elsewhere is left out: it has a server of its own")
	assert.Contains(t, said, "POST /dogs is called add_dog")

	list := spec(t, r, "listDogs")
	assert.Equal(t, "kennel", list.Group)
	assert.Equal(t, tool.DefaultTimeout, list.Timeout)
	assert.False(t, list.SideEffect)
	assert.Equal(t, "Find dogs", list.Description)
	assert.Contains(t, string(list.Schema), "words to look for")
	assert.NotContains(t, string(list.Schema), "Authorization", "no argument sets it")
	assert.Contains(t, string(list.Schema), `"exclusiveMinimum":0`)

	add := spec(t, r, "add_dog")
	assert.True(t, add.SideEffect)
	assert.NotContains(t, string(add.Schema), "$ref")
	assert.NotContains(t, string(add.Schema), `"id"`, "what only a server writes")
	assert.Contains(t, string(add.Schema), `["number","null"]`)
}

// sortedLike puts names into the order of the story above.
func sortedLike(all []string) []string {
	order := []string{"listDogs", "add_dog", "removeDog", "get_dogs_dogId", "file"}
	var out []string
	for _, want := range order {
		for _, n := range all {
			if n == want {
				out = append(out, n)
			}
		}
	}
	if len(out) != len(all) {
		return all
	}
	return out
}

func TestArgumentsBecomeTheRequest(t *testing.T) {
	srv, last := service(t, nil)
	r, _ := kennel(t, srv.URL+"/base/")
	cases := map[string]struct{ name, args, method, uri, body string }{
		"a word with all that must be escaped": {"listDogs", `{"q":"a&b=c d#é/?+%"}`, "GET", "/base/dogs?q=a%26b%3Dc+d%23%C3%A9%2F%3F%2B%25", ""},
		"a list, exploded":                     {"listDogs", `{"tag":["a","b&c"]}`, "GET", "/base/dogs?tag=a&tag=b%26c", ""},
		"a list in one":                        {"listDogs", `{"ids":[1,2]}`, "GET", "/base/dogs?ids=1%2C2", ""},
		"a deep object":                        {"listDogs", `{"size":{"max":9,"min":1}}`, "GET", "/base/dogs?size%5Bmax%5D=9&size%5Bmin%5D=1", ""},
		"a free object":                        {"listDogs", `{"free":{"colour":"red"}}`, "GET", "/base/dogs?colour=red", ""},
		"JSON in the query":                    {"listDogs", `{"filter":{"a":[1]}}`, "GET", "/base/dogs?filter=%7B%22a%22%3A%5B1%5D%7D", ""},
		"an identifier with a slash":           {"get_dogs_dogId", `{"dogId":"a/b?c#d"}`, "GET", "/base/dogs/a%2Fb%3Fc%23d", ""},
		"two in one path":                      {"file", `{"dogId":"7","file":"a b"}`, "GET", "/base/dogs/7/files/a%20b.json", ""},
		"a body":                               {"add_dog", `{"body":{"name":"Rex","age":null,"mother":{"name":"Ada","mother":{"anything":1}}}}`, "POST", "/base/dogs", `{"name":"Rex","age":null,"mother":{"name":"Ada","mother":{"anything":1}}}`},
		"a number as long as it was":           {"add_dog", `{"body":{"name":"Rex","age":12345678901234567890}}`, "POST", "/base/dogs", `{"age":12345678901234567890,"name":"Rex"}`},
		"a removal":                            {"removeDog", `{"dogId":"é"}`, "DELETE", "/base/dogs/%C3%A9", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := run(r, c.name, c.args)
			require.NoError(t, err)
			got := last.Load()
			assert.Equal(t, c.method, got.Method)
			assert.Equal(t, c.uri, got.URI)
			if c.body != "" {
				assert.JSONEq(t, c.body, got.Body)
				assert.Contains(t, got.Body, strings.Trim(c.body[strings.LastIndex(c.body, ":")+1:], "}"))
				assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
			}
			want := ""
			if c.method != "GET" {
				want = "key-1"
			}
			assert.Equal(t, want, got.Header.Get("Idempotency-Key"))
		})
	}
	_, err := run(r, "listDogs", `{"X-Trace":"t1"}`)
	require.NoError(t, err)
	assert.Equal(t, "t1", last.Load().Header.Get("X-Trace"))
}

func TestArgumentsThatDoNotFitNeverLeave(t *testing.T) {
	srv, last := service(t, nil)
	r, _ := kennel(t, srv.URL)
	cases := map[string]struct{ name, args, want string }{
		"a word for a number":            {"listDogs", `{"limit":"secret words"}`, `/limit: it wants "integer"`},
		"a number below the bound":       {"listDogs", `{"limit":0}`, "/limit: it breaks exclusiveMinimum"},
		"an unknown argument":            {"listDogs", `{"colour":"red"}`, `unexpected additional properties ["colour"]`},
		"a missing one":                  {"get_dogs_dogId", `{}`, `missing properties: ["dogId"]`},
		"a missing part of the body":     {"add_dog", `{"body":{}}`, `/body: required: missing properties: ["name"]`},
		"no object":                      {"add_dog", `[1]`, "no JSON object"},
		"broken JSON":                    {"add_dog", `{"body":`, "no JSON object"},
		"two values":                     {"add_dog", `{"body":{"name":"x"}} {}`, "no JSON object"},
		"an empty part of the path":      {"get_dogs_dogId", `{"dogId":""}`, "/dogId: it is empty"},
		"a way up":                       {"get_dogs_dogId", `{"dogId":".."}`, "another path"},
		"a way up inside":                {"get_dogs_dogId", `{"dogId":"x/../../admin"}`, "another path"},
		"a way up with backslashes":      {"get_dogs_dogId", `{"dogId":"..\\admin"}`, "another path"},
		"a line break in a path":         {"get_dogs_dogId", `{"dogId":"a\r\nHost: b"}`, "control characters"},
		"a line break in a header":       {"listDogs", `{"X-Trace":"a\r\nHost: b"}`, "plain characters"},
		"another parameter in an object": {"listDogs", `{"q":"mine","free":{"q":"theirs"}}`, "another parameter has this name"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := run(r, c.name, c.args)
			require.ErrorIs(t, err, fault.Invalid)
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "secret words", "values may be a person's")
			assert.Nil(t, last.Load(), "nothing left")
		})
	}
}

// Whatever the arguments are, the request goes to the host and path of the
// document.
func TestNoArgumentLeadsElsewhere(t *testing.T) {
	srv, last := service(t, nil)
	r, _ := kennel(t, srv.URL+"/base")
	nasty := []string{"/", "\\", "..", ".", "%2e", "%2F", "@", "//", ":", "?", "#", "&", "=", "evil.example", "http://evil.example/", "é", " ", "[", "]", ";", "a"}
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(nasty), 1, 6).Draw(rt, "parts"), "")
		file := strings.Join(rapid.SliceOfN(rapid.SampledFrom(nasty), 1, 6).Draw(rt, "file"), "")
		args, _ := json.Marshal(map[string]string{"dogId": text, "file": file})
		last.Store(nil)
		_, err := run(r, "file", string(args))
		got := last.Load()
		if err != nil {
			if got != nil {
				rt.Fatalf("%s failed (%v) but left as %s", args, err, got.URI)
			}
			return
		}
		parts := strings.Split(got.URI, "/")
		if len(parts) != 6 || "http://"+got.Host != srv.URL || got.Method != "GET" {
			rt.Fatalf("%s went to %s %s %s", args, got.Method, got.Host, got.URI)
		}
		id, _ := url.PathUnescape(parts[3])
		name, _ := url.PathUnescape(parts[5])
		if id != text || name != file+".json" || strings.ContainsAny(got.URI, "?#") {
			rt.Fatalf("%s arrived as %s", args, got.URI)
		}
	})
}

func TestAuthentication(t *testing.T) {
	srv, last := service(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "you sent %v %v", r.Header.Get("Authorization"), r.Header.Get("X-Key"))
	})
	for name, c := range map[string]struct {
		auth         remote.Auth
		header, want string
	}{
		"a bearer token":    {remote.Auth{Kind: remote.AuthBearer, Value: "s3cret"}, "Authorization", "Bearer s3cret"},
		"user and password": {remote.Auth{Kind: remote.AuthBasic, Value: "me:s3cret"}, "Authorization", "Basic bWU6czNjcmV0"},
		"a header":          {remote.Auth{Kind: remote.AuthHeader, Header: "x-key", Value: "s3cret"}, "X-Key", "s3cret"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := kennel(t, srv.URL, func(o *openapi.Options) { o.Auth = c.auth })
			_, err := run(r, "listDogs", `{}`)
			assert.Equal(t, c.want, last.Load().Header.Get(c.header))
			require.ErrorIs(t, err, fault.Denied)
			assert.ErrorContains(t, err, "HTTP 403: you sent")
			assert.NotContains(t, err.Error(), "s3cret")
			assert.NotContains(t, err.Error(), "bWU6czNjcmV0")
		})
	}
}

// A read follows a redirect, without the secret if it leads elsewhere; what
// changes something does not.
func TestRedirects(t *testing.T) {
	other, elsewhere := service(t, nil)
	srv, _ := service(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/there", http.StatusTemporaryRedirect)
	})
	r, _ := kennel(t, srv.URL, func(o *openapi.Options) {
		o.Auth = remote.Auth{Kind: remote.AuthHeader, Header: "X-Key", Value: "s3cret"}
	})
	_, err := run(r, "removeDog", `{"dogId":"1"}`)
	require.ErrorIs(t, err, fault.Invalid)
	assert.ErrorContains(t, err, "HTTP 307")
	assert.Nil(t, elsewhere.Load())
	_, err = run(r, "listDogs", `{"q":"x"}`)
	require.NoError(t, err)
	assert.Equal(t, "/there", elsewhere.Load().URI)
	assert.Empty(t, elsewhere.Load().Header.Get("X-Key"))
	assert.Empty(t, elsewhere.Load().Header.Get("Referer"), "it holds the query")
}

func TestAnswers(t *testing.T) {
	cases := map[string]struct {
		status        int
		kind, body    string
		value, reason string
		fault         fault.Kind
	}{
		"JSON":                   {200, "application/json", ` {"a": 1}`, `{"a": 1}`, "", ""},
		"a text":                 {200, "text/plain", "two\n<b>lines", `"two\n<b>lines"`, "", ""},
		"nothing":                {204, "", "", `{"status":204}`, "", ""},
		"a problem":              {422, "application/problem+json", `{"title":"Too young","detail":"a dog is 8 weeks old at least"}`, "", "HTTP 422: Too young: a dog is 8 weeks old at least", fault.Invalid},
		"a message in an error":  {404, "application/json", `{"error":{"message":"no such dog"}}`, "", "HTTP 404: no such dog", fault.NotFound},
		"a page":                 {502, "text/html", "<html>bad gateway</html>", "", "HTTP 502", fault.Unavailable},
		"too many requests":      {429, "text/plain", "slow down", "", "HTTP 429: slow down", fault.Exhausted},
		"a conflict":             {409, "", "", "", "HTTP 409", fault.Conflict},
		"broken JSON":            {200, "application/json", `{"a":`, "", "broken JSON", fault.Unavailable},
		"a picture":              {200, "image/png", "\x89PNG\x00\xff", "", `of type "image/png", is no text`, fault.Invalid},
		"a text of 65 KB":        {200, "text/plain", strings.Repeat("x", 65<<10), "", "larger than 65536 bytes", fault.Invalid},
		"an endless error":       {500, "text/plain", strings.Repeat("x", 65<<10), "", "HTTP 500: xxx", fault.Unavailable},
		"an escape in a message": {400, "text/plain", "a\x1b[2Jb", "", "a [2Jb", fault.Invalid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			srv, _ := service(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			r, _ := kennel(t, srv.URL)
			got, err := run(r, "listDogs", `{}`)
			if c.reason == "" {
				require.NoError(t, err)
				assert.Equal(t, strings.TrimSpace(c.value), strings.TrimSpace(got))
				return
			}
			require.ErrorIs(t, err, c.fault)
			assert.ErrorContains(t, err, c.reason)
			assert.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestAServiceThatDoesNotAnswer(t *testing.T) {
	srv, _ := service(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r, _ := kennel(t, srv.URL, func(o *openapi.Options) { o.Timeout = 50 * time.Millisecond })
	_, err := run(r, "listDogs", `{"q":"private words"}`)
	require.ErrorIs(t, err, fault.Unavailable)
	assert.ErrorContains(t, err, "in time")

	slow, _ := kennel(t, srv.URL)
	failed := make(chan error, 1)
	go func() { _, err := run(slow, "listDogs", `{}`); failed <- err }()
	require.NoError(t, slow.Close())
	require.ErrorIs(t, <-failed, fault.Unavailable)

	dead := httptest.NewServer(nil)
	dead.Close()
	gone, _ := kennel(t, dead.URL)
	_, err = run(gone, "listDogs", `{"q":"private words"}`)
	require.ErrorIs(t, err, fault.Unavailable)
	assert.NotContains(t, err.Error(), "private", "the query is a person's")
}
