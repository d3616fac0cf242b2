package vendortest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// OpenAI is a server of chat completions and embeddings.
func OpenAI(key string) *Server { return &Server{Key: key, vendor: openAI{}} }

type openAI struct{}

type obj = map[string]any

var functionName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// openAIRequest has the published fields that a client of text may use.
type openAIRequest struct {
	Model         string          `json:"model"`
	Messages      []openAIMessage `json:"messages"`
	Stream        bool            `json:"stream"`
	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *int     `json:"max_tokens"`
	MaxCompletionTokens *int     `json:"max_completion_tokens"`
	Temperature         *float64 `json:"temperature"`
	TopP                *float64 `json:"top_p"`
	ParallelToolCalls   *bool    `json:"parallel_tool_calls"`
	ResponseFormat      *struct {
		Type       string `json:"type"`
		JSONSchema *struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Schema      json.RawMessage `json:"schema"`
			Strict      *bool           `json:"strict"`
		} `json:"json_schema"`
	} `json:"response_format"`
	Tools []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
			Strict      *bool           `json:"strict"`
		} `json:"function"`
	} `json:"tools"`
}

type openAIMessage struct {
	Role       string  `json:"role"`
	Content    *string `json:"content"`
	Name       string  `json:"name"`
	ToolCallID string  `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

func (openAI) check(s *Server, r *http.Request, body []byte) *refusal {
	switch {
	case r.Method != http.MethodPost:
		return &refusal{status: http.StatusMethodNotAllowed, message: "Not allowed to " + r.Method}
	case s.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.Key:
		return &refusal{status: http.StatusUnauthorized, kind: "invalid_request_error", message: "Incorrect API key provided: " + r.Header.Get("Authorization")}
	case r.Header.Get("Content-Type") != "application/json":
		return wrong("content type is %q", r.Header.Get("Content-Type"))
	case strings.HasSuffix(r.URL.Path, "/embeddings"):
		return nil
	case !strings.HasSuffix(r.URL.Path, "/chat/completions"):
		return &refusal{status: http.StatusNotFound, kind: "invalid_request_error", message: "Invalid URL " + r.URL.Path}
	}
	var q openAIRequest
	if err := strict(body, &q); err != nil {
		return wrong("Unrecognized request argument supplied: %v", err)
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(body, &fields) // read above
	for _, f := range s.Refuses {
		base, form, _ := strings.Cut(f, "=")
		if v, ok := fields[base]; ok && strings.Contains(string(v), form) {
			return &refusal{status: http.StatusBadRequest, kind: "unsupported_parameter", message: "Unsupported parameter: '" + base + "' is not supported with this model.", blame: base}
		}
	}
	switch {
	case q.Model == "" || len(q.Messages) == 0:
		return wrong("model and messages are required")
	case !q.Stream:
		return wrong("this server streams only")
	case q.MaxTokens != nil && q.MaxCompletionTokens != nil:
		return wrong("max_tokens and max_completion_tokens exclude each other")
	case q.Temperature != nil && (*q.Temperature < 0 || *q.Temperature > 2):
		return wrong("temperature is between 0 and 2")
	}
	if f := q.ResponseFormat; f != nil {
		if f.Type == "json_schema" && (f.JSONSchema == nil || !functionName.MatchString(f.JSONSchema.Name)) {
			return wrong("response_format.json_schema.name")
		}
		if f.Type == "json_object" && !strings.Contains(string(body), "JSON") {
			return wrong("'messages' must contain the word 'json' in some form")
		}
	}
	for _, t := range q.Tools {
		if t.Type != "function" || !functionName.MatchString(t.Function.Name) || !json.Valid(t.Function.Parameters) {
			return wrong("tool %q", t.Function.Name)
		}
	}
	return openAIOrder(q.Messages)
}

// openAIOrder checks that calls and answers stand together.
func openAIOrder(list []openAIMessage) *refusal {
	var open []string
	for i, m := range list {
		if m.Role != "tool" && len(open) > 0 {
			return wrong("messages.[%d]: an assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id': %v", i, open)
		}
		if m.Content == nil && len(m.ToolCalls) == 0 || m.Content != nil && *m.Content == "" {
			return wrong("messages.[%d]: no content", i)
		}
		switch m.Role {
		case "system", "developer":
			if i != 0 {
				return wrong("messages.[%d]: system prompt in the middle", i)
			}
		case "user":
		case "assistant":
			for _, c := range m.ToolCalls {
				if c.ID == "" || c.Type != "function" || !functionName.MatchString(c.Function.Name) || !json.Valid([]byte(c.Function.Arguments)) || slices.Contains(open, c.ID) {
					return wrong("messages.[%d]: tool call %+v", i, c)
				}
				open = append(open, c.ID)
			}
		case "tool":
			at := slices.Index(open, m.ToolCallID)
			if at < 0 {
				return wrong("messages.[%d]: 'tool' must be a response to a preceding message with 'tool_calls'", i)
			}
			open = slices.Delete(open, at, at+1)
		default:
			return wrong("messages.[%d]: role %q", i, m.Role)
		}
	}
	if len(open) > 0 {
		return wrong("tool calls without an answer: %v", open)
	}
	return nil
}

func (openAI) failure(r *refusal) []byte {
	kind := r.kind
	if kind == "" {
		kind = "invalid_request_error"
	}
	e := obj{"message": r.message, "type": kind, "param": nil, "code": nil}
	if r.blame != "" {
		e["param"], e["code"] = r.blame, r.kind
	}
	return []byte(encoded(obj{"error": e}))
}

func (openAI) broken() frame {
	return frame{text: "data: " + encoded(obj{"error": obj{"message": "The server had an error", "type": "server_error", "code": nil}}) + "\n\n"}
}

func (v openAI) frames(s *Server, body []byte, p Reply) []frame {
	var q openAIRequest
	_ = json.Unmarshal(body, &q) // checked before
	p = p.or(q.ResponseFormat != nil || strings.Contains(string(body), "# Form of the answer"))
	chunk := func(delta obj, finish any) string {
		return "data: " + encoded(obj{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": q.Model,
			"choices": []obj{{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}}, "usage": nil,
		}) + "\n\n"
	}
	out := []frame{{text: chunk(obj{"role": "assistant", "content": ""}, nil)}}
	for _, t := range p.Text {
		out = append(out, frame{text: chunk(obj{"content": t}, nil)})
	}
	finish := "stop"
	for _, f := range v.fragments(s.Style, p.Calls) {
		out = append(out, frame{text: chunk(obj{"tool_calls": []obj{f}}, nil), call: true})
		finish = "tool_calls"
	}
	if p.Finish != "" {
		finish = p.Finish
	}
	out = append(out, frame{text: chunk(obj{}, finish)})
	if q.StreamOptions != nil && q.StreamOptions.IncludeUsage {
		var choices any = []obj{}
		if s.Style == RepeatsNames {
			choices = nil
		}
		out = append(out, frame{text: "data: " + encoded(obj{"id": "chatcmpl-1", "choices": choices, "usage": obj{"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}}) + "\n\n"})
	}
	return append(out, frame{text: ": the end\r\ndata: [DONE]\r\n\r\n"})
}

// fragments are calls as this style sends them: the published one sends those
// of several calls in turns.
func (openAI) fragments(style Style, calls []Call) []obj {
	var out []obj
	if style == AllZero || style == NoIndex {
		for _, c := range calls {
			f := obj{"type": "function", "function": obj{"name": c.Name, "arguments": strings.Join(c.Args, "")}}
			if style == AllZero {
				f["index"], f["id"] = 0, c.ID
			}
			out = append(out, f)
		}
		return out
	}
	for i, c := range calls {
		f := obj{"index": i, "id": c.ID, "type": "function", "function": obj{"name": c.Name, "arguments": ""}}
		if style == NoID {
			delete(f, "id")
		}
		out = append(out, f)
	}
	for n := 0; ; n++ {
		some := false
		for i, c := range calls {
			if n >= len(c.Args) {
				continue
			}
			some = true
			f := obj{"index": i, "function": obj{"arguments": c.Args[n]}}
			if style == RepeatsNames {
				f["id"], f["function"] = c.ID, obj{"name": c.Name, "arguments": c.Args[n]}
			}
			out = append(out, f)
		}
		if !some {
			return out
		}
	}
}

// embeds answers POST /embeddings with vectors that point where the length and
// the first letter of a text say, in the reverse order.
func (openAI) embeds(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if !strings.HasSuffix(r.URL.Path, "/embeddings") {
		return false
	}
	var q struct {
		Model          string   `json:"model"`
		Input          []string `json:"input"`
		EncodingFormat string   `json:"encoding_format"`
		Dimensions     int      `json:"dimensions"`
		User           string   `json:"user"`
	}
	err := strict(body, &q)
	if err != nil || q.Model == "" || len(q.Input) == 0 || len(q.Input) > 2048 || slices.Contains(q.Input, "") {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error"}}`, fmt.Sprint("input: ", err))
		return true
	}
	dim := 8
	if q.Dimensions > 0 {
		dim = q.Dimensions
	}
	var data []obj
	for i, t := range slices.Backward(q.Input) {
		v := make([]float64, dim)
		for j, b := range []byte(t) {
			v[(int(b)+j)%dim]++
		}
		data = append(data, obj{"object": "embedding", "index": i, "embedding": v})
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(encoded(obj{"object": "list", "data": data, "model": q.Model, "usage": obj{"prompt_tokens": 1, "total_tokens": 1}})))
	return true
}
