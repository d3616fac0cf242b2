package dialog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/provider"
	"flametree/engine/session"
	"flametree/engine/tool"
	"flametree/engine/workflow"
)

// The limits of a turn besides those an agent may set.
const (
	maxSteps   = 5 // answers of the model (spec D2: as many as tool calls)
	maxMoves   = 8 // spec D1
	maxButtons = 10
	maxLabel   = 100 // characters
)

// tools are what the model may call now: the built-in ones, what the current
// state lists, and the moves out of it whose condition holds.
func tools(s *session.State, r *agent.Revision) []provider.Tool {
	var out []provider.Tool
	if finishes(s, r) {
		out = append(out, provider.Tool{
			Name:        session.FinishTool,
			Description: "Ends the conversation. Call it when the human has nothing more to ask or says goodbye; last_message is the farewell.",
			Schema:      schemaOf(`{"last_message":{"type":"string","description":"what is said last"}}`, `["last_message"]`),
		})
	}
	if !s.Voice() && (listed(s, r, buttonsTool) || !lists(s, r)) {
		out = append(out, provider.Tool{
			Name:        buttonsTool,
			Description: "Shows buttons with answers the human can choose from, under the text of your reply.",
			Schema:      schemaOf(fmt.Sprintf(`{"options":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":%d}}`, maxButtons), `["options"]`),
		})
	}
	for _, y := range systems() {
		if !y.offers(s, r) {
			continue
		}
		if y.Name == handoffTool {
			y.Description = describeHandoff(r)
		}
		if y.Name == transferTool {
			y.Schema = toTargets(r)
		}
		if y.Name == languageTool {
			y.Schema = toLanguages(r)
		}
		out = append(out, y.Tool)
	}
	for _, t := range external(s, r) {
		out = append(out, provider.Tool{Name: t.Name, Description: t.Description, Schema: t.Schema})
	}
	for _, m := range moves(s, r) {
		out = append(out, provider.Tool{Name: m.Tool, Description: describe(m), Schema: schemaOf(`{}`, `[]`), Move: true})
	}
	return out
}

// lists reports whether the current state names its tools: then it has no others.
func lists(s *session.State, r *agent.Revision) bool {
	st, ok := r.Flow.State(s.Flow)
	return ok && len(st.Tools) > 0
}

// finishes reports whether the conversation may be ended from here. A state
// that lists tools without it goes on until a move leads to END.
func finishes(s *session.State, r *agent.Revision) bool {
	return !lists(s, r) || listed(s, r, session.FinishTool)
}

// external are the tools of groups and servers that may be called now.
func external(s *session.State, r *agent.Revision) []tool.Spec {
	if r.Flow == nil {
		return r.Tools[:min(len(r.Tools), tool.MaxPerState)]
	}
	st, ok := r.Flow.State(s.Flow)
	if !ok {
		return nil
	}
	var out []tool.Spec
	for _, name := range st.Tools {
		if t, ok := r.Tool(name); ok && len(out) < tool.MaxPerState {
			out = append(out, t)
		}
	}
	return out
}

// names are those of the tools that may be called now.
func names(s *session.State, r *agent.Revision) []string {
	all := tools(s, r)
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = t.Name
	}
	return out
}

// describe keeps to the words of the file: a model chooses by them.
func describe(m workflow.Move) string {
	switch {
	case m.Description != "":
		return m.Description
	case m.Next == workflow.End:
		return "ends the conversation"
	}
	return fmt.Sprintf("moves to the state %q", m.Next)
}

func schemaOf(properties, required string) json.RawMessage {
	return json.RawMessage(`{"type":"object","properties":` + properties + `,"required":` + required + `,"additionalProperties":false}`)
}

// lastMessage reads the arguments of FinishSession.
func lastMessage(args string) (string, bool) {
	var v struct {
		Last *string `json:"last_message"`
	}
	if !readArgs(args, &v) {
		return "", false
	}
	if v.Last == nil {
		return "", true
	}
	return strings.TrimSpace(*v.Last), true
}

// buttons reads the arguments of ProvideOptionButtons.
func buttons(args string) ([]string, bool) {
	var v struct{ Options []string }
	if !readArgs(args, &v) {
		return nil, false
	}
	var out []string
	for _, o := range v.Options {
		if o = strings.TrimSpace(o); o == "" || len([]rune(o)) > maxLabel {
			return nil, false
		}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out, len(out) > 0 && len(out) <= maxButtons
}

// readArgs accepts nothing at all as an empty object: models send that for
// tools without parameters.
func readArgs(args string, to any) bool {
	if strings.TrimSpace(args) == "" {
		return true
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(args), &object) != nil || object == nil {
		return false
	}
	return json.Unmarshal([]byte(args), to) == nil
}

// shown are the buttons of the open reply: those asked for and granted.
func shown(s *session.State) []string {
	var out []string
	for _, l := range s.Lines {
		if l.Turn != s.Open.Turn {
			continue
		}
		for _, c := range l.Calls {
			if c.Name != buttonsTool || !granted(s, c) {
				continue
			}
			options, _ := buttons(c.Args.Text)
			for _, o := range options {
				if !slices.Contains(out, o) && len(out) < maxButtons {
					out = append(out, o)
				}
			}
		}
	}
	return out
}

func granted(s *session.State, c event.ToolCall) bool {
	return slices.ContainsFunc(s.Lines, func(l session.Line) bool {
		return l.Turn == s.Open.Turn && l.Role == session.RoleTool && l.CallID == c.ID && l.Text == shownText
	})
}
