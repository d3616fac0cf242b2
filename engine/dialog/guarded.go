package dialog

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/guard"
	"flametree/engine/knowledge"
	"flametree/engine/provider"
	"flametree/engine/session"
	"flametree/engine/tool"
)

// Private is what the engine tells every model and nobody else: a reply that
// recites it is stopped.
func Private(r *agent.Revision) []string {
	return []string{rules(&session.State{}, r)}
}

// Watch is what a reply is measured by: what may be said because it stands in
// the agent's knowledge or the passages, was said, or is the customer's own.
func Watch(s *session.State, r *agent.Revision, passages []knowledge.Hit) guard.Scene {
	sc := guard.Scene{Language: ""}
	for _, src := range r.Spec.Sources() {
		sc.Knowledge = append(sc.Knowledge, src.Question, src.Text)
	}
	sc.Knowledge = append(sc.Knowledge, r.Spec.Identity, r.Spec.SpeechStyle, r.Spec.Task, r.Greeting())
	sc.Knowledge = append(sc.Knowledge, r.Flow.Texts()...)
	for _, h := range passages {
		sc.Knowledge = append(sc.Knowledge, h.Question, h.Text)
	}
	for _, l := range s.Lines {
		if l.Role != session.RoleTool {
			sc.Said = append(sc.Said, l.Text)
		}
	}
	b := &s.Born
	sc.Own = append(sc.Own, b.Name.Text, b.Email.Text, b.Phone.Text, b.UserID.Text, s.Customer)
	for _, p := range b.Kwargs {
		if !strings.HasPrefix(p.Key, "_") {
			sc.Own = append(sc.Own, public(plain(p.Value.Text)))
		}
	}
	sc.Secrets = Hidden(params(s))
	for _, f := range s.Fields {
		sc.Own = append(sc.Own, f.Value)
	}
	for _, res := range s.Results {
		sc.Own = append(sc.Own, res.Value)
	}
	for _, o := range s.Observations {
		if spec, ok := r.Tool(o.Tool); ok && bindsCustomer(spec) {
			sc.Own = append(sc.Own, o.Value)
		} else {
			sc.Results = append(sc.Results, o.Value)
		}
	}
	return sc
}

