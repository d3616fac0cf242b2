package agents_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider/vendortest"
	"flametree/test/house"
)

const shelfDocument = `openapi: 3.0.3
info: {title: Shelf, version: "1"}
servers: [{url: "URL/v1"}]
paths:
  /books/{id}:
    get:
      operationId: getBook
      summary: Says where a book stands.
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {"200": {description: ok}}
  /books:
    post:
      operationId: addBook
      summary: Takes a book in.
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [title], properties: {title: {type: string}}}}}
      responses: {"201": {description: made}}
    delete:
      operationId: burnBooks
      responses: {"204": {description: gone}}
`

// shelf is an API that wants a token and notes what was asked.
type shelf struct {
	mu    sync.Mutex
	asked []string
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Title string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+body.Title))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Authorization") != "Bearer "+canary {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"error":"who are you"}`)
		return
	}
	_, _ = fmt.Fprint(w, `{"shelf":"north wall"}`)
}

func (s *shelf) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

const librarianFile = `name: Librarian
type: inbound_text
identity: You know the books.
welcome_message: Hush.
knowledge:
  core: The library closes at six.
openapi:
  - name: Shelf
    document: shelf.yaml
    operations: [getBook, addBook]
    auth: {kind: bearer, value_env: SHELF_TOKEN}
env:
  SHELF_TOKEN: {value: TOKEN, secret: true}
models:
  llm: {provider: openai_compatible, base_url: URL/v1, model: m}
`

// TestAnAgentUsesOperationsOfAnAPI calls two operations of a document, with a
// token from a secret variable that stands in no event; what the file did not
// choose is no tool.
func TestAnAgentUsesOperationsOfAnAPI(t *testing.T) {
	t.Parallel()
	th, f, api := newThinker(t), newFolder(t), &shelf{}
	url, _ := vendortest.Local(t, api)
	f.write("shelf.yaml", strings.ReplaceAll(shelfDocument, "URL", url))
	file := f.write("agent.yaml", strings.NewReplacer("URL", th.url, "value: TOKEN", "value: "+canary).Replace(librarianFile))
	o := serve(t, house.Options{}, th.url, url)
	d := o.talk(o.save(file))
	require.Contains(t, d.says(`use getBook {"id":"a b/c"}`), "north wall")
	require.Contains(t, d.says(`use addBook {"body":{"title":"Ferries"}}`), "north wall")
	d.says("use burnBooks")
	require.NotEmpty(t, d.last().Refused, "an operation that was not chosen")
	d.says(`use addBook {"body":{"name":"Ferries"}}`)
	require.NotEmpty(t, d.last().Fault+d.last().Refused, "an argument that the document does not have")
	require.Equal(t, []string{"GET /v1/books/a b/c", "POST /v1/books Ferries"}, api.requests())
	for _, e := range house.Journal(t, o.Data) {
		if e.Kind != "agent.saved" && !strings.Contains(e.Stream, "agent/") {
			require.NotContains(t, e.Raw, canary)
		}
	}
	require.NotContains(t, o.Log(), canary)
	for _, r := range th.Received() {
		require.NotContains(t, string(r.Body), canary, "no model sees the token")
	}
}

// TestAnAPIThatNobodyAllowedIsNotReached lets the call fail; the agent answers.
func TestAnAPIThatNobodyAllowedIsNotReached(t *testing.T) {
	t.Parallel()
	th, f, api := newThinker(t), newFolder(t), &shelf{}
	url, _ := vendortest.Local(t, api)
	f.write("shelf.yaml", strings.ReplaceAll(shelfDocument, "URL", url))
	file := f.write("agent.yaml", strings.NewReplacer("URL", th.url, "value: TOKEN", "value: "+canary).Replace(librarianFile))
	o := serve(t, house.Options{}, th.url)
	d := o.talk(o.save(file))
	require.NotEmpty(t, d.says(`use getBook {"id":"1"}`))
	require.NotEmpty(t, d.last().Fault)
	require.Empty(t, api.requests())
	require.Contains(t, o.refused("agent", "save", f.write("none.yaml", strings.NewReplacer("shelf.yaml", "none.json", "URL", th.url).Replace(librarianFile))), "none.json")
	f.write("shelf.yaml", "openapi: 3.0.3\npaths: [1]\n")
	require.Contains(t, o.refused("agent", "validate", file), "shelf.yaml")
	require.Contains(t, o.refused("agent", "save", file), "kept as a draft")
}
