package agent

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"flametree/engine/guard"
	"flametree/engine/provider"
	"flametree/engine/tool"
	"flametree/engine/workflow"
)

// Revision is what a session runs on, from its first line to its last. It does
// not change, so any number of sessions may share one.
type Revision struct {
	Agent    string // id
	Number   uint64 // 1, 2, …
	Spec     *Spec
	Flow     *workflow.Flow // of Spec
	Settings Settings       // of Spec

	// What the agent's groups and servers offer; Spec names them, With fills them in.
	Tools  []tool.Spec
	Skills []tool.Skill
	Guard  *guard.Set // nil = nothing is checked
}

// With is the revision together with what its tool groups and servers offer.
// It shares everything else with r.
func (r *Revision) With(tools []tool.Spec, skills []tool.Skill) *Revision {
	with := *r
	with.Tools, with.Skills = tools, skills
	return &with
}

// Guarded is the revision with its guardrails.
func (r *Revision) Guarded(g *guard.Set) *Revision {
	with := *r
	with.Guard = g
	return &with
}

// Tool finds a tool of a group or server by its name.
func (r *Revision) Tool(name string) (tool.Spec, bool) {
	for _, t := range r.Tools {
		if t.Name == name {
			return t, true
		}
	}
	return tool.Spec{}, false
}

// Compile reads an agent file as revision n of agent id. Errors are those of
// Parse. The same bytes always give the same revision.
func Compile(id string, n uint64, file []byte) (*Revision, []Warning, error) {
	s, warnings, err := Parse(file)
	if err != nil {
		return nil, warnings, err
	}
	return &Revision{Agent: id, Number: n, Spec: s, Flow: s.Flow, Settings: s.Settings}, warnings, nil
}

// Greeting is what the agent says first, "" if it waits.
func (r *Revision) Greeting() string {
	first := r.Settings.StartPhrase
	if first == "" {
		first = r.Spec.Welcome
	}
	return strings.TrimSpace(first + " " + r.Settings.StartAppendix)
}

// Buttons stand under the written greeting: "buttons" of START_META, at most ten
// texts of at most 100 characters. Other metadata is for whoever reads the file.
func (r *Revision) Buttons() []string {
	var meta struct {
		Buttons []string `json:"buttons"`
	}
	if r.Settings.StartMeta == "" || json.Unmarshal([]byte(r.Settings.StartMeta), &meta) != nil {
		return nil
	}
	var out []string
	for _, b := range meta.Buttons {
		if b = strings.TrimSpace(b); b != "" && utf8.RuneCountInString(b) <= 100 && len(out) < 10 {
			out = append(out, b)
		}
	}
	return out
}

// SpokenGreeting is the greeting of a call: the notice that it is recorded
// comes first.
func (r *Revision) SpokenGreeting() string {
	if !r.Settings.Record {
		return r.Greeting()
	}
	return strings.TrimSpace(r.Settings.RecordNotice + " " + r.Greeting())
}

// Hints is all text of the agent that callers' words may be taken from. Equal
// revisions give equal hints with equal keys.
func (r *Revision) Hints() provider.Hints {
	s := r.Spec
	h := provider.Hints{Key: fmt.Sprintf("%s@%d", r.Agent, r.Number)}
	add := func(texts ...string) {
		for _, t := range texts {
			if t != "" {
				h.Texts = append(h.Texts, t)
			}
		}
	}
	add(s.Name, s.Identity, s.Task, r.Greeting(), s.Core)
	for _, f := range s.FAQs {
		add(f.Question, f.Answer)
	}
	for _, t := range s.Texts {
		add(t.Title, t.Text)
	}
	add(r.Flow.Texts()...)
	for _, f := range s.Results {
		add(f.Title, f.Description)
		add(f.Options...)
		h.Fields = append(h.Fields, f.Show(""))
	}
	return h
}
