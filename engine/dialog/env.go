package dialog

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/session"
	"flametree/engine/tool"
	"flametree/engine/workflow"
)

// env is what conditions may ask about. Its time is that of the newest event:
// a replay sees the same.
func env(s *session.State) workflow.Env {
	e := workflow.Env{
		Results: make(map[string]string, len(s.Results)), Observations: observations(s), Params: params(s),
		Channel: s.Born.Channel, Mode: s.Mode, Turns: int(s.Turn), Now: s.At, Verified: s.Verified,
	}
	for _, r := range s.Results {
		e.Results[r.Field] = r.Value
	}
	for _, l := range slices.Backward(s.Lines) {
		if l.Digits {
			e.Digits = l.Text
			break
		}
	}
	if !s.Input.IsZero() {
		e.Idle = s.At.Sub(s.Input)
	}
	return e
}

func observations(s *session.State) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(s.Observations))
	for _, o := range s.Observations {
		out[o.Tool] = asJSON(o.Value)
	}
	return out
}

func params(s *session.State) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(s.Born.Kwargs))
	for _, p := range s.Born.Kwargs {
		out[p.Key] = asJSON(p.Value.Text)
	}
	return out
}

// asJSON is a text as JSON: as it is if it is JSON, else as a string.
func asJSON(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	b, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}

// SceneOf is what the code of a tool or skill sees of the conversation. env are
// the agent's variables, secrets included.
func SceneOf(s *session.State, r *agent.Revision, now time.Time) tool.Scene {
	sc := tool.Scene{
		Session: s.Born.Conversation, Conversation: s.Born.Conversation, Agent: r.Agent,
		Channel: s.Born.Channel, Mode: s.Mode, Language: s.Born.Language,
		User: s.Born.UserID.Text, Name: s.Born.Name.Text, Email: s.Born.Email.Text, Phone: s.Born.Phone.Text, State: s.Flow,
		Parameters: params(s), Results: make(map[string]string, len(s.Results)), Observations: observations(s),
		Env: make(map[string]string, len(r.Spec.Env)), Now: now, Seed: s.Seq,
	}
	if sc.Language == "" {
		sc.Language = r.Settings.Language
	}
	for _, res := range s.Results {
		sc.Results[res.Field] = res.Value
	}
	for _, p := range r.Spec.Env {
		sc.Env[p.Key] = p.Value
	}
	return sc
}

// Run is a skill that is due. Parameters are what the state gives it.
type Run struct {
	Skill      string
	Parameters json.RawMessage
	Moment     tool.Moment
	State      string
}

// Skills are those that events call for, in order. from is the workflow state
// before the events.
func Skills(r *agent.Revision, from string, events []event.Event) []Run {
	var out []Run
	due := func(m tool.Moment, state string, named []workflow.Skill) {
		for _, n := range named {
			out = append(out, Run{Skill: n.Name, Parameters: n.Parameters, Moment: m, State: state})
		}
		for _, k := range r.Skills {
			if k.Moment == m && !slices.ContainsFunc(named, func(n workflow.Skill) bool { return n.Name == k.Name }) {
				out = append(out, Run{Skill: k.Name, Moment: m, State: state})
			}
		}
	}
	for _, e := range events {
		switch b := e.(type) {
		case event.SessionCreated:
			due(tool.SessionStart, "", nil)
		case event.StateEntered:
			if old, ok := r.Flow.State(from); ok {
				due(tool.StateExit, from, old.Exit)
			}
			if st, ok := r.Flow.State(b.State); ok {
				due(tool.StateEnter, b.State, st.Enter)
			}
			from = b.State
		case event.SessionEnded:
			if st, ok := r.Flow.State(from); ok {
				due(tool.StateExit, from, st.Exit)
			}
			due(tool.SessionEnd, from, nil)
		default:
		}
	}
	return out
}

// Ran is the record of what a skill gave: the values of a mapping, as texts.
func Ran(run Run, value json.RawMessage, took time.Duration, trouble string) event.SkillRan {
	out := event.SkillRan{Skill: run.Skill, Moment: string(run.Moment), State: run.State, Took: took, Fault: trouble}
	var fields map[string]any
	if json.Unmarshal(value, &fields) != nil {
		return out
	}
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		text, isText := fields[k].(string)
		if !isText {
			b, err := json.Marshal(fields[k])
			if err != nil {
				continue
			}
			text = string(b)
		}
		out.Values = append(out.Values, event.PrivatePair{Key: k, Value: event.P(clipped(text, tool.MaxShown))})
	}
	return out
}

// hole is a {name} in a text.
var hole = regexp.MustCompile(`\{[A-Za-z][A-Za-z0-9_]*\}`)

// Fill puts what is known in place of each {name}: what skills gave, results,
// and parameters of the session. Names that are not known stay as they are, and
// so do parameters for code only, which begin with "_".
func Fill(s *session.State, text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return hole.ReplaceAllStringFunc(text, func(m string) string {
		name := m[1 : len(m)-1]
		for _, f := range s.Fields {
			if f.Key == name {
				return f.Value
			}
		}
		if v := s.Value(name); v != "" {
			return v
		}
		for _, p := range s.Born.Kwargs {
			if p.Key == name {
				return public(plain(p.Value.Text))
			}
		}
		return m
	})
}
