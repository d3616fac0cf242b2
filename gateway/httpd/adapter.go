package httpd

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// NewAPI describes an API on this server with huma. Its operations become
// routes; its refusals take our form; no document or page is served yet.
func NewAPI(s *Server, info huma.Info) huma.API {
	c := huma.DefaultConfig(info.Title, info.Version)
	c.Info = &info
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // else every body gets a $schema
	c.Transformers = []huma.Transformer{transform}
	// The map is huma's own and shared by all who take the default.
	c.Formats = map[string]huma.Format{
		"application/json": huma.DefaultJSONFormat,
		"json":             huma.DefaultJSONFormat, // what huma makes of application/problem+json
	}
	return huma.NewAPI(c, &adapter{s})
}

// BodyLimit and TimeLimit are keys of huma.Operation.Metadata that set the
// route's MaxBody (int64) and Timeout (time.Duration).
const (
	BodyLimit = "body_limit"
	TimeLimit = "time_limit"
)

type adapter struct{ srv *Server }

// Handle implements huma.Adapter.
func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	limit, _ := op.Metadata[BodyLimit].(int64)
	timeout, _ := op.Metadata[TimeLimit].(time.Duration)
	a.srv.Route(Route{
		Method: op.Method, Pattern: op.Path, MaxBody: limit, Timeout: timeout,
		Handle: func(r *Request) { handler(&humaContext{r: r, op: op}) },
	})
}

// ServeHTTP implements huma.Adapter for net/http, which we do not speak.
func (a *adapter) ServeHTTP(http.ResponseWriter, *http.Request) {
	panic("httpd: not a net/http server") // huma calls this only from its test helpers
}

// Buffer is the middleware that reads the body before huma does, so that a body
// over the limit is refused as what it is. Put it after the check of who calls.
func Buffer(c huma.Context, next func(huma.Context)) {
	r := RequestOf(c.Context())
	b, err := r.ReadAll()
	if err != nil {
		r.Fail(err)
		return
	}
	next(&buffered{read: c, body: b})
}

// read is a context whose body has been read; the name keeps the embedded
// interface from hiding its own method Context.
type read huma.Context

type buffered struct {
	read
	body []byte
}

// BodyReader implements huma.Context.
func (b *buffered) BodyReader() io.Reader { return bytes.NewReader(b.body) }

type humaContext struct {
	r  *Request
	op *huma.Operation
}

func (c *humaContext) Operation() *huma.Operation { return c.op }

func (c *humaContext) Context() context.Context { return c.r.ctx }

func (c *humaContext) TLS() *tls.ConnectionState { return c.r.raw.TLSConnectionState() }

func (c *humaContext) Version() huma.ProtoVersion {
	return huma.ProtoVersion{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

func (c *humaContext) Method() string { return c.r.Method() }

func (c *humaContext) Host() string { return c.r.Host() }

func (c *humaContext) RemoteAddr() string { return c.r.raw.RemoteAddr().String() }

func (c *humaContext) URL() url.URL {
	u, err := url.Parse(string(c.r.raw.RequestURI()))
	if err != nil {
		return url.URL{}
	}
	return *u
}

func (c *humaContext) Param(name string) string { return c.r.Param(name) }

func (c *humaContext) Query(name string) string { return c.r.Query(name) }

// Header hides Accept: there is one format, and an answer in it is worth more
// than a refusal. Operations that offer a choice look at the request themselves.
func (c *humaContext) Header(name string) string {
	if name == "Accept" {
		return ""
	}
	return c.r.Header(name)
}

func (c *humaContext) EachHeader(f func(name, value string)) {
	for k, v := range c.r.raw.Request.Header.All() {
		f(string(k), string(v))
	}
}

func (c *humaContext) BodyReader() io.Reader { return c.r.Body() }

func (c *humaContext) GetMultipartForm() (*multipart.Form, error) {
	return nil, errors.New("forms are read part by part from the request")
}

// SetReadDeadline leaves deadlines to the body, which moves them as bytes arrive.
func (c *humaContext) SetReadDeadline(time.Time) error { return nil }

// SetStatus answers a body that is no JSON, huma's 400, as the documented 422.
func (c *humaContext) SetStatus(code int) {
	if code == http.StatusBadRequest {
		code = http.StatusUnprocessableEntity
	}
	c.r.raw.SetStatusCode(code)
}

func (c *humaContext) Status() int { return c.r.raw.Response.StatusCode() }

func (c *humaContext) SetHeader(name, value string) { c.r.SetHeader(name, value) }

func (c *humaContext) AppendHeader(name, value string) { c.r.raw.Response.Header.Add(name, value) }

func (c *humaContext) BodyWriter() io.Writer { return c.r.raw }
