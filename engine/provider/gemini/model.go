package gemini

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// DefaultURL is Google's own address.
const DefaultURL = "https://generativelanguage.googleapis.com/v1beta"

const (
	temperature = "temperature"
	signature   = "thought_signature"
	// foreign is what the documentation gives for calls whose signature is not there.
	foreign = "skip_thought_signature_validator"
)

// Options of a Model.
type Options struct {
	BaseURL string // "" = DefaultURL
	Key     string // sent in a header, never in the address
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
	signed signatures
}

// New makes a Model. It asks nothing yet; faults of o are fault.Invalid.
func New(o Options) (*Model, error) {
	if o.Model == "" || o.Key == "" {
		return nil, fmt.Errorf("gemini: a key and a model must be given: %w", fault.Invalid)
	}
	base := o.BaseURL
	if base == "" {
		base = DefaultURL
	}
	h := make(http.Header, len(o.Header)+1)
	maps.Copy(h, o.Header)
	h.Set("x-goog-api-key", o.Key)
	c, err := wire.New(wire.Options{Vendor: "gemini", BaseURL: base, Secret: o.Key, Header: h, HTTP: o.HTTP, Idle: o.Idle})
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
		model := r.Model
		if model == "" {
			model = m.model
		}
		for {
			body, err := m.request(model, r)
			if err != nil {
				yield(provider.Delta{}, err)
				return
			}
			out := reply{yield: yield, names: wire.NamesOf(r.Tools), client: m.client, signed: &m.signed}
			err = m.stream(ctx, model, body, &out)
			if err == nil || out.gone {
				return
			}
			if out.begun || !m.learn(model, body, err) {
				yield(provider.Delta{}, err)
				return
			}
		}
	}
}

// learn leaves out a temperature that was refused, and fills in a signature
// that was missed; each once.
func (m *Model) learn(model string, b request, err error) bool {
	if b.GenerationConfig.Temperature != nil && m.spared.Learn(model, err, temperature) {
		return true
	}
	return !m.spared.Has(model, signature) &&
		(m.spared.Learn(model, err, signature) || m.spared.LearnAs(model, err, "thoughtSignature", signature))
}

func (m *Model) request(model string, r provider.Request) (request, error) {
	out := request{GenerationConfig: generation{MaxOutputTokens: r.MaxTokens}}
	if s := wire.System(r.System); s != "" {
		out.SystemInstruction = &content{Parts: []part{{Text: s}}}
	}
	for _, l := range wire.Talk(r.Messages) {
		out.Contents = append(out.Contents, m.written(model, l))
	}
	if r.Temperature >= 0 && !m.spared.Has(model, temperature) {
		t := min(r.Temperature, 2)
		out.GenerationConfig.Temperature = &t
	}
	if r.Schema != nil {
		s, err := subset(r.Schema)
		if err != nil {
			return request{}, fmt.Errorf("gemini: %w", err)
		}
		out.GenerationConfig.ResponseMIMEType, out.GenerationConfig.ResponseSchema = "application/json", s
		return out, nil
	}
	var list []declaration
	for _, t := range r.Tools {
		s, err := subset(t.Schema)
		if err != nil {
			return request{}, fmt.Errorf("gemini: tool %q: %w", t.Name, err)
		}
		if s["properties"] == nil {
			s = nil // an object without properties is refused
		}
		list = append(list, declaration{Name: wire.Name(t.Name), Description: t.Description, Parameters: s})
	}
	if len(list) > 0 {
		out.Tools = []tools{{FunctionDeclarations: list}}
	}
	return out, nil
}

// written is one side's line. The first call of a line carries the signature.
func (m *Model) written(model string, l wire.Line) content {
	c := content{Role: "user"}
	if l.Assistant {
		c.Role = "model"
	}
	for _, a := range l.Answers {
		f := functionResponse{Name: a.Name, Response: map[string]string{"data": a.Text}}
		if m.signed.get(a.ID).given {
			f.ID = a.ID
		}
		c.Parts = append(c.Parts, part{FunctionResponse: &f})
	}
	if l.Text != "" {
		c.Parts = append(c.Parts, part{Text: l.Text})
	}
	for i, call := range l.Calls {
		known := m.signed.get(call.ID)
		p := part{FunctionCall: &functionCall{Name: call.Name, Args: json.RawMessage(call.Args)}, ThoughtSignature: known.signature}
		if known.given {
			p.FunctionCall.ID = call.ID
		}
		if i == 0 && known.signature == "" && m.spared.Has(model, signature) {
			p.ThoughtSignature = foreign
		}
		c.Parts = append(c.Parts, p)
	}
	return c
}

func (m *Model) stream(ctx context.Context, model string, body request, out *reply) error {
	path := "/models/" + url.PathEscape(strings.TrimPrefix(model, "models/")) + ":streamGenerateContent?alt=sse"
	for e, err := range m.client.Stream(ctx, path, body, nil) {
		if err != nil {
			return err
		}
		var r response
		if json.Unmarshal(e.Data, &r) != nil { // its error may quote the reply
			return m.client.Unreadable()
		}
		if len(r.Error) > 0 {
			return m.client.Broken(e.Data)
		}
		if err := out.response(r); err != nil || out.gone {
			return err
		}
	}
	return out.finish()
}
