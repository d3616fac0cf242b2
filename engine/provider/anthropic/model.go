package anthropic

import (
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

// DefaultURL is Anthropic's own address; Version the form of messages spoken.
const (
	DefaultURL = "https://api.anthropic.com/v1"
	Version    = "2023-06-01"
)

const (
	defaultTokens = 1024 // the API wants a limit
	replyTool     = "reply"
	temperature   = "temperature"
	toolChoice    = "tool_choice"
)

// Options of a Model.
type Options struct {
	BaseURL string // "" = DefaultURL
	Key     string
	Model   string // where a request names none
	Header  http.Header
	HTTP    *http.Client // nil = one of its own; the place for an egress guard
	Idle    time.Duration
}

// Model is a provider.Completer.
type Model struct {
	client *wire.Client
	model  string
	spared wire.Spared
}

// New makes a Model. It asks nothing yet; faults of o are fault.Invalid.
func New(o Options) (*Model, error) {
	if o.Model == "" || o.Key == "" {
		return nil, fmt.Errorf("anthropic: a key and a model must be given: %w", fault.Invalid)
	}
	base := o.BaseURL
	if base == "" {
		base = DefaultURL
	}
	h := make(http.Header, len(o.Header)+2)
	maps.Copy(h, o.Header)
	h.Set("x-api-key", o.Key)
	h.Set("anthropic-version", Version)
	c, err := wire.New(wire.Options{Vendor: "anthropic", BaseURL: base, Secret: o.Key, Header: h, HTTP: o.HTTP, Idle: o.Idle})
	if err != nil {
		return nil, err
	}
	return &Model{client: c, model: o.Model}, nil
}

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
			out := reply{yield: yield, names: wire.NamesOf(r.Tools), client: m.client, structured: r.Schema != nil, blocks: map[int]*open{}}
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

func (m *Model) learn(b request, err error) bool {
	return b.Temperature != nil && m.spared.Learn(b.Model, err, temperature) ||
		b.ToolChoice != nil && b.ToolChoice.Type == "tool" && m.spared.Learn(b.Model, err, toolChoice)
}

func (m *Model) request(r provider.Request) (request, error) {
	out := request{Model: r.Model, MaxTokens: r.MaxTokens, System: wire.System(r.System), Stream: true}
	if out.Model == "" {
		out.Model = m.model
	}
	if out.MaxTokens <= 0 {
		out.MaxTokens = defaultTokens
	}
	if r.Temperature >= 0 && !m.spared.Has(out.Model, temperature) {
		t := min(r.Temperature, 1) // theirs ends at 1
		out.Temperature = &t
	}
	lines := wire.Talk(r.Messages)
	for _, l := range lines {
		out.Messages = append(out.Messages, written(l))
	}
	if r.Schema != nil {
		schema, err := wire.Schema(r.Schema)
		if err != nil {
			return request{}, fmt.Errorf("anthropic: %w", err)
		}
		out.Tools = []tool{{Name: replyTool, Description: "Gives the answer.", InputSchema: schema}}
		if m.spared.Has(out.Model, toolChoice) {
			out.System += "\n\n# Form of the answer\nAnswer by calling the tool " + replyTool + ", once, and say nothing else."
		} else {
			out.ToolChoice = &choice{Type: "tool", Name: replyTool}
		}
		return out, nil
	}
	for _, t := range r.Tools {
		schema, err := wire.Schema(t.Schema)
		if err != nil {
			return request{}, fmt.Errorf("anthropic: tool %q: %w", t.Name, err)
		}
		out.Tools = append(out.Tools, tool{Name: wire.Name(t.Name), Description: t.Description, InputSchema: schema})
	}
	if len(out.Tools) == 0 {
		out.remember(lines)
	}
	return out, nil
}

// remember declares the tools of past calls, which the API wants, and forbids
// to call them.
func (b *request) remember(lines []wire.Line) {
	seen := map[string]bool{}
	for _, l := range lines {
		for _, c := range l.Calls {
			if !seen[c.Name] {
				seen[c.Name] = true
				b.Tools = append(b.Tools, tool{Name: c.Name, InputSchema: json.RawMessage(`{"type":"object"}`)})
				b.ToolChoice = &choice{Type: "none"}
			}
		}
	}
}

// written is one side's line. Answers of tools stand before what was said.
func written(l wire.Line) message {
	m := message{Role: "user"}
	if l.Assistant {
		m.Role = "assistant"
	}
	for _, a := range l.Answers {
		m.Content = append(m.Content, block{Type: "tool_result", ToolUseID: a.ID, Content: wire.Data(a.Text)})
	}
	if l.Text != "" {
		m.Content = append(m.Content, block{Type: "text", Text: l.Text})
	}
	for _, c := range l.Calls {
		m.Content = append(m.Content, block{Type: "tool_use", ID: c.ID, Name: c.Name, Input: json.RawMessage(c.Args)})
	}
	return m
}

// isStop tells the last event without reading its JSON: the name is the type.
func isStop(e wire.Event) bool { return e.Name == "message_stop" }

func (m *Model) stream(ctx context.Context, body request, out *reply) error {
	for e, err := range m.client.Stream(ctx, "/messages", body, isStop) {
		switch {
		case err != nil && out.ended:
			return nil // the reply was whole; how the connection ends is no matter
		case err != nil:
			return err
		}
		var h happening
		if json.Unmarshal(e.Data, &h) != nil { // its error may quote the reply
			return m.client.Unreadable()
		}
		if h.Type == "error" {
			return m.client.Broken(e.Data)
		}
		if err := out.happening(h); err != nil || out.gone {
			return err
		}
	}
	if !out.ended {
		return m.client.Cut()
	}
	return nil
}
