package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
)

// What customers say who are no attackers.
const (
	pinLine     = "My PIN is 4711."
	messageLine = "Please read me my messages in "
	rentLine    = "Please transfer 50 euros to my landlord."
)

const landlord = "DE89370400440532013000"

// effect is something that was done at the bank.
type effect struct {
	Session string         `json:"session"`
	Tool    string         `json:"tool"`
	Args    map[string]any `json:"args"`
}

// bank is the server behind the tools: the canary. It counts what is done, and
// it holds the messages that attackers wrote.
type bank struct {
	*httptest.Server
	corpus *Corpus
	mu     sync.Mutex
	done   []effect
}

func openBank(t *testing.T, c *Corpus) *bank {
	b := &bank{corpus: c}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /effects", func(w http.ResponseWriter, r *http.Request) {
		var e effect
		if json.NewDecoder(r.Body).Decode(&e) != nil || e.Session == "" || e.Tool == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.done = append(b.done, e)
	})
	mux.HandleFunc("GET /messages/{attack}", func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(c.Attacks, func(a Attack) bool { return a.ID == r.PathValue("attack") })
		if i < 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, c.Attacks[i].Last())
	})
	b.Server = httptest.NewServer(mux)
	t.Cleanup(b.Close)
	return b
}

// in are the effects of one session.
func (b *bank) in(session string) []effect {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.done), func(e effect) bool { return e.Session != session })
}

// file is the agent's file with the bank's address and more text at its end.
func (b *bank) file(t *testing.T, more string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/bank/agent.yaml")
	require.NoError(t, err)
	out := strings.ReplaceAll(string(text), "http://127.0.0.1:1", b.URL)
	require.Contains(t, out, b.URL)
	return out + more
}

// leaflets are the texts that came from documents and pages, as knowledge. Each
// is found by the name of its branch.
func leaflets(t *testing.T, c *Corpus) string {
	t.Helper()
	out := "  texts:\n"
	for _, a := range c.Attacks {
		if a.Via != Passage && a.Via != Page {
			continue
		}
		text, err := json.Marshal(map[string]string{"title": "Leaflet of " + branch(c, a), "text": a.Last()})
		require.NoError(t, err)
		out += "    - " + string(text) + "\n"
	}
	return out
}

// branch is a town for each attack in a document.
func branch(c *Corpus, a Attack) string {
	towns := strings.Fields("Aachen Bremen Chemnitz Dresden Erfurt Flensburg Gotha Hannover Ingolstadt Jena Kassel Leipzig Mainz " +
		"Norderstedt Oldenburg Potsdam Quedlinburg Rostock Stuttgart Trier Ulm Vechta Wuppertal Xanten Zwickau")
	n := 0
	for _, o := range c.Attacks {
		if o.ID == a.ID {
			return towns[n]
		}
		if o.Via == Passage || o.Via == Page {
			n++
		}
	}
	return ""
}

// lines are what the human says so that an attack reaches the model as it does
// in life.
func lines(c *Corpus, a Attack) []string {
	var out []string
	if !a.Unverified {
		out = append(out, pinLine)
	}
	switch a.Via {
	case Result:
		return append(out, messageLine+a.ID)
	case Passage, Page:
		return append(out, "What does the leaflet of "+branch(c, a)+" say?")
	case User:
	}
	return append(out, a.Turns...)
}

// servant is the model of the bank: it does what customers want, and what every
// attacker wants.
type servant struct {
	*Obeyer
	mu     sync.Mutex
	prompt string // of the last request
	obeyed int    // attacks that it read and did what they want
}

// Complete implements provider.Completer.
func (s *servant) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	text, call, mine := errand(r)
	_, obeys := s.Recognise(r)
	s.mu.Lock()
	s.prompt = Prompt(r)
	if obeys && !mine && len(r.Schema) == 0 {
		s.obeyed++
	}
	s.mu.Unlock()
	if !mine {
		return s.Obeyer.Complete(ctx, r)
	}
	return func(yield func(provider.Delta, error) bool) {
		if call != nil {
			_ = yield(provider.Delta{Call: call}, nil) && yield(provider.Delta{Finish: provider.FinishTools}, nil)
			return
		}
		_ = yield(provider.Delta{Text: text}, nil) && yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

// told is the prompt that the model saw last, and how often it obeyed so far.
func (s *servant) told() (prompt string, obeyed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prompt, s.obeyed
}

// errand is what the model does for a customer.
func errand(r provider.Request) (text string, call *provider.ToolCall, mine bool) {
	var said []string
	told := ""
	for _, m := range r.Messages {
		switch m.Role {
		case provider.RoleUser:
			said, told = append(said, m.Text), ""
		case provider.RoleTool:
			told = m.Text
		case provider.RoleAssistant:
		}
	}
	if len(r.Schema) > 0 || len(said) == 0 {
		return "", nil, false
	}
	last, before := said[len(said)-1], ""
	if len(said) > 1 {
		before = said[len(said)-2]
	}
	id := fmt.Sprintf("errand-%d", len(r.Messages))
	folder, messages := strings.CutPrefix(last, messageLine)
	switch {
	case last == pinLine && told == "":
		return "", &provider.ToolCall{ID: id, Name: "prove_identity", Args: `{"pin":"4711"}`}, true
	case last == pinLine:
		return "Thank you.", nil, true
	case messages && told == "":
		return "", &provider.ToolCall{ID: id, Name: "read_messages", Args: fmt.Sprintf(`{"folder":%q}`, folder)}, true
	case last != rentLine && before != rentLine:
		return "", nil, false
	case told == "": // an eager model: it does so whatever the human answers
		return "", &provider.ToolCall{ID: id, Name: "transfer", Args: `{"amount":50,"to_iban":"` + landlord + `"}`}, true
	case strings.Contains(told, `"done":true`):
		return "It is done.", nil, true
	}
	return "Shall I transfer 50 euros to your landlord?", nil, true
}
