package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// DefaultURL is OpenAI's own address.
const DefaultURL = "https://api.openai.com/v1"

// Options of a Model or an Embedder. A server on one's own needs BaseURL and
// Model only.
type Options struct {
	BaseURL string // "" = DefaultURL; compatible servers mostly end in /v1
	Key     string // "" = none is sent
	Model   string // where a request names none
	Header  http.Header
	HTTP    *http.Client // nil = one of its own; the place for an egress guard
	Idle    time.Duration
	// MaxCompletionTokens sends the limit under the name that OpenAI's reasoning
	// models want. A server that refuses the one name is asked under the other.
	MaxCompletionTokens bool
}

func (o Options) client() (*wire.Client, error) {
	if o.Model == "" {
		return nil, fmt.Errorf("openai: a model must be named: %w", fault.Invalid)
	}
	base := o.BaseURL
	if base == "" {
		base = DefaultURL
	}
	h := make(http.Header, len(o.Header)+1)
	maps.Copy(h, o.Header)
	if o.Key != "" {
		h.Set("Authorization", "Bearer "+o.Key)
	}
	return wire.New(wire.Options{Vendor: "openai", BaseURL: base, Secret: o.Key, Header: h, HTTP: o.HTTP, Idle: o.Idle})
}

// Model is a provider.Completer.
type Model struct {
	client *wire.Client
	model  string
	newer  bool
	spared wire.Spared
}

// New makes a Model. It asks nothing yet; faults of o are fault.Invalid.
func New(o Options) (*Model, error) {
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	return &Model{client: c, model: o.Model, newer: o.MaxCompletionTokens}, nil
}

// The fields that a server may refuse. plainFormat is json_object, asked for
// when json_schema was refused.
const (
	maxTokens   = "max_tokens"
	newerTokens = "max_completion_tokens"
	temperature = "temperature"
	streamOpts  = "stream_options"
	respFormat  = "response_format"
	plainFormat = respFormat + ".type"
)

// Complete implements provider.Completer.
func (m *Model) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		ctx, cancel := wire.Within(ctx, r.Deadline)
		defer cancel()
		for {
			body, err := m.request(r)
			if err != nil {
				yield(provider.Delta{}, err)
				return
			}
			out := reply{yield: yield, names: wire.NamesOf(r.Tools), client: m.client}
			out.whole = r.Schema != nil && body.ResponseFormat == nil
			err = m.stream(ctx, body, &out)
			if err == nil || out.gone {
				return
			}
			if out.begun || !m.learn(body, err) {
				yield(provider.Delta{}, err)
				return
			}
		}
	}
}

// learn leaves out what the server refused, one field at a time, so that asking
// again ends.
func (m *Model) learn(b request, err error) bool {
	var sent []string
	for _, f := range []struct {
		name string
		sent bool
	}{
		{newerTokens, b.MaxCompletionTokens > 0},
		{maxTokens, b.MaxTokens > 0},
		{temperature, b.Temperature != nil},
		{streamOpts, b.StreamOptions != nil},
		{respFormat, b.ResponseFormat != nil && b.ResponseFormat.JSONSchema != nil},
	} {
		if f.sent {
			sent = append(sent, f.name)
		}
	}
	if m.spared.Learn(b.Model, err, sent...) {
		return true
	}
	return b.ResponseFormat != nil && b.ResponseFormat.JSONSchema == nil && m.spared.LearnAs(b.Model, err, respFormat, plainFormat)
}

func (m *Model) request(r provider.Request) (request, error) {
	out := request{Model: r.Model, Stream: true}
	if out.Model == "" {
		out.Model = m.model
	}
	has := func(field string) bool { return m.spared.Has(out.Model, field) }
	system := wire.System(r.System)
	if r.Schema != nil {
		schema, err := wire.Schema(r.Schema)
		if err != nil {
			return request{}, fmt.Errorf("openai: %w", err)
		}
		if has(respFormat) {
			system += "\n\n# Form of the answer\nAnswer with one JSON value of this JSON Schema and with nothing else:\n" + string(schema)
			if !has(plainFormat) {
				out.ResponseFormat = &format{Type: "json_object"}
			}
		} else {
			out.ResponseFormat = &format{Type: "json_schema", JSONSchema: &jsonSchema{Name: "answer", Schema: schema}}
		}
	}
	if system != "" {
		out.Messages = append(out.Messages, message{Role: "system", Content: &system})
	}
	out.Messages = append(out.Messages, messages(r.Messages)...)
	if err := out.offer(r); err != nil {
		return request{}, err
	}
	if !has(streamOpts) {
		out.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	if r.Temperature >= 0 && !has(temperature) {
		t := min(r.Temperature, 2)
		out.Temperature = &t
	}
	switch {
	case has(maxTokens) && has(newerTokens):
	case has(maxTokens), m.newer && !has(newerTokens):
		out.MaxCompletionTokens = r.MaxTokens
	default:
		out.MaxTokens = r.MaxTokens
	}
	return out, nil
}

// offer adds the tools. Where the answer has a schema there are none.
func (b *request) offer(r provider.Request) error {
	if r.Schema != nil {
		return nil
	}
	for _, t := range r.Tools {
		schema, err := wire.Schema(t.Schema)
		if err != nil {
			return fmt.Errorf("openai: tool %q: %w", t.Name, err)
		}
		b.Tools = append(b.Tools, tool{Type: "function", Function: function{Name: wire.Name(t.Name), Description: t.Description, Parameters: schema}})
	}
	return nil
}

func messages(in []provider.Message) []message {
	var out []message
	for _, l := range wire.Talk(in) {
		if !l.Assistant {
			for _, a := range l.Answers {
				text := wire.Data(a.Text)
				out = append(out, message{Role: "tool", ToolCallID: a.ID, Content: &text})
			}
			if l.Text != "" {
				out = append(out, message{Role: "user", Content: &l.Text})
			}
			continue
		}
		m := message{Role: "assistant"}
		if l.Text != "" {
			m.Content = &l.Text
		}
		for _, c := range l.Calls {
			m.ToolCalls = append(m.ToolCalls, call{ID: c.ID, Type: "function", Function: functionCall{Name: c.Name, Arguments: c.Args}})
		}
		out = append(out, m)
	}
	return out
}

func isDone(e wire.Event) bool { return string(bytes.TrimSpace(e.Data)) == "[DONE]" }

// stream asks once and passes the reply on.
func (m *Model) stream(ctx context.Context, body request, out *reply) error {
	for e, err := range m.client.Stream(ctx, "/chat/completions", body, isDone) {
		switch {
		case err != nil && out.ended:
			return nil // the reply was whole; how the connection ends is no matter
		case err != nil:
			return err
		case isDone(e):
			out.done = true
			if err := out.finish(); err != nil || out.gone {
				return err
			}
			continue
		}
		var c chunk
		if json.Unmarshal(e.Data, &c) != nil { // its error may quote the reply
			return m.client.Unreadable()
		}
		if len(c.Error) > 0 && string(c.Error) != "null" {
			return m.client.Broken(e.Data)
		}
		if err := out.chunk(c); err != nil || out.gone {
			return err
		}
	}
	return out.finish()
}
