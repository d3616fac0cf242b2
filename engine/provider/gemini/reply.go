package gemini

import (
	"bytes"
	"encoding/json"
	"slices"

	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// reply turns the responses of one answer into deltas.
type reply struct {
	yield  func(provider.Delta, error) bool
	names  wire.Names
	client *wire.Client
	signed *signatures
	usage  *provider.Usage
	reason string
	ids    []string // of the calls so far

	begun bool // something was passed on
	gone  bool // the consumer broke out
}

// send passes on a delta, unless the consumer broke out.
func (r *reply) send(d provider.Delta) {
	r.begun = true
	r.gone = r.gone || !r.yield(d, nil)
}

func (r *reply) response(in response) error {
	if in.PromptFeedback.BlockReason != "" {
		return r.client.Withheld(in.PromptFeedback.BlockReason)
	}
	if u := in.Usage; u != nil {
		r.usage = &provider.Usage{Input: u.Prompt, Output: u.Candidates + u.Thoughts}
	}
	for _, c := range in.Candidates {
		for _, p := range c.Content.Parts {
			if err := r.part(p); err != nil || r.gone {
				return err
			}
		}
		if c.FinishReason != "" {
			r.reason = c.FinishReason
		}
	}
	return nil
}

// part passes on text, and a call, which is whole. Thoughts are not said.
func (r *reply) part(p part) error {
	switch {
	case p.FunctionCall != nil:
		args := bytes.TrimSpace(p.FunctionCall.Args)
		if len(args) == 0 || string(args) == "null" {
			args = []byte("{}")
		}
		if !json.Valid(args) || args[0] != '{' {
			return r.client.Unreadable()
		}
		id := p.FunctionCall.ID
		given := wire.ID(id) == id && !slices.Contains(r.ids, id)
		if !given {
			id = wire.NewID()
		}
		r.ids = append(r.ids, id)
		r.signed.put(id, signed{signature: p.ThoughtSignature, given: given})
		r.send(provider.Delta{Call: &provider.ToolCall{ID: id, Name: r.names.Real(p.FunctionCall.Name), Args: string(args)}})
	case p.Text != "" && !p.Thought:
		r.send(provider.Delta{Text: p.Text})
	}
	return nil
}

// finish ends the reply at the end of the stream, which is how it ends here.
func (r *reply) finish() error {
	var finish provider.Finish
	switch r.reason {
	case "":
		return r.client.Cut()
	case "STOP":
		finish = provider.FinishStop
		if len(r.ids) > 0 {
			finish = provider.FinishTools
		}
	case "MAX_TOKENS":
		finish = provider.FinishLimit
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE":
		return r.client.Withheld(r.reason)
	default: // MALFORMED_FUNCTION_CALL, OTHER and what is new: another try may do better
		return r.client.Failed(r.reason)
	}
	if r.usage != nil {
		r.send(provider.Delta{Usage: r.usage})
	}
	r.send(provider.Delta{Finish: finish})
	return nil
}
