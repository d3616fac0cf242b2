package node

import (
	"encoding/json"
	"fmt"
	"io"
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
	// WritingLine is one line of the answer while a model writes questions: how
	// far it is, and at last what it wrote or why it did not.
	WritingLine struct {
		Done  int         `json:"done"`
		Of    int         `json:"of"`
		FAQ   *WrittenFAQ `json:"faq,omitempty"`
		Fault string      `json:"fault,omitempty"`
		Kind  fault.Kind  `json:"kind,omitempty"`
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
	a.questionRoutes(mux)
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

// questionRoutes are those of questions with answers as a text to be edited.
func (a *admin) questionRoutes(mux *http.ServeMux) {
	n := a.node
	mux.HandleFunc("POST /questions", a.write)
	mux.HandleFunc("GET /knowledge/{source}/questions", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.QuestionsOf(r.Context(), r.PathValue("source"))
		answer(w, v, err)
	})
	mux.HandleFunc("PUT /knowledge/{source}/questions", func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, library.MaxFileBytes+1))
		if err != nil {
			answer(w, nil, fmt.Errorf("the file cannot be taken: %w: %w", err, fault.Invalid))
			return
		}
		v, err := n.QuestionsSet(r.Context(), r.PathValue("source"), r.URL.Query().Get("name"), raw)
		answer(w, v, err)
	})
}

// write has a model write questions, and tells line by line how far it is.
func (a *admin) write(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, library.MaxFileBytes+1))
	if err != nil {
		answer(w, nil, fmt.Errorf("the file cannot be taken: %w: %w", err, fault.Invalid))
		return
	}
	count, err := countOf("count", q.Get("count"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	tell := func(l WritingLine) {
		_ = out.Encode(l) // who is gone ends the request's context
		_ = flush.Flush()
	}
	found, err := a.node.QuestionsWrite(r.Context(), WriteFAQ{
		Agent: q.Get("agent"), Name: q.Get("name"), Content: raw, Count: count,
		Told: func(done, of int) { tell(WritingLine{Done: done, Of: of}) },
	})
	if err != nil {
		tell(WritingLine{Fault: err.Error(), Kind: fault.KindOf(err)})
		return
	}
	tell(WritingLine{FAQ: &found})
}

// countOf reads a number of a query, "" = 0.
func countOf(name, text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%s is a number of at least 0, not %q: %w", name, text, fault.Invalid)
	}
	return v, nil
}

// newSource reads what is to be added from a request's query.
func newSource(r *http.Request) (NewSource, error) {
	q := r.URL.Query()
	s := NewSource{
		Type: q.Get("type"), Title: q.Get("title"), Origin: q.Get("origin"), Name: q.Get("name"), Mode: q.Get("mode"), Agent: q.Get("agent"),
	}
	for name, to := range map[string]*int{"depth": &s.Depth, "pages": &s.Pages} {
		v, err := countOf(name, q.Get(name))
		if err != nil {
			return s, err
		}
		*to = v
	}
	return s, nil
}
