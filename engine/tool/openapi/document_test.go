package openapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/tool/openapi"
	"flametree/engine/tool/remote"
)

func made(t testing.TB, doc string, change ...func(*openapi.Options)) ([]string, []string, error) {
	t.Helper()
	o := openapi.Options{Name: "g", Document: []byte(doc), BaseURL: "http://127.0.0.1:1", HTTP: client(t)}
	for _, f := range change {
		f(&o)
	}
	r, warnings, err := openapi.New(o)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { _ = r.Close() })
	return names(r), warnings, nil
}

const head = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},`

func TestABrokenDocumentSaysWhere(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.json")
	require.NoError(t, os.WriteFile(secret, []byte(`{"type":"string","title":"canary"}`), 0o600))
	var reached atomic.Int32
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		io.WriteString(w, `{"type":"string"}`)
	}))
	t.Cleanup(canary.Close)
	refers := func(ref string) string {
		return head + `"paths":{"/a":{"get":{"operationId":"a","parameters":[{"name":"p","in":"query","schema":{"$ref":"` + ref + `"}}],"responses":{"200":{"description":"x"}}}}}}`
	}
	cases := map[string]struct{ doc, want string }{
		"empty":                  {"  \n", "is empty"},
		"JSON cut off":           {head + "\n\n\"paths\":{", "line 3, column 9"},
		"a comma too many":       {"{\n  \"openapi\": \"3.0.0\",\n}", "line 3, column 1"},
		"a tab in YAML":          {"openapi: 3.0.3\npaths:\n\t/a: {}\n", "line 3"},
		"a text":                 {"hello", "unmarshal"},
		"Swagger 2":              {`{"swagger":"2.0","info":{"title":"t","version":"1"},"paths":{"/a":{}}}`, "Swagger 2"},
		"no version":             {`{"info":{"title":"t","version":"1"},"paths":{"/a":{}}}`, "the field openapi"},
		"version 4":              {`{"openapi":"4.0.0","paths":{"/a":{}}}`, `"4.0.0"`},
		"no paths":               {head + `"paths":{}}`, "no paths"},
		"a path without methods": {head + `"paths":{"/a":{}}}`, "no operation"},
		"a reference to nothing": {refers("#/components/schemas/Nope"), "Nope"},
		"a reference to a host":  {refers(canary.URL + "/x.json"), "leads out of the document"},
		"a reference to a file":  {refers("file://" + secret), "leads out of the document"},
		"a reference to a path":  {refers(secret), "leads out of the document"},
		"a reference beside it":  {refers("other.yaml#/x"), "leads out of the document"},
		"the wrong type":         {head + `"paths":{"/a":{"get":{"parameters":7}}}}`, "parameters"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := made(t, c.doc)
			require.ErrorIs(t, err, fault.Invalid)
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "canary")
			assert.Less(t, len(err.Error()), 600)
		})
	}
	assert.Zero(t, reached.Load(), "nothing is fetched")
}

func TestWhatTheOptionsGetWrong(t *testing.T) {
	one := head + `"servers":[{"url":"/relative"}],"paths":{"/a":{"get":{"operationId":"a","responses":{"200":{"description":"x"}}}}}}`
	cases := map[string]struct {
		change func(*openapi.Options)
		kind   fault.Kind
		want   string
	}{
		"no client":                  {func(o *openapi.Options) { o.HTTP = nil }, fault.Denied, "no way out"},
		"a base that is no URL":      {func(o *openapi.Options) { o.BaseURL = "ftp://x" }, fault.Invalid, "give a base URL"},
		"a base with a password":     {func(o *openapi.Options) { o.BaseURL = "http://u:p@x" }, fault.Invalid, "give a base URL"},
		"a relative server":          {func(o *openapi.Options) { o.BaseURL = "" }, fault.Invalid, "give a base URL"},
		"an operation not there":     {func(o *openapi.Options) { o.Operations = []string{"a", "b"} }, fault.NotFound, `no operation "b"`},
		"51 operations":              {func(o *openapi.Options) { o.Operations = make([]string, 51) }, fault.Invalid, "at most 50"},
		"a minute":                   {func(o *openapi.Options) { o.Timeout = time.Minute }, fault.Invalid, "timeout"},
		"a token that breaks a line": {func(o *openapi.Options) { o.Auth = remote.Auth{Kind: remote.AuthBearer, Value: "a\nb"} }, fault.Invalid, "breaks its line"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := made(t, one, c.change)
			require.ErrorIs(t, err, c.kind)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestOperationsAreChosenAndNamed(t *testing.T) {
	var paths []string
	for i := range 60 {
		paths = append(paths, fmt.Sprintf(`"/p%02d":{"get":{"operationId":"op","responses":{"200":{"description":"x"}}},"post":{"responses":{"200":{"description":"x"}}}}`, i))
	}
	doc := head + `"paths":{` + strings.Join(paths, ",") + `}}`
	all, warnings, err := made(t, doc)
	require.NoError(t, err)
	assert.Len(t, all, 50)
	assert.Equal(t, []string{"op", "post_p00", "op_2", "post_p01"}, all[:4])
	assert.Contains(t, strings.Join(warnings, "\n"), "70 operations more than 50 are left out")
	all, _, err = made(t, doc, func(o *openapi.Options) { o.Operations = []string{"POST /p59", "GET /p03"} })
	require.NoError(t, err)
	assert.Equal(t, []string{"op", "post_p59"}, all)
}

// 3.1 is JSON Schema already: null is a type, bounds are numbers, a reference
// may have rules beside it, circles are cut.
func TestVersion31(t *testing.T) {
	doc := `
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /a:
    post:
      operationId: a
      requestBody:
        required: true
        content:
          application/json:
            schema:
              $ref: "#/components/schemas/Node"
              minProperties: 1
      responses: {"200": {description: ok}}
