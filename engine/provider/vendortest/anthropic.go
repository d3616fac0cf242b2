package vendortest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Anthropic is a server of the Messages API.
func Anthropic(key string) *Server { return &Server{Key: key, vendor: anthropic{}} }

type anthropic struct{}

var toolUseID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

type anthropicRequest struct {
	Model     string          `json:"model"`
	MaxTokens int             `json:"max_tokens"`
	System    json.RawMessage `json:"system"`
	Stream    bool            `json:"stream"`
	Messages  []struct {
		Role    string           `json:"role"`
		Content []anthropicBlock `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		InputSchema json.RawMessage `json:"input_schema"`
	} `json:"tools"`
	ToolChoice *struct {
		Type                   string `json:"type"`
		Name                   string `json:"name"`
		DisableParallelToolUse *bool  `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	Temperature   *float64 `json:"temperature"`
	StopSequences []string `json:"stop_sequences"`
}

type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	IsError   bool            `json:"is_error"`
}

func (anthropic) check(s *Server, r *http.Request, body []byte) *refusal {
	switch {
	case r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/messages"):
		return &refusal{status: http.StatusNotFound, kind: "not_found_error", message: "Not found"}
	case r.Header.Get("x-api-key") != s.Key:
		return &refusal{status: http.StatusUnauthorized, kind: "authentication_error", message: "invalid x-api-key " + r.Header.Get("x-api-key")}
	case r.Header.Get("anthropic-version") != "2023-06-01":
		return wrong("anthropic-version: header is required")
	case r.Header.Get("Content-Type") != "application/json":
		return wrong("content-type")
	}
	var q anthropicRequest
	if err := strict(body, &q); err != nil {
		return wrong("%v: Extra inputs are not permitted", err)
	}
	for _, f := range s.Refuses {
		if strings.Contains(string(body), `"`+f+`":`) {
			return wrong("`%s` is deprecated for this model.", f)
		}
	}
	switch {
	case q.Model == "" || q.MaxTokens < 1 || len(q.Messages) == 0:
		return wrong("model, max_tokens, messages: Field required")
	case !q.Stream:
		return wrong("this server streams only")
	case q.Temperature != nil && (*q.Temperature < 0 || *q.Temperature > 1):
		return wrong("temperature: range: 0..1")
	}
	var names []string
	for _, t := range q.Tools {
		var schema struct {
			Type string `json:"type"`
		}
		if !functionName.MatchString(t.Name) || slices.Contains(names, t.Name) || json.Unmarshal(t.InputSchema, &schema) != nil || schema.Type != "object" {
			return wrong("tools: %q", t.Name)
		}
		names = append(names, t.Name)
	}
	if c := q.ToolChoice; c != nil && (!slices.Contains([]string{"auto", "any", "tool", "none"}, c.Type) || c.Type == "tool" && !slices.Contains(names, c.Name)) {
		return wrong("tool_choice: %+v", *c)
	}
	return anthropicOrder(q)
}

// anthropicOrder checks that roles alternate and results follow their calls.
func anthropicOrder(q anthropicRequest) *refusal {
	var open []string
	for i, m := range q.Messages {
		if want := []string{"user", "assistant"}[i%2]; m.Role != want {
			return wrong("messages.%d: role is %q: roles must alternate, from user on", i, m.Role)
		}
		if len(m.Content) == 0 {
			return wrong("messages.%d: content is empty", i)
		}
		due, texts := open, false
		open = nil
		for _, b := range m.Content {
			switch {
			case b.Type == "text" && strings.TrimSpace(b.Text) == "":
				return wrong("messages.%d: text content blocks must be non-empty", i)
			case b.Type == "text":
				texts = true
			case b.Type == "tool_use" && m.Role == "assistant":
				var input map[string]any
				if json.Unmarshal(b.Input, &input) != nil || input == nil || !toolUseID.MatchString(b.ID) || slices.Contains(open, b.ID) || len(q.Tools) == 0 {
					return wrong("messages.%d: tool_use %+v; tools: %d", i, b, len(q.Tools))
				}
				open = append(open, b.ID)
			case b.Type == "tool_result" && m.Role == "user":
				at := slices.Index(due, b.ToolUseID)
				if at < 0 || texts {
					return wrong("messages.%d: unexpected tool_use_id in tool_result, or text before it: %q", i, b.ToolUseID)
				}
				due = slices.Delete(slices.Clone(due), at, at+1)
			default:
				return wrong("messages.%d: block %q of %s", i, b.Type, m.Role)
			}
		}
		if len(due) > 0 {
			return wrong("messages.%d: tool_use ids were found without tool_result blocks immediately after: %v", i, due)
		}
	}
	if q.Messages[len(q.Messages)-1].Role == "assistant" {
		return wrong("this model does not support assistant message prefill")
	}
	return nil
}

