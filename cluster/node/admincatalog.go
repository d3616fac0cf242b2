package node

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"flametree/actors"
	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/fault"
)

// The bodies of the commands about catalogues; the command line sends them. A
// file that is imported travels as the request's own body, for it may be long.
type (
	// CatalogSetBody changes a catalogue; nil stays as it is.
	CatalogSetBody struct {
		Name        *string `json:"name,omitempty"`
		Description *string `json:"description,omitempty"`
		Currency    *string `json:"currency,omitempty"`
		Language    *string `json:"language,omitempty"`
	}
	// ProductBody adds or changes one product. Fields that are not given stay.
	ProductBody struct {
		Fields map[string]any `json:"fields"`
		New    bool           `json:"new"` // it must not be there yet; else it must
	}
	// DropBody takes products out.
	DropBody struct {
		SKUs []string `json:"skus"`
	}
)

// maxImport bounds a file of products in bytes.
const maxImport = 100 << 20

func (a *admin) catalogRoutes(mux *http.ServeMux) {
	n := a.node
	mux.HandleFunc("GET /catalogs", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.CatalogList(r.Context())
		answer(w, v, err)
	})
	mux.HandleFunc("POST /catalogs", body(func(r *http.Request, b catalog.Catalogue) (any, error) {
		return n.CatalogCreate(r.Context(), b)
	}))
	one := func(method, rest string, do func(r *http.Request, name string) (any, error)) {
		mux.HandleFunc(method+" /catalogs/{catalog}"+rest, func(w http.ResponseWriter, r *http.Request) {
			v, err := do(r, r.PathValue("catalog"))
			answer(w, v, err)
		})
	}
	told := func(method, rest string, msg any) {
		one(method, rest, func(r *http.Request, name string) (any, error) { return n.CatalogDo(r.Context(), name, msg) })
	}
	told("GET", "", &actors.LookCatalog{})
	told("DELETE", "", &actors.RemoveCatalog{})
	told("POST", "/reset", &actors.ResetInvitations{})
	one("POST", "/invite", func(r *http.Request, name string) (any, error) { return n.CatalogInvite(r.Context(), name) })
	one("POST", "/import", func(r *http.Request, name string) (any, error) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxImport+1))
		if err == nil && len(raw) > maxImport {
			err = fmt.Errorf("a file of products has at most %d MB: split it: %w", maxImport>>20, fault.Invalid)
		}
		if err != nil {
			return nil, err
		}
		q := r.URL.Query()
		return n.CatalogImport(r.Context(), name, q.Get("name"), raw, q.Get("dry") == "1")
	})
	one("GET", "/products", func(r *http.Request, name string) (any, error) {
		q := r.URL.Query()
		skip, limit, err := stretch(q.Get("skip"), q.Get("limit"))
		if err != nil {
			return nil, err
		}
		return n.CatalogProducts(r.Context(), name, q.Get("text"), skip, limit)
	})
	mux.HandleFunc("GET /catalogs/{catalog}/export", func(w http.ResponseWriter, r *http.Request) {
		if _, err := n.findCatalog(r.Context(), r.PathValue("catalog")); err != nil {
			answer(w, nil, err)
			return
		}
		if err := n.CatalogExport(r.Context(), r.PathValue("catalog"), r.URL.Query().Get("format"), w); err != nil {
			answer(w, nil, err)
		}
	})
	a.catalogChanges(mux)
}

// catalogChanges are the commands that have a body.
func (a *admin) catalogChanges(mux *http.ServeMux) {
	n := a.node
	mux.HandleFunc("POST /catalogs/{catalog}/set", body(func(r *http.Request, b CatalogSetBody) (any, error) {
		msg := actors.ChangeCatalog(b)
		return n.CatalogDo(r.Context(), r.PathValue("catalog"), &msg)
	}))
	mux.HandleFunc("POST /catalogs/{catalog}/product", body(func(r *http.Request, b ProductBody) (any, error) {
		return n.CatalogDo(r.Context(), r.PathValue("catalog"), b.message())
	}))
	mux.HandleFunc("POST /catalogs/{catalog}/drop", body(func(r *http.Request, b DropBody) (any, error) {
		return n.CatalogDo(r.Context(), r.PathValue("catalog"), &actors.DropProducts{SKUs: b.SKUs})
	}))
	mux.HandleFunc("POST /catalogs/{catalog}/connect", body(func(r *http.Request, b ConnectBody) (any, error) {
		return n.CatalogConnect(r.Context(), r.PathValue("catalog"), b.Agent, b.Off)
	}))
}

// message is what a command about one product asks of its catalogue.
func (b ProductBody) message() *actors.StockCatalog {
	which := stock.Old
	if b.New {
		which = stock.New
	}
	return &actors.StockCatalog{Items: []catalog.Item{catalog.FromObject(b.Fields)}, Which: which}
}

// maxPage bounds how many products are shown at a time.
const maxPage = 500

// stretch reads which part of a list is wanted.
func stretch(skip, limit string) (int, int, error) {
	out := [2]int{0, maxPage}
	for i, text := range []string{skip, limit} {
		if text == "" {
			continue
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < 0 {
			return 0, 0, fmt.Errorf("skip and limit are numbers of at least 0, not %q: %w", text, fault.Invalid)
		}
		out[i] = v
	}
	return out[0], min(out[1], maxPage), nil
}
