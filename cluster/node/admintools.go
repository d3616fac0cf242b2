package node

import (
	"net/http"

	"flametree/engine/tool/python"
)

// toolRoutes are the commands about shared resources. What is added travels as
// the request's own body.
func (a *admin) toolRoutes(mux *http.ServeMux) {
	n := a.node
	mux.HandleFunc("GET /tools/resources", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.ResourceList(r.Context())
		answer(w, v, err)
	})
	mux.HandleFunc("POST /tools/resources", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.ResourceAdd(r.Context(), r.URL.Query().Get("name"), http.MaxBytesReader(w, r.Body, python.MaxFile+1))
		answer(w, v, err)
	})
	mux.HandleFunc("GET /tools/resource", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.ResourceShow(r.Context(), r.URL.Query().Get("name"))
		answer(w, v, err)
	})
	mux.HandleFunc("DELETE /tools/resources", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.ResourceRemove(r.Context(), r.URL.Query().Get("name"), r.URL.Query().Get("force") != "")
		answer(w, v, err)
	})
}
