package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/remote"
)

const maxComplaint = 1000 // characters of a stranger's error

// value makes JSON of a result: what is structured, if the server structured
// it, else the text. A text that is itself an object or a list is taken as such.
func (e *entry) value(res *sdk.CallToolResult, a remote.Auth) (json.RawMessage, error) {
	if res.IsError {
		return nil, fmt.Errorf("the tool failed: %s: %w", remote.Printable(a.Hide(said(res.Content)), maxComplaint), fault.Invalid)
	}
	if res.StructuredContent == nil {
		if e.out != nil {
			return nil, fmt.Errorf("the result does not fit the tool's own schema: nothing is structured: %w", fault.Unavailable)
		}
		return fits(text(a.Hide(said(res.Content))))
	}
	raw, err := encode(res.StructuredContent)
	if err != nil {
		return nil, fmt.Errorf("the result is no JSON: %w", fault.Unavailable)
	}
	if raw, err = fits(raw); err != nil {
		return nil, err
	}
	if e.out != nil {
		if err := e.out.Fits(res.StructuredContent); err != nil {
			return nil, fmt.Errorf("the result does not fit the tool's own schema: %w: %w", err, fault.Unavailable)
		}
	}
	raw = json.RawMessage(a.Hide(string(raw)))
	if !json.Valid(raw) { // the secret is a piece of JSON's own grammar
		return nil, fmt.Errorf("the result repeats our authentication: %w", fault.Unavailable)
	}
	return raw, nil
}

func fits(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) > tool.MaxResult {
		return nil, fmt.Errorf("the result has %d bytes, more than %d; ask for less: %w", len(raw), tool.MaxResult, fault.Invalid)
	}
	return raw, nil
}

func text(s string) json.RawMessage {
	var compact bytes.Buffer
	if t := strings.TrimSpace(s); strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") {
		if json.Compact(&compact, []byte(t)) == nil {
			return compact.Bytes()
		}
	}
	raw, err := encode(s)
	if err != nil { // a string always is JSON
		return json.RawMessage(`""`)
	}
	return raw
}

// encode writes JSON for a model, not for a page: "<" stays "<".
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// said joins what a result says in words. What is no text is named, so that the
// model knows of it.
func said(parts []sdk.Content) string {
	var lines []string
	for _, p := range parts {
		switch c := p.(type) {
		case *sdk.TextContent:
			lines = append(lines, c.Text)
		case *sdk.ImageContent:
			lines = append(lines, fmt.Sprintf("[image %s, %d bytes, left out]", remote.Printable(c.MIMEType, 80), len(c.Data)))
		case *sdk.AudioContent:
			lines = append(lines, fmt.Sprintf("[audio %s, %d bytes, left out]", remote.Printable(c.MIMEType, 80), len(c.Data)))
		case *sdk.ResourceLink:
			lines = append(lines, fmt.Sprintf("[link %s %s]", remote.Printable(c.Name, 200), remote.Printable(c.URI, 1000)))
		case *sdk.EmbeddedResource:
			if c.Resource != nil && c.Resource.Text != "" {
				lines = append(lines, c.Resource.Text)
			} else if c.Resource != nil {
				lines = append(lines, fmt.Sprintf("[resource %s, %d bytes, left out]", remote.Printable(c.Resource.URI, 1000), len(c.Resource.Blob)))
			}
		}
	}
	return strings.Join(lines, "\n")
}
