package node

import (
	"fmt"
	"net/http"
	"strconv"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/engine/knowledge/library"
)

// The bodies of the commands about knowledge; the command line sends them. What
// is added travels as the request's own body, for it may be long.
type (
	// IndexBody begins or stops a run of indexing.
	IndexBody struct {
		Stop bool `json:"stop"`
	}
	// ConnectBody connects an agent, or takes the source away from it.
	ConnectBody struct {
		Agent string `json:"agent"` // id, alias or name
		Off   bool   `json:"off"`
	}
	// AnswerBody answers a question nobody could answer, or dismisses it.
	AnswerBody struct {
		Question string `json:"question"` // id or words
		Answer   string `json:"answer"`
		Source   string `json:"source"` // FAQ that takes it, "" = one for such answers
		Dismiss  bool   `json:"dismiss"`
	}
)

func (a *admin) knowledgeRoutes(mux *http.ServeMux) {
	n := a.node
	mux.HandleFunc("GET /knowledge", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.SourceList(r.Context())
		answer(w, v, err)
	})
	mux.HandleFunc("POST /knowledge", func(w http.ResponseWriter, r *http.Request) {
		s, err := newSource(r)
		if err != nil {
			answer(w, nil, err)
			return
		}
		v, err := n.SourceAdd(r.Context(), s, http.MaxBytesReader(w, r.Body, library.MaxFileBytes+1))
		answer(w, v, err)
	})
	mux.HandleFunc("GET /knowledge/{source}", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.SourceShow(r.Context(), r.PathValue("source"))
		answer(w, v, err)
	})
	mux.HandleFunc("DELETE /knowledge/{source}", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.SourceDo(r.Context(), r.PathValue("source"), &actors.RemoveSource{})
		answer(w, v, err)
	})
	mux.HandleFunc("POST /knowledge/{source}/index", body(func(r *http.Request, b IndexBody) (any, error) {
		if b.Stop {
			return n.SourceDo(r.Context(), r.PathValue("source"), &actors.StopIndexing{})
		}
		return n.SourceDo(r.Context(), r.PathValue("source"), &actors.IndexSource{})
	}))
	mux.HandleFunc("POST /knowledge/{source}/connect", body(func(r *http.Request, b ConnectBody) (any, error) {
		return n.SourceConnect(r.Context(), r.PathValue("source"), b.Agent, b.Off)
	}))
	mux.HandleFunc("GET /passages", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.KnowledgeSearch(r.Context(), r.URL.Query().Get("agent"), r.URL.Query().Get("query"))
		answer(w, v, err)
	})
	mux.HandleFunc("GET /unanswered", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.QuestionList(r.Context())
		answer(w, v, err)
	})
	mux.HandleFunc("POST /unanswered", body(func(r *http.Request, b AnswerBody) (any, error) {
		if b.Dismiss {
			return map[string]bool{"dismissed": true}, n.QuestionDismiss(r.Context(), b.Question)
		}
		return n.QuestionAnswer(r.Context(), b.Question, b.Answer, b.Source)
	}))
}

// newSource reads what is to be added from a request's query.
func newSource(r *http.Request) (NewSource, error) {
	q := r.URL.Query()
	s := NewSource{
		Type: q.Get("type"), Title: q.Get("title"), Origin: q.Get("origin"), Name: q.Get("name"), Mode: q.Get("mode"), Agent: q.Get("agent"),
	}
	for name, to := range map[string]*int{"depth": &s.Depth, "pages": &s.Pages} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < 0 {
			return s, fmt.Errorf("%s is a number of at least 0, not %q: %w", name, text, fault.Invalid)
		}
		*to = v
	}
	return s, nil
}
