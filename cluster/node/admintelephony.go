package node

import (
	"net/http"

	"flametree/actors"
)

// The bodies of the commands about connections; the command line sends them.
type (
	// ReasonBody says why.
	ReasonBody struct {
		Reason string `json:"reason"`
	}
	// AttachBody lets an agent use a connection, or takes it away.
	AttachBody struct {
		Agent   string `json:"agent"` // id, alias or name
		Inbound bool   `json:"inbound"`
		Off     bool   `json:"off"`
	}
)

func (a *admin) telephonyRoutes(mux *http.ServeMux) {
	n := a.node
	mux.HandleFunc("GET /connections", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.ChannelList(r.Context())
		answer(w, v, err)
	})
	mux.HandleFunc("POST /connections", body(func(r *http.Request, f ChannelForm) (any, error) {
		return n.ChannelCreate(r.Context(), f)
	}))
	mux.HandleFunc("GET /connections/{connection}", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.ChannelDo(r.Context(), r.PathValue("connection"), &actors.LookChannel{})
		answer(w, v, err)
	})
	mux.HandleFunc("DELETE /connections/{connection}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]bool{"removed": true}, n.ChannelRemove(r.Context(), r.PathValue("connection")))
	})
	mux.HandleFunc("POST /connections/{connection}/settings", body(func(r *http.Request, f ChannelForm) (any, error) {
		return n.ChannelSave(r.Context(), r.PathValue("connection"), f)
	}))
	mux.HandleFunc("POST /connections/{connection}/start", body(func(r *http.Request, _ struct{}) (any, error) {
		return n.ChannelDo(r.Context(), r.PathValue("connection"), &actors.StartChannel{})
	}))
	mux.HandleFunc("POST /connections/{connection}/stop", body(func(r *http.Request, b ReasonBody) (any, error) {
		return n.ChannelDo(r.Context(), r.PathValue("connection"), &actors.StopChannel{Reason: b.Reason})
	}))
	mux.HandleFunc("POST /connections/{connection}/attach", body(func(r *http.Request, b AttachBody) (any, error) {
		return n.ChannelAttach(r.Context(), r.PathValue("connection"), b.Agent, b.Inbound, b.Off)
	}))
	mux.HandleFunc("POST /calls", body(func(r *http.Request, f CallForm) (any, error) {
		return n.CallPlace(r.Context(), f)
	}))
	mux.HandleFunc("GET /calls/{id}", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.CallShow(r.Context(), r.PathValue("id"))
		answer(w, v, err)
	})
}