// Hidden are the values of parameters that are for code only: the key they stand
// under, at any depth, begins with "_". They are in order, each once.
func Hidden(parameters map[string]json.RawMessage) []string {
	var out []string
	var gather func(v any, hidden bool)
	gather = func(v any, hidden bool) {
		switch x := v.(type) {
		case map[string]any:
			for k, inner := range x {
				gather(inner, hidden || strings.HasPrefix(k, "_"))
			}
		case []any:
			for _, inner := range x {
				gather(inner, hidden)
			}
		case string:
			if hidden && x != "" {
				out = append(out, x)
			}
		case json.Number:
			if hidden {
				out = append(out, x.String())
			}
		}
	}
	for k, raw := range parameters {
		var v any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&v) != nil {
			v = string(raw)
		}
		gather(v, strings.HasPrefix(k, "_"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// bindsCustomer reports whether whose data a tool gives is decided by the session.
func bindsCustomer(t tool.Spec) bool {
	for _, b := range t.Bind {
		switch b.From {
		case "customer.id", "session.user", "session.phone", "session.email":
			return true
		}
	}
	return false
}

// Screen looks at what the human said last.
func Screen(s *session.State, r *agent.Revision) guard.Verdict {
	if r.Guard == nil {
		return guard.Verdict{}
	}
	last, _ := lines(s)
	if last == "" {
		return guard.Verdict{}
	}
	return r.Guard.Check(guard.Input, last, Watch(s, r, nil))
}

// Hits are the records of a verdict.
func Hits(turn uint64, where guard.Where, hits []guard.Hit) []event.Event {
	var out []event.Event
	for _, h := range hits {
		out = append(out, event.GuardHit{
			Turn: turn, Rule: h.Rule, Where: string(where), Action: string(h.Action), Excerpt: event.P(h.Excerpt),
		})
	}
	return out
}

// safe is a text of outside as a model may be shown it: what looks like an
// instruction stands in it marked as data.
func safe(r *agent.Revision, where guard.Where, text string, of guard.Scene) string {
	if r.Guard == nil || text == "" {
		return text
	}
	return r.Guard.Check(where, text, of).Text
}

// shield marks what tools gave in the messages of a request, and takes out of it
// what they were told in confidence.
func shield(s *session.State, r *agent.Revision, in []provider.Message) []provider.Message {
	if r.Guard == nil {
		return in
	}
	of := guard.Scene{Secrets: Hidden(params(s))}
	for i := range in {
		if in[i].Role == provider.RoleTool {
			in[i].Text = safe(r, guard.Result, in[i].Text, of)
		}
	}
	return in
}

// barred says why words that a call carries may not be said, "" if they may.
func (d *decision) barred(text string) string {
	if d.rev.Guard == nil || text == "" {
		return ""
	}
	v := d.rev.Guard.Check(guard.Output, text, Watch(&d.State, d.rev, nil))
	d.hits = append(d.hits, Hits(d.Open.Turn, guard.Output, v.Hits)...)
	if v.Action == guard.Block || v.Action == guard.Replace || v.Action == guard.Handoff {
		return "a guardrail (" + v.Rule + ") does not let these words pass"
	}
	return ""
}

// bindings makes the arguments that a call runs with, and says why it may not
// run. asked is the mark of the call for which a yes is needed.
func (d *decision) bindings(spec tool.Spec, c event.ToolCall) (args, refused string) {
	standing := guard.Standing{Scene: SceneOf(&d.State, d.rev, d.At), Customer: d.Customer, Verified: d.Verified}
	wish, err := guard.Wish(spec, []byte(c.Args.Text), standing)
	if err != nil {
		return "", denial(err)
	}
	wish = open(spec, wish)
	confirm := spec.Confirm
	if d.rev.Guard != nil {
		v := d.rev.Guard.Check(guard.Arguments, string(wish), Watch(&d.State, d.rev, nil))
		d.hits = append(d.hits, Hits(d.Open.Turn, guard.Arguments, v.Hits)...)
		switch v.Action {
		case guard.Block, guard.Replace, guard.Handoff:
			return "", "a guardrail (" + v.Rule + ") does not let these arguments pass"
		case guard.Confirm:
			confirm = true
		case guard.Mask:
			wish = []byte(v.Text)
		case guard.Pass, guard.Flag:
		}
	}
	c.Args = event.P(string(wish))
	if confirm && !d.confirmed(c) {
		return string(wish), session.NeedsYes + ": tell the human what exactly will be done, ask whether it shall be done, and call it again with the same arguments after their yes"
	}
	return string(wish), ""
}

// Concealed reports whether an argument is bound to a parameter for code only.
// It is in no record of the call, where a model or a trace would show it: who
// runs the call fills it in from the scene.
func Concealed(b tool.Binding) bool { return strings.HasPrefix(b.From, "params._") }

// open is a call's arguments without those that are concealed.
func open(spec tool.Spec, args []byte) []byte {
	var fields map[string]json.RawMessage
	if !slices.ContainsFunc(spec.Bind, Concealed) || json.Unmarshal(args, &fields) != nil {
		return args
	}
	for _, b := range spec.Bind {
		if Concealed(b) {
			delete(fields, b.Arg)
		}
	}
	out, err := json.Marshal(fields)
	if err != nil {
		panic("what was read as JSON can be written as JSON: " + err.Error())
	}
	return out
}

// denial is a refusal in words for the model: without values.
func denial(err error) string {
	if r, ok := errors.AsType[guard.Refusal](err); ok {
		return string(r)
	}
	return clipped(err.Error(), 200)
}

// confirmed reports whether the human has said yes to this very call.
func (d *decision) confirmed(c event.ToolCall) bool {
	w := d.Waits
	if w == nil || w.Call.Name != c.Name || w.Turn >= d.Turn {
		return false
	}
	mark := guard.Mark(c.Name, []byte(c.Args.Text))
	return mark != "" && mark == guard.Mark(w.Call.Name, []byte(w.Call.Args.Text)) && agreed(&d.State, d.rev)
}

// agreed reports whether the human's last line says yes.
func agreed(s *session.State, r *agent.Revision) bool {
	language := s.Born.Language
	if language == "" {
		language = r.Settings.Language
	}
	last, _ := lines(s)
	return guard.Agrees(last, language)
}
