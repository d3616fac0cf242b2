package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
	"flametree/gateway/api"
	"flametree/gateway/auth"
)

var _ api.Traces = chat{}

// Trace implements api.Traces.
func (c chat) Trace(ctx context.Context, a auth.Agent, id string) (api.Trace, error) {
	if err := c.n.caughtUp(ctx); err != nil {
		return api.Trace{}, err
	}
	if s, known := c.n.model.Session(id); !known || s.Tenant != a.Tenant || s.Agent != a.ID {
		return api.Trace{}, fmt.Errorf("session %q: %w", id, fault.NotFound)
	}
	t := tracer{out: api.Trace{SessionID: id, Results: []api.TracePair{}, Turns: []api.TracedTurn{}}}
	for e, err := range c.n.journal.Read(ctx, sessionID(a, id).Stream(), 1) {
		if err != nil {
			return api.Trace{}, err
		}
		t.take(e)
	}
	t.out.State = t.state.Flow
	for _, r := range t.state.Results {
		t.out.Results = append(t.out.Results, api.TracePair{Name: r.Field, Value: r.Value})
	}
	return t.out, nil
}

// tracer folds a session's events into its trace.
type tracer struct {
	state   session.State
	pending string // the call that was told last
	out     api.Trace
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// turn is the entry of the turn that runs.
func (t *tracer) turn() *api.TracedTurn {
	n := t.state.Turn
	if k := len(t.out.Turns); k > 0 && t.out.Turns[k-1].Turn == n {
		return &t.out.Turns[k-1]
	}
	t.out.Turns = append(t.out.Turns, api.TracedTurn{
		Turn: n, Calls: []api.TracedCall{}, Passages: []api.TracedPassage{}, Models: []api.TracedModel{}, Parts: []api.TracedPartSize{},
	})
	return &t.out.Turns[len(t.out.Turns)-1]
}

func (t *tracer) take(e event.Envelope) {
	t.state.Apply(e)
	if a, ok := e.Body.(event.ToolAnswered); ok && a.Tool != "" {
		t.pending = "" // a move that a result leads to is no call's
	}
	u := t.turn()
	u.State = t.state.Flow
	switch b := e.Body.(type) {
	case event.ModelAnswered:
		t.model(u, b)
	case event.ToolCalled:
		c := api.TracedCall{Name: b.Call.Name, Refused: b.Refused}
		if json.Valid([]byte(b.Call.Args.Text)) {
			c.Args = json.RawMessage(b.Call.Args.Text)
		}
		u.Calls = append(u.Calls, c)
		t.pending = c.Name
	case event.StateEntered:
		if k := len(u.Calls); b.Move != "" && k > 0 && u.Calls[k-1].Refused == "" && u.Calls[k-1].Result == "" && u.Calls[k-1].Fault == "" && t.pending == u.Calls[k-1].Name {
			u.Calls[k-1].Move = true
		}
	case event.ToolAnswered:
		t.answered(b)
	case event.SkillRan:
		u.Skills = append(u.Skills, api.TracedSkill{Name: b.Skill, Moment: b.Moment, Fault: b.Fault, TookMS: ms(b.Took)})
	case event.GuardHit:
		u.Guards = append(u.Guards, api.TracedGuard{Rule: b.Rule, Where: b.Where, Action: b.Action})
	case event.QuestionUnanswered:
		u.Unanswered = append(u.Unanswered, b.Question.Text)
	default:
	}
}

func (t *tracer) model(u *api.TracedTurn, b event.ModelAnswered) {
	m := api.TracedModel{
		Provider: b.Provider, Name: b.Model, Input: b.Input, Output: b.Output,
		FirstMS: ms(b.FirstByte), WholeMS: ms(b.Whole), Cost: float64(b.Cost) / 1e6, Fault: b.Fault, Offered: b.Offered,
	}
	for _, a := range b.Attempts {
		m.Attempts = append(m.Attempts, api.TracedAttempt{Provider: a.Provider, Model: a.Model, TookMS: ms(a.Took), Fault: a.Fault})
	}
	u.Models = append(u.Models, m)
	for _, p := range b.Passages {
		u.Passages = append(u.Passages, api.TracedPassage{Source: p.Source, Title: p.Title, Score: p.Score})
	}
	u.Parts = u.Parts[:0]
	for _, p := range b.Parts {
		u.Parts = append(u.Parts, api.TracedPartSize{Kind: p.Kind, Title: p.Title, Tokens: p.Tokens})
	}
}

// masked is a text without the values of parameters that are for code only.
func (t *tracer) masked(text string) string {
	params := make(map[string]json.RawMessage, len(t.state.Born.Kwargs))
	for _, p := range t.state.Born.Kwargs {
		params[p.Key] = json.RawMessage(p.Value.Text)
	}
	for _, v := range dialog.Hidden(params) {
		if len(v) >= leastHidden {
			text = strings.ReplaceAll(text, v, agent.Masked)
		}
	}
	return text
}

// answered completes the oldest call of that turn and tool without a result.
func (t *tracer) answered(b event.ToolAnswered) {
	for i := range t.out.Turns {
		u := &t.out.Turns[i]
		if u.Turn != b.Turn {
			continue
		}
		for j := range u.Calls {
			c := &u.Calls[j]
			if c.Result == "" && c.Fault == "" && (b.Tool == "" || b.Tool == c.Name) {
				c.Result, c.Fault, c.TookMS = t.masked(b.Result.Text), t.masked(b.Fault), ms(b.Took)
				return
			}
		}
	}
}
