package api

import (
	"embed"
	"net/http"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"flametree/gateway/httpd"
)

//go:embed docs
var docs embed.FS

// describe publishes the OpenAPI document and the page that shows it.
func describe(s *httpd.Server, api huma.API) {
	reg := api.OpenAPI().Components.Schemas
	reg.Schema(reflect.TypeFor[httpd.Problem](), true, "Problem")
	document := sync.OnceValues(func() ([]byte, error) { return api.OpenAPI().MarshalJSON() })
	s.Route(httpd.Route{Method: http.MethodGet, Pattern: "/api/v1/openapi.json", Handle: func(r *httpd.Request) {
		b, err := document()
		if err != nil {
			r.Fail(err)
			return
		}
		r.SetHeader("Cache-Control", "no-cache")
		r.Bytes(http.StatusOK, "application/json", b)
	}})
	s.Page("/api/v1/docs", docs, "docs/index.html")
	s.Page("/api/v1/docs/docs.css", docs, "docs/docs.css")
	s.Page("/api/v1/docs/docs.js", docs, "docs/docs.js")
}