func (anthropic) failure(r *refusal) []byte {
	kind := r.kind
	if kind == "" {
		kind = "invalid_request_error"
	}
	return []byte(encoded(obj{"type": "error", "error": obj{"type": kind, "message": r.message}, "request_id": "req_1"}))
}

func anthropicEvent(name string, v obj) string {
	v["type"] = name
	return "event: " + name + "\ndata: " + encoded(v) + "\n\n"
}

func (anthropic) broken() frame {
	return frame{text: anthropicEvent("error", obj{"error": obj{"type": "overloaded_error", "message": "Overloaded"}})}
}

func (anthropic) frames(_ *Server, body []byte, p Reply) []frame {
	var q anthropicRequest
	_ = json.Unmarshal(body, &q) // checked before
	forced := q.ToolChoice != nil && q.ToolChoice.Type == "tool"
	p = p.or(forced)
	stop := "end_turn"
	if forced {
		p.Calls, p.Text, stop = []Call{{ID: "toolu_9", Name: q.ToolChoice.Name, Args: p.Text}}, nil, "tool_use"
	}
	out := []frame{
		{text: anthropicEvent("message_start", obj{"message": obj{"id": "msg_1", "type": "message", "role": "assistant", "content": []obj{}, "model": q.Model, "stop_reason": nil, "stop_sequence": nil, "usage": obj{"input_tokens": 12, "output_tokens": 1}}})},
		{text: anthropicEvent("ping", obj{})},
	}
	n := 0
	if len(p.Text) > 0 {
		out = append(out, frame{text: anthropicEvent("content_block_start", obj{"index": n, "content_block": obj{"type": "text", "text": ""}})})
		for _, t := range p.Text {
			out = append(out, frame{text: anthropicEvent("content_block_delta", obj{"index": n, "delta": obj{"type": "text_delta", "text": t}})})
		}
		out = append(out, frame{text: anthropicEvent("content_block_stop", obj{"index": n})})
		n++
	}
	for _, c := range p.Calls {
		stop = "tool_use"
		out = append(out, frame{text: anthropicEvent("content_block_start", obj{"index": n, "content_block": obj{"type": "tool_use", "id": c.ID, "name": c.Name, "input": obj{}}}), call: true})
		for _, a := range append([]string{""}, c.Args...) {
			out = append(out, frame{text: anthropicEvent("content_block_delta", obj{"index": n, "delta": obj{"type": "input_json_delta", "partial_json": a}}), call: true})
		}
		out = append(out, frame{text: anthropicEvent("content_block_stop", obj{"index": n})})
		n++
	}
	if p.Finish != "" {
		stop = p.Finish
	}
	return append(
		out,
		frame{text: anthropicEvent("something_new", obj{"index": n})},
		frame{text: anthropicEvent("message_delta", obj{"delta": obj{"stop_reason": stop, "stop_sequence": nil}, "usage": obj{"output_tokens": 7}})},
		frame{text: anthropicEvent("message_stop", obj{})},
	)
}
