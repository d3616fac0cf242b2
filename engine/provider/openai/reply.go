package openai

import (
	"encoding/json"
	"slices"
	"strings"

	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// reply turns the chunks of one answer into deltas.
type reply struct {
	yield  func(provider.Delta, error) bool
	names  wire.Names
	client *wire.Client
	whole  bool // the text is passed on at the end, without its fence
	text   strings.Builder
	calls  []*pending
	usage  *provider.Usage
	reason string

	begun bool // something was passed on
	gone  bool // the consumer broke out
	done  bool // the server said that it is done
	ended bool // Finish was passed on
}

// pending is a call whose fragments arrive.
type pending struct {
	index    int
	given    string // the id the server gave, "" for none
	id, name string
	args     strings.Builder
	told     bool // its start was passed on
}

// send passes on a delta, unless the consumer broke out.
func (r *reply) send(d provider.Delta) {
	r.begun = true
	r.gone = r.gone || !r.yield(d, nil)
}

func (r *reply) chunk(c chunk) error {
	if c.Usage != nil {
		r.usage = &provider.Usage{Input: c.Usage.Prompt, Output: c.Usage.Completion}
	}
	for _, ch := range c.Choices {
		if ch.Delta.Content != nil {
			r.say(*ch.Delta.Content)
		}
		if ch.Delta.Refusal != nil {
			r.say(*ch.Delta.Refusal)
		}
		for _, f := range ch.Delta.ToolCalls {
			r.fragment(f)
		}
		if ch.FinishReason != "" {
			r.reason = ch.FinishReason
		}
		if ch.FinishReason == "content_filter" && !r.gone {
			return r.client.Withheld(ch.FinishReason)
		}
	}
	return nil
}

// say passes on text, or keeps it for the end.
func (r *reply) say(s string) {
	switch {
	case s == "":
	case r.whole:
		r.text.WriteString(s)
	default:
		r.send(provider.Delta{Text: s})
	}
}

// fragment passes on a piece of a call, under the id of that call. A call's
// start waits for its name.
func (r *reply) fragment(f fragment) {
	p := r.call(f)
	if p.name == "" {
		p.name = f.Function.Name
	}
	args := f.Function.Arguments
	p.args.WriteString(args)
	if p.name == "" || p.told && args == "" {
		return
	}
	if !p.told {
		args = p.args.String()
	}
	p.told = true
	r.send(provider.Delta{Call: &provider.ToolCall{ID: p.id, Name: r.names.Real(p.name), Args: args}})
}

// call finds the call a fragment belongs to: the one of its index, unless an
// id beside a name tells that it is another; without an index the one of its id,
// or else the last, unless that one is whole and a name begins a new one.
func (r *reply) call(f fragment) *pending {
	for i, p := range slices.Backward(r.calls) {
		switch {
		case f.ID != "" && p.given != "" && (f.ID == p.given || f.Function.Name != ""):
			if f.ID == p.given && (f.Index == nil || *f.Index == p.index) {
				return p
			}
		case f.Index != nil:
			if *f.Index == p.index {
				return p
			}
		case i == len(r.calls)-1 && (f.Function.Name == "" || !json.Valid([]byte(p.args.String()))):
			return p
		}
	}
	p := &pending{given: f.ID, id: f.ID, index: len(r.calls)}
	if f.Index != nil {
		p.index = *f.Index
	}
	for p.id == "" || r.taken(p.id) {
		p.id = wire.NewID()
	}
	r.calls = append(r.calls, p)
	return p
}

func (r *reply) taken(id string) bool {
	return slices.ContainsFunc(r.calls, func(p *pending) bool { return p.id == id })
}

// finish ends the reply, once: an error if the stream ended before it did.
func (r *reply) finish() error {
	if r.ended {
		return nil
	}
	if !r.done && r.reason == "" {
		return r.client.Cut()
	}
	r.ended = true
	if r.whole {
		if text := wire.Unfenced(r.text.String()); text != "" {
			r.send(provider.Delta{Text: text})
		}
	}
	finish := provider.FinishStop
	for _, p := range r.calls {
		if p.told && strings.TrimSpace(p.args.String()) == "" && r.reason != "length" {
			r.send(provider.Delta{Call: &provider.ToolCall{ID: p.id, Name: r.names.Real(p.name), Args: "{}"}})
		}
		finish = provider.FinishTools
	}
	if r.reason == "length" {
		finish = provider.FinishLimit
	}
	if r.usage != nil {
		r.send(provider.Delta{Usage: r.usage})
	}
	r.send(provider.Delta{Finish: finish})
	return nil
}
