package anthropic

import (
	"encoding/json"
	"strings"

	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// reply turns the events of one answer into deltas.
type reply struct {
	yield      func(provider.Delta, error) bool
	names      wire.Names
	client     *wire.Client
	structured bool // the input of the tool is the text
	prose      strings.Builder
	blocks     map[int]*open
	usage      usage
	reason     string
	called     bool // a call was passed on, or the text that stands for one

	begun bool // something was passed on
	gone  bool // the consumer broke out
	ended bool // Finish was passed on
}

// open is a content block that is being written.
type open struct {
	call  *provider.ToolCall // nil for what is no call
	input string             // whole input that came with the start
	some  bool               // a fragment of input came
}

// send passes on a delta, unless the consumer broke out.
func (r *reply) send(d provider.Delta) {
	r.begun = true
	r.gone = r.gone || !r.yield(d, nil)
}

// happening takes in one event. Unknown types and blocks may be added at any
// time, so the API says, and are passed over.
func (r *reply) happening(h happening) error {
	switch h.Type {
	case "message_start":
		r.usage = h.Message.Usage
	case "content_block_start":
		b := &open{}
		if h.Block.Type == "tool_use" {
			b.call = &provider.ToolCall{ID: h.Block.ID, Name: r.names.Real(h.Block.Name)}
			b.input = string(h.Block.Input)
			r.start(b)
		}
		r.blocks[h.Index] = b
		r.text(h.Block.Text)
	case "content_block_delta":
		return r.delta(h)
	case "content_block_stop":
		r.stop(r.blocks[h.Index])
		delete(r.blocks, h.Index)
	case "message_delta":
		if h.Delta.StopReason != "" {
			r.reason = h.Delta.StopReason
		}
		if h.Usage != nil {
			r.usage.Output = h.Usage.Output // counted from the start of the message
		}
	case "message_stop":
		return r.finish()
	}
	return nil
}

func (r *reply) start(b *open) {
	if b.call.ID == "" {
		b.call.ID = wire.NewID()
	}
	r.called = true
	if !r.structured {
		c := *b.call
		r.send(provider.Delta{Call: &c})
	}
}

func (r *reply) delta(h happening) error {
	b := r.blocks[h.Index]
	switch h.Delta.Type {
	case "text_delta":
		r.text(h.Delta.Text)
	case "input_json_delta":
		if b == nil || b.call == nil {
			return r.client.Unreadable()
		}
		if h.Delta.PartialJSON != "" {
			b.some = true
			r.args(b, h.Delta.PartialJSON)
		}
	}
	return nil
}

func (r *reply) text(s string) {
	if s == "" {
		return
	}
	if r.structured {
		r.prose.WriteString(s)
		return
	}
	r.send(provider.Delta{Text: s})
}

func (r *reply) args(b *open, s string) {
	switch {
	case r.structured:
		r.send(provider.Delta{Text: s})
	default:
		r.send(provider.Delta{Call: &provider.ToolCall{ID: b.call.ID, Name: b.call.Name, Args: s}})
	}
}

// stop ends a block. A call without input has the empty object.
func (r *reply) stop(b *open) {
	if b == nil || b.call == nil || b.some {
		return
	}
	if b.input == "" || !json.Valid([]byte(b.input)) || b.input == "null" {
		b.input = "{}"
	}
	r.args(b, b.input)
}

func (r *reply) finish() error {
	var finish provider.Finish
	switch r.reason {
	case "refusal":
		return r.client.Withheld(r.reason)
	case "max_tokens", "model_context_window_exceeded":
		finish = provider.FinishLimit
	case "":
		return r.client.Cut()
	default:
		finish = provider.FinishStop
		if r.called && !r.structured {
			finish = provider.FinishTools
		}
	}
	r.ended = true
	if text := wire.Unfenced(r.prose.String()); !r.called && text != "" {
		r.send(provider.Delta{Text: text}) // a model that did not call the tool it was asked to
	}
	u := provider.Usage{Input: r.usage.Input + r.usage.CacheRead + r.usage.CacheWrite, Output: r.usage.Output}
	if u != (provider.Usage{}) {
		r.send(provider.Delta{Usage: &u})
	}
	r.send(provider.Delta{Finish: finish})
	return nil
}