components:
  schemas:
    Node:
      type: object
      properties:
        kind: {const: leaf}
        size: {type: [integer, "null"], exclusiveMinimum: 0}
        next: {$ref: "#/components/schemas/Node"}
`
	srv, last := service(t, nil)
	r, warnings, err := openapi.New(openapi.Options{Name: "g", Document: []byte(doc), BaseURL: srv.URL, HTTP: client(t), Timeout: 20 * time.Second})
	require.NoError(t, err)
	assert.Empty(t, warnings)
	for args, want := range map[string]string{
		`{"body":{"kind":"leaf","size":null,"next":{"size":2}}}`: "",
		`{"body":{"kind":"tree"}}`:                               "/body",
		`{"body":{"size":0}}`:                                    "exclusiveMinimum",
		`{"body":{"size":"1"}}`:                                  "it wants",
		`{"body":{}}`:                                            "minProperties",
	} {
		_, err := run(r, "a", args)
		if want == "" {
			require.NoError(t, err)
			require.JSONEq(t, args, `{"body":`+last.Load().Body+`}`)
			continue
		}
		require.ErrorIs(t, err, fault.Invalid, args)
		assert.ErrorContains(t, err, want, args)
	}
}

func TestASchemaThatCannotBeWrittenOutLeavesItsOperationOut(t *testing.T) {
	fan := `"a0":{"type":"string"}`
	for i := range 20 {
		fan += fmt.Sprintf(`,"a%d":{"allOf":[{"$ref":"#/components/schemas/a%d"},{"$ref":"#/components/schemas/a%d"}]}`, i+1, i, i)
	}
	body := func(schema string) string {
		return head + `"components":{"schemas":{` + fan + `,"c1":{"$ref":"#/components/schemas/c2"},"c2":{"$ref":"#/components/schemas/c1"}}},"paths":{
		  "/good":{"get":{"operationId":"good","responses":{"200":{"description":"x"}}}},
		  "/bad":{"post":{"operationId":"bad","requestBody":{"required":true,"content":{"application/json":{"schema":` + schema + `}}},"responses":{"200":{"description":"x"}}}}}}`
	}
	all, warnings, err := made(t, body(`{"$ref":"#/components/schemas/a20"}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"good"}, all)
	assert.Contains(t, strings.Join(warnings, "\n"), "POST /bad is left out: the schema is too large or too deep")
	all, _, err = made(t, body(`{"$ref":"#/components/schemas/c1"}`))
	if err == nil { // a circle of nothing but references allows anything
		assert.Contains(t, all, "good")
	} else {
		assert.ErrorIs(t, err, fault.Invalid)
	}
}

func TestALargeDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + `"paths":{`)
	for i := 0; b.Len() < openapi.MaxDocument-2000; i++ {
		fmt.Fprintf(&b, `"/p%06d/{id}":{"get":{"operationId":"op%06d","description":"%s","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"200":{"description":"x"}}}},`, i, i, strings.Repeat("words ", 150))
	}
	b.WriteString(`"/last":{"get":{"operationId":"last","responses":{"200":{"description":"x"}}}}}}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	all, _, err := made(t, b.String(), func(o *openapi.Options) { o.Operations = []string{"last", "op000007"} })
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Equal(t, []string{"last", "op000007"}, all)
	t.Logf("figure: a document of %.1f MB in %v, %d MB allocated", float64(b.Len())/1e6, time.Since(began).Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30))

	_, _, err = made(t, b.String()+strings.Repeat(" ", 3000))
	require.ErrorIs(t, err, fault.Invalid)
	assert.ErrorContains(t, err, "at most 10485760")
}

func TestAnAliasBombInYAMLIsRefused(t *testing.T) {
	bomb := "openapi: 3.0.3\ninfo: {title: t, version: '1'}\nx-a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("x-a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	_, _, err := made(t, bomb+"paths: {}\n")
	require.ErrorIs(t, err, fault.Invalid)
}

func TestImport(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			io.WriteString(w, head+`"paths":{"/a":{"get":{"responses":{"200":{"description":"x"}}}}}}`)
		case "/large":
			for range 12 {
				w.Write(make([]byte, 1<<20))
			}
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	doc, err := openapi.Import(t.Context(), srv.URL+"/ok", client(t))
	require.NoError(t, err)
	all, _, err := made(t, string(doc))
	require.NoError(t, err)
	assert.Equal(t, []string{"get_a"}, all)
	_, err = openapi.Import(t.Context(), srv.URL+"/large", client(t))
	require.ErrorIs(t, err, fault.Invalid)
	_, err = openapi.Import(t.Context(), srv.URL+"/none?token=canary", client(t))
	require.ErrorIs(t, err, fault.NotFound)
	_, err = openapi.Import(t.Context(), "http://127.0.0.1:1/?token=canary", client(t))
	require.ErrorIs(t, err, fault.Unavailable)
	assert.NotContains(t, err.Error(), "canary")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = openapi.Import(ctx, srv.URL+"/ok", client(t))
	assert.ErrorIs(t, err, fault.Cancelled)
}

// Any bytes make tools or a located error.
func FuzzDocument(f *testing.F) {
	kennel, err := os.ReadFile("testdata/kennel.yaml")
	require.NoError(f, err)
	f.Add(kennel)
	f.Add([]byte(head + `"paths":{"/a/{b}":{"get":{"parameters":[{"name":"b","in":"path","required":true,"schema":{"$ref":"#/components/schemas/c"}}]}}},"components":{"schemas":{"c":{"$ref":"#/components/schemas/c"}}}}`))
	f.Add([]byte("openapi: 3.1.0\npaths: {/a: {$ref: '#/paths/~1a'}}\n"))
	f.Add([]byte(`{"openapi":"3.0.0","paths":{"/{":{"post":{"requestBody":{"content":{"a/b+json":null}}}}}}`))
	c := client(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		if len(doc) > 32<<10 {
			return
		}
		r, _, err := openapi.New(openapi.Options{Name: "g", Document: doc, BaseURL: "http://127.0.0.1:1", HTTP: c})
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid {
				t.Fatalf("%v: %v", k, err)
			}
			return
		}
		if len(r.Tools()) == 0 {
			t.Fatal("neither tools nor an error")
		}
		_ = r.Close()
	})
}
