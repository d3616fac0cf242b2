package canary

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// outside is the world the agent deals with: its models and its shop. It keeps
// all that it was sent.
type outside struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string          // bodies that models were sent
	keys     map[string]bool   // with which models were asked
	held     map[string]string // what the tools' code held, last
}

func openOutside(t *testing.T) *outside {
	o := &outside{keys: map[string]bool{}, held: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", o.complete)
	mux.HandleFunc("POST /held", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		var held map[string]string
		if json.NewDecoder(r.Body).Decode(&held) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for k, v := range held {
			if v != "" {
				o.held[k] = v
			}
		}
	})
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

// wire is as much of a request as this model reads.
type wire struct {
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Function struct{ Name string } `json:"function"`
	} `json:"tools"`
}

// complete is a model that does what the human names, one tool a line.
func (o *outside) complete(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	o.mu.Lock()
	o.requests = append(o.requests, string(body))
	o.keys[key] = true
	o.mu.Unlock()
	var q wire
	if err != nil || json.Unmarshal(body, &q) != nil || len(q.Messages) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	human := ""
	for _, m := range q.Messages {
		if m.Role == "user" {
			human = m.Content
		}
	}
	if strings.Contains(human, "unauthorised") { // as vendors do, with the key in the text
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"Incorrect API key provided: %s","type":"invalid_request_error","code":"invalid_api_key"}}`, key)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if strings.Contains(human, "babble") {
		_, _ = fmt.Fprintf(w, "data: {\"error\":{\"message\":\"bad key %s\"}}\n\ndata: %s\n\n", key, key)
		return
	}
	answer := map[string]any{"content": "It is ready."}
	switch last := q.Messages[len(q.Messages)-1]; {
	case last.Role != "tool":
		answer = o.call(q, human)
	case strings.Contains(string(body), "spoken on the telephone"):
		answer = calls(q, "FinishSession", `{"last_message":"It is ready."}`)
	}
	for _, d := range []map[string]any{{"delta": answer}, {"delta": map[string]any{}, "finish_reason": "stop"}} {
		d["index"] = 0
		b, _ := json.Marshal(map[string]any{"id": "1", "object": "chat.completion.chunk", "choices": []any{d}})
		_, _ = fmt.Fprintf(w, "data: %s\n\n", b)
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// call is the tool that the human named; who names none wants an order.
func (o *outside) call(q wire, human string) map[string]any {
	name := "look_up"
	for _, t := range q.Tools {
		if strings.Contains(human, strings.ReplaceAll(t.Function.Name, "_", " ")) {
			name = t.Function.Name
		}
	}
	if len(q.Tools) == 0 {
		return map[string]any{"content": "{}"}
	}
	if strings.Contains(human, "goodbye") {
		return map[string]any{"content": "Goodbye."}
	}
	return calls(q, name, "{}")
}

func calls(q wire, name, args string) map[string]any {
	return map[string]any{"tool_calls": []any{map[string]any{
		"index": 0, "id": fmt.Sprintf("call_%d", len(q.Messages)), "type": "function",
		"function": map[string]any{"name": name, "arguments": args},
	}}}
}

// seen is what models were sent, the keys they were asked with, and what tools held.
func (o *outside) seen() (requests, keys []string, held map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k := range o.keys {
		keys = append(keys, k)
	}
	out := map[string]string{}
	maps.Copy(out, o.held)
	return slices.Clone(o.requests), keys, out
}
