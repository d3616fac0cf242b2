// Package openapi is the edge to services that describe themselves with an
// OpenAPI document: each operation becomes one tool. Documents of 3.0 and 3.1
// are read by kin-openapi, JSON or YAML; their schemas become JSON Schema
// 2020-12 without references, where 3.0 differs (nullable, boolean exclusive
// bounds) by rules of our own. The arguments of a call fill a request whose
// scheme, host and path the document and its owner fixed.
//
// It refuses to be a guard of addresses: the client is given in. It sends and
// shows no forms, files, cookies or XML, follows no reference out of a document,
// and repeats no request.
package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"flametree/engine/fault"
	"flametree/engine/tool/remote"
)

// MaxDocument bounds a document, in bytes.
const MaxDocument = 10 << 20

// document is a parsed one.
type document struct {
	doc  *openapi3.T
	root map[string]any // the same, generic, for the references of its schemas
	v30  bool
}

// parse reads a document. Errors name a line, a reference or a place in it, and
// wrap fault.Invalid; what does not keep the rules but can be used is a warning.
func parse(ctx context.Context, data []byte) (*document, []string, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("openapi: %s: %w", fmt.Sprintf(format, args...), fault.Invalid)
	}
	if len(data) > MaxDocument {
		return nil, nil, bad("the document has %d bytes, at most %d can be read", len(data), MaxDocument)
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	if len(data) == 0 {
		return nil, nil, bad("the document is empty")
	}
	if data[0] == '{' {
		var syntax *json.SyntaxError
		if err := json.Unmarshal(data, &map[string]any{}); errors.As(err, &syntax) {
			line, column := place(data, syntax.Offset)
			return nil, nil, bad("line %d, column %d: %s", line, column, remote.Printable(syntax.Error(), 200))
		}
	}
	loader := openapi3.NewLoader()
	loader.Context = ctx
	loader.IsExternalRefsAllowed = false
	loader.ReadFromURIFunc = func(_ *openapi3.Loader, at *url.URL) ([]byte, error) {
		return nil, fmt.Errorf("the reference %q leads out of the document; put what it names inside", at.String())
	}
	doc, err := load(loader, data)
	if err != nil {
		return nil, nil, bad("%s", remote.Printable(plain(err), 400))
	}
	switch {
	case doc.OpenAPI == "" && doc.Extensions["swagger"] != nil:
		return nil, nil, bad("this is a Swagger 2 document; convert it to OpenAPI 3")
	case !strings.HasPrefix(doc.OpenAPI, "3."):
		return nil, nil, bad("the field openapi is %q, it must be 3.0.x or 3.1.x", remote.Printable(doc.OpenAPI, 20))
	case doc.Paths.Len() == 0:
		return nil, nil, bad("the document has no paths")
	}
	d := &document{doc: doc, v30: strings.HasPrefix(doc.OpenAPI, "3.0")}
	raw, err := doc.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(raw, &d.root)
	}
	if err != nil {
		return nil, nil, bad("%s", remote.Printable(err.Error(), 400))
	}
	return d, d.remarks(ctx), nil
}

// load turns a panic of the parser into an error: the document is a stranger's.
func load(l *openapi3.Loader, data []byte) (doc *openapi3.T, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, errors.New("the document cannot be understood")
		}
	}()
	return l.LoadFromData(data)
}

// remarks are what a strict reader finds; nothing that we need depends on it.
func (d *document) remarks(ctx context.Context) (said []string) {
	defer func() {
		if r := recover(); r != nil {
			said = []string{"the document cannot be checked as a whole"}
		}
	}()
	if err := d.doc.Validate(ctx, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaPatternValidation()); err != nil {
		return []string{"the document does not keep all rules: " + remote.Printable(err.Error(), 300)}
	}
	return nil
}

// plain takes the half of kin's error that tells something: it tries JSON, then
// YAML, and reports both.
func plain(err error) string {
	text := err.Error()
	if _, yaml, ok := strings.Cut(text, "yaml error: "); ok {
		return yaml
	}
	return text
}

// place is where an offset stands, counted from 1.
func place(data []byte, offset int64) (line, column int) {
	before := data[:min(int(offset), len(data))]
	line = bytes.Count(before, []byte("\n")) + 1
	return line, max(1, len(before)-bytes.LastIndexByte(before, '\n')-1)
}

// method is one operation with where it stands.
type method struct {
	verb, path string
	item       *openapi3.PathItem
	op         *openapi3.Operation
}

// methods lists the operations, ordered by path and verb.
func (d *document) methods() []method {
	var all []method
	for path, item := range d.doc.Paths.Map() {
		if item == nil {
			continue
		}
		for verb, op := range item.Operations() {
			if op != nil {
				all = append(all, method{strings.ToUpper(verb), path, item, op})
			}
		}
	}
	slices.SortFunc(all, func(a, b method) int {
		return strings.Compare(a.path+" "+a.verb, b.path+" "+b.verb)
	})
	return all
}

// base is the address all requests begin with: what the options say, else the
// document's first server with its variables' defaults.
func (d *document) base(override string) (*url.URL, error) {
	text := override
	if text == "" && len(d.doc.Servers) > 0 {
		text = filled(d.doc.Servers[0])
	}
	return absolute(text)
}

func absolute(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("openapi: the server %q is no http or https URL with host and path alone; give a base URL: %w", remote.Printable(text, 100), fault.Invalid)
	}
	return u, nil
}

func filled(s *openapi3.Server) string {
	text := s.URL
	for name, v := range s.Variables {
		if v != nil {
			text = strings.ReplaceAll(text, "{"+name+"}", v.Default)
		}
	}
	return text
}

// Import fetches a document through a client, which is the guard's. Errors wrap
// what the client said, or fault.Invalid and fault.Unavailable.
func Import(ctx context.Context, from string, client *http.Client) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil || client == nil {
		return nil, fmt.Errorf("openapi: the document's address is no URL: %w", fault.Invalid)
	}
	r.Header.Set("Accept", "application/json, application/yaml, */*;q=0.5")
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("openapi: the document cannot be fetched: %w", unsent(ctx, err))
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("openapi: the document cannot be fetched: HTTP %d: %w", res.StatusCode, kindOf(res.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("openapi: the document cannot be read to its end: %w", unsent(ctx, err))
	}
	if len(data) > MaxDocument {
		return nil, fmt.Errorf("openapi: the document has more than %d bytes: %w", MaxDocument, fault.Invalid)
	}
	return data, nil
}
