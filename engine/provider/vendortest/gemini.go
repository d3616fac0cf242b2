package vendortest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Gemini is a server of streamGenerateContent.
func Gemini(key string) *Server { return &Server{Key: key, vendor: gemini{}} }

type gemini struct{}

var (
	geminiPath = regexp.MustCompile(`/models/[a-z0-9.-]+:streamGenerateContent$`)
	geminiName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$`)
)

// geminiSigned is a signature as this server gives it; the other is the one
// published for calls of another origin.
const (
	geminiSigned  = "c2lnbmVk"
	geminiForeign = "skip_thought_signature_validator"
)

type geminiRequest struct {
	Contents          []geminiContent `json:"contents"`
	SystemInstruction *geminiContent  `json:"systemInstruction"`
	Tools             []struct {
		FunctionDeclarations []struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
		} `json:"functionDeclarations"`
	} `json:"tools"`
	GenerationConfig struct {
		Temperature      *float64        `json:"temperature"`
		MaxOutputTokens  *int            `json:"maxOutputTokens"`
		ResponseMIMEType string          `json:"responseMimeType"`
		ResponseSchema   json.RawMessage `json:"responseSchema"`
	} `json:"generationConfig"`
}

type geminiContent struct {
	Role  string `json:"role"`
	Parts []struct {
		Text             string `json:"text"`
		ThoughtSignature string `json:"thoughtSignature"`
		FunctionCall     *struct {
			ID   string         `json:"id"`
			Name string         `json:"name"`
			Args map[string]any `json:"args"`
		} `json:"functionCall"`
		FunctionResponse *struct {
			ID       string         `json:"id"`
			Name     string         `json:"name"`
			Response map[string]any `json:"response"`
		} `json:"functionResponse"`
	} `json:"parts"`
}

func (gemini) check(s *Server, r *http.Request, body []byte) *refusal {
	switch {
	case r.Method != http.MethodPost || !geminiPath.MatchString(r.URL.Path):
		return &refusal{status: http.StatusNotFound, kind: "NOT_FOUND", message: "models/x is not found"}
	case r.URL.RawQuery != "alt=sse":
		return wrong("query %q", r.URL.RawQuery)
	case r.Header.Get("x-goog-api-key") != s.Key:
		return &refusal{status: http.StatusForbidden, kind: "PERMISSION_DENIED", message: "API key not valid: " + r.Header.Get("x-goog-api-key")}
	}
	var q geminiRequest
	if err := strict(body, &q); err != nil {
		return wrong("Invalid JSON payload received. Unknown name: %v", err)
	}
	if len(q.Contents) == 0 {
		return wrong("contents is not specified")
	}
	if g := q.GenerationConfig; len(g.ResponseSchema) > 0 {
		if g.ResponseMIMEType != "application/json" {
			return wrong("response_schema needs response_mime_type application/json")
		}
		if bad := geminiSchema(g.ResponseSchema); bad != nil {
			return bad
		}
	}
	for _, t := range q.Tools {
		for _, f := range t.FunctionDeclarations {
			if !geminiName.MatchString(f.Name) {
				return wrong("Invalid function name %q", f.Name)
			}
			if len(f.Parameters) == 0 {
				continue
			}
			if bad := geminiSchema(f.Parameters); bad != nil {
				return bad
			}
		}
	}
	return geminiOrder(s, q)
}

// geminiSchema takes the published fields of Schema only.
func geminiSchema(raw json.RawMessage) *refusal {
	var s struct {
		Type             string                     `json:"type"`
		Format           string                     `json:"format"`
		Title            string                     `json:"title"`
		Description      string                     `json:"description"`
		Nullable         bool                       `json:"nullable"`
		Enum             []string                   `json:"enum"`
		MinItems         *int                       `json:"minItems"`
		MaxItems         *int                       `json:"maxItems"`
		MinLength        *int                       `json:"minLength"`
		MaxLength        *int                       `json:"maxLength"`
		Minimum          *float64                   `json:"minimum"`
		Maximum          *float64                   `json:"maximum"`
		Properties       map[string]json.RawMessage `json:"properties"`
		Required         []string                   `json:"required"`
		PropertyOrdering []string                   `json:"propertyOrdering"`
		Items            json.RawMessage            `json:"items"`
		AnyOf            []json.RawMessage          `json:"anyOf"`
	}
	if err := strict(raw, &s); err != nil {
		return wrong("schema: %v", err)
	}
	inner := slices.Clone(s.AnyOf)
	for _, p := range s.Properties {
		inner = append(inner, p)
	}
	switch s.Type {
	case "object":
		if len(s.Properties) == 0 {
			return wrong("properties: should be non-empty for OBJECT type")
		}
		for _, r := range s.Required {
			if s.Properties[r] == nil {
				return wrong("required: %q is not defined", r)
			}
		}
	case "array":
		if s.Items == nil {
			return wrong("items: missing field")
		}
		inner = append(inner, s.Items)
	case "string":
		if s.Format != "" && s.Format != "enum" && s.Format != "date-time" {
			return wrong("format: only 'enum' and 'date-time' are supported for STRING type")
		}
	case "integer", "number", "boolean":
		if len(s.Enum) > 0 {
			return wrong("enum: only allowed for STRING type")
		}
	default:
		if s.Type != "" || len(s.AnyOf) == 0 {
			return wrong("type %q", s.Type)
		}
	}
	for _, p := range inner {
		if bad := geminiSchema(p); bad != nil {
			return bad
		}
	}
	return nil
}

// geminiOrder checks that calls and responses are turns beside each other, and
// that the calls of the current turn are signed.
func geminiOrder(s *Server, q geminiRequest) *refusal {
	calls, current := 0, 0
	for i, c := range q.Contents {
		for _, p := range c.Parts {
			if c.Role == "user" && p.Text != "" {
				current = i // the turn of the human begins anew
			}
		}
	}
	for i, c := range q.Contents {
		if want := []string{"user", "model"}[i%2]; c.Role != want || len(c.Parts) == 0 {
			return wrong("contents[%d]: role %q with %d parts", i, c.Role, len(c.Parts))
		}
		asked, answered := 0, 0
		for _, p := range c.Parts {
			switch {
			case p.FunctionCall != nil && c.Role == "model":
				asked++
				if s.Signs && i > current && asked == 1 && p.ThoughtSignature != geminiSigned && p.ThoughtSignature != geminiForeign {
					return wrong("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly.")
				}
				if _, err := base64.URLEncoding.DecodeString(p.ThoughtSignature); err != nil {
					return wrong("thoughtSignature: Base64 decoding failed")
				}
			case p.FunctionResponse != nil && c.Role == "user" && p.FunctionResponse.Response != nil:
				answered++
			case p.Text == "":
				return wrong("contents[%d]: a part has no data", i)
			}
		}
		if answered != calls {
			return wrong("contents[%d]: the number of function response parts must equal the number of function call parts", i)
		}
		calls = asked
	}
	if calls > 0 {
		return wrong("function calls without a function response turn")
	}
	return nil
}

func (gemini) failure(r *refusal) []byte {
	status := map[int]string{400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}[r.status]
	return []byte(encoded([]obj{{"error": obj{"code": r.status, "message": r.message, "status": status}}}))
}

func (gemini) broken() frame {
	return frame{text: "data: " + encoded(obj{"error": obj{"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}) + "\r\n\r\n"}
}

func (gemini) frames(s *Server, body []byte, p Reply) []frame {
	var q geminiRequest
	_ = json.Unmarshal(body, &q) // checked before
	p = p.or(len(q.GenerationConfig.ResponseSchema) > 0)
	event := func(parts []obj, finish string) string {
		c := obj{"content": obj{"parts": parts, "role": "model"}, "index": 0}
		if finish != "" {
			c["finishReason"] = finish
		}
		return "data: " + encoded(obj{"candidates": []obj{c}, "usageMetadata": obj{"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19}, "modelVersion": "x"}) + "\r\n\r\n"
	}
	out := []frame{{text: event([]obj{{"text": "Let me think.", "thought": true}}, "")}}
	for _, t := range p.Text {
		out = append(out, frame{text: event([]obj{{"text": t}}, "")})
	}
	for i, c := range p.Calls {
		f := obj{"name": c.Name}
		if raw := strings.Join(c.Args, ""); raw != "" {
			f["args"] = json.RawMessage(raw)
		}
		if c.ID != "" {
			f["id"] = c.ID
		}
		call := obj{"functionCall": f}
		if s.Signs && i == 0 {
			call["thoughtSignature"] = geminiSigned
		}
		out = append(out, frame{text: event([]obj{call}, ""), call: true})
	}
	finish := "STOP"
	if p.Finish != "" {
		finish = p.Finish
	}
	return append(out, frame{text: event([]obj{}, finish)})
}
