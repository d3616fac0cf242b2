package actors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/replay"
	"flametree/engine/tool"
)

const toolAgent = `
name: Echo
type: inbound_text
task: Repeat.
workflow:
  - name: Talk
    kind: StateConfig
    init_state: true
    description: Talk to {customer_name}.
    available_tools: [FinishSession, Lookup, Slow]
    init_skills: [LoadCustomer]
    transitions:
      - {name: rich, trigger: tool_result, tool: Lookup, condition: observations.Lookup.amount > 1000, next_state: Vip}
      - {name: silent, trigger: timer, after: 60, next_state: Reminder}
  - {name: Vip, kind: StateConfig, description: Vip.}
  - {name: Reminder, kind: StateConfig, description: Remind the human.}
`

// hands are tools whose answers the test gives.
type hands struct {
	mu    sync.Mutex
	calls []tool.Call
	give  func(ctx context.Context, c tool.Call) (tool.Outcome, error)
}

// Run implements actors.Hands.
func (h *hands) Run(ctx context.Context, c tool.Call) (tool.Outcome, error) {
	h.mu.Lock()
	h.calls = append(h.calls, c)
	h.mu.Unlock()
	return h.give(ctx, c)
}

func (h *hands) names() (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		out = append(out, c.Name)
	}
	return out
}

func toolHouse(t *testing.T, give func(context.Context, tool.Call) (tool.Outcome, error)) (*actorstest.House, *hands) {
	h := actorstest.New(t, time.Minute)
	h.Agent(t, toolAgent)
	work := &hands{give: give}
	open := json.RawMessage(`{"type":"object"}`)
	h.Cast.Revision = h.Cast.Revision.With([]tool.Spec{{Name: "Lookup", Schema: open}, {Name: "Slow", Schema: open}}, []tool.Skill{{Name: "LoadCustomer"}})
	h.Cast.Hands = work
	return h, work
}

func calls(names ...string) []provider.Delta {
	var out []provider.Delta
	for i, n := range names {
		out = append(out, provider.Delta{Call: &provider.ToolCall{ID: fmt.Sprint(i + 1), Name: n, Args: `{"q":1}`}})
	}
	return append(out, provider.Delta{Finish: provider.FinishTools})
}

func lastIsTool(r provider.Request) bool {
	return len(r.Messages) > 0 && r.Messages[len(r.Messages)-1].Role == provider.RoleTool
}

func TestToolsRunBesideEachOtherAndTheModelGoesOn(t *testing.T) {
	both := make(chan struct{}, 2)
	h, work := toolHouse(t, func(ctx context.Context, c tool.Call) (tool.Outcome, error) {
		if c.Name == "LoadCustomer" {
			time.Sleep(30 * time.Millisecond) // the customer writes before it is there
			return tool.Outcome{Value: json.RawMessage(`{"customer_name":"Eva"}`)}, nil
		}
		both <- struct{}{}
		for len(both) < 2 { // each waits for the other
			if ctx.Err() != nil {
				return tool.Outcome{}, ctx.Err()
			}
			time.Sleep(time.Millisecond)
		}
		return tool.Outcome{Value: json.RawMessage(`{"amount":5000}`)}, nil
	})
	h.Model.Reply = func(r provider.Request) []provider.Delta {
		if lastIsTool(r) {
			return actorstest.Says("You have 5000.")
		}
		return calls("Lookup", "Slow")
	}
	h.Begin(t, "s")
	got, err := write(t, h, "s", actors.Write{Text: "what do I have"})
	require.NoError(t, err)
	require.Equal(t, "You have 5000.", got.Text)
	v := look(t, h, "s")
	require.Equal(t, "Vip", v.State.Flow, "the result moved the workflow")
	require.Equal(t, []string{"LoadCustomer"}, work.names()[:1])
	require.ElementsMatch(t, []string{"Lookup", "Slow"}, work.names()[1:])
	for _, c := range work.calls[1:] {
		require.Contains(t, c.Key, "s/", "the key names session and call")
		require.JSONEq(t, `{"q":1}`, string(c.Args))
	}
	for _, r := range h.Model.Asked {
		for _, p := range r.System {
			require.NotContains(t, p.Text, "{customer_name}", "the prompt waits for the skill that fills it")
		}
	}
	report := replay.Session(h.Events(t, "s"), h.Cast.Revision)
	require.Empty(t, report.Differences, "a replay decides the same, and runs no tool")
	require.Len(t, work.names(), 3)
}

func TestTheCallIsDurableBeforeItRuns(t *testing.T) {
	var h *actorstest.House
	seen := make(chan []event.Kind, 1)
	h, _ = toolHouse(t, func(_ context.Context, c tool.Call) (tool.Outcome, error) {
		if c.Name == "Lookup" {
			seen <- kinds(h.Events(t, "s"))
		}
		return tool.Outcome{Value: json.RawMessage(`1`)}, nil
	})
	h.Model.Reply = func(r provider.Request) []provider.Delta {
		if lastIsTool(r) {
			return actorstest.Says("Done.")
		}
		return calls("Lookup")
	}
	h.Begin(t, "s")
	_, err := write(t, h, "s", actors.Write{Text: "go"})
	require.NoError(t, err)
	require.Contains(t, <-seen, event.Kind("tool.called.v1"))
}

func TestAToolThatFailsIsToldToTheModel(t *testing.T) {
	h, _ := toolHouse(t, func(_ context.Context, c tool.Call) (tool.Outcome, error) {
		if c.Name == "LoadCustomer" {
			return tool.Outcome{}, fmt.Errorf("sandbox_unavailable: no bubblewrap: %w", fault.Unavailable)
		}
		return tool.Outcome{}, fmt.Errorf("the CRM is closed: %w", fault.Unavailable)
	})
	h.Model.Reply = func(r provider.Request) []provider.Delta {
		if lastIsTool(r) {
			return actorstest.Says("told: " + r.Messages[len(r.Messages)-1].Text)
		}
		return calls("Lookup")
	}
	h.Begin(t, "s")
	got, err := write(t, h, "s", actors.Write{Text: "go"})
	require.NoError(t, err)
	require.Contains(t, got.Text, "the CRM is closed")
	var skill event.SkillRan
	for _, e := range h.Events(t, "s") {
		if b, ok := e.Body.(event.SkillRan); ok {
			skill = b
		}
	}
	require.Contains(t, skill.Fault, "sandbox_unavailable")
}

func TestATimerOfAStateIsDurable(t *testing.T) {
	h, _ := toolHouse(t, func(context.Context, tool.Call) (tool.Outcome, error) { return tool.Outcome{}, nil })
	h.Model.Reply = func(r provider.Request) []provider.Delta {
		for _, p := range r.System {
			if p.Kind == provider.PartState {
				return actorstest.Says("state " + p.Title)
			}
		}
		return actorstest.Says("no state")
	}
	h.Begin(t, "s")
	_, err := write(t, h, "s", actors.Write{Text: "hello"})
	require.NoError(t, err)
	rows, err := h.Journal.Due(t.Context(), time.Now().Add(61*time.Second), 10)
	require.NoError(t, err)
	require.Len(t, rows, 1, "the timer is durable, and there is one")
	require.Equal(t, "flow_timer", rows[0].Kind)
	require.NoError(t, h.Dir.Send(h.Session("s"), &actors.TimerDue{ID: string(rows[0].ID), Kind: rows[0].Kind}))
	require.Equal(t, "Talk", look(t, h, "s").State.Flow, "it came too early")
}

func TestAnAgentResumesWhenNoPersonComes(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	h.Agent(t, "name: Echo\ntype: inbound_text\ntask: Repeat.\nhandoff: {allow: true}\n")
	h.Model.Reply = func(r provider.Request) []provider.Delta {
		return []provider.Delta{{Call: &provider.ToolCall{ID: "1", Name: "TransferToHuman", Args: `{"reason":"asked","summary":"s"}`}}, {Finish: provider.FinishTools}}
	}
	h.Begin(t, "s")
	got, err := write(t, h, "s", actors.Write{Text: "a person please"})
	require.NoError(t, err)
	require.Equal(t, h.Cast.Revision.Settings.OperatorUnavailable, got.Text)
	require.Equal(t, "OPERATOR", got.Mode)
	rows, err := h.Journal.Due(t.Context(), time.Now().Add(601*time.Second), 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.NoError(t, h.Dir.Send(h.Session("s"), &actors.TimerDue{ID: string(rows[0].ID), Kind: rows[0].Kind}))
	require.Equal(t, "REGULAR", look(t, h, "s").State.Mode)
}

func TestCallsOfABrokenReplyAreNotMade(t *testing.T) {
	h, work := toolHouse(t, func(context.Context, tool.Call) (tool.Outcome, error) {
		return tool.Outcome{Value: json.RawMessage(`1`)}, nil
	})
	h.Model.Reply = func(provider.Request) []provider.Delta { return calls("Lookup") }
	h.Model.Fail = fmt.Errorf("the connection broke: %w", fault.Unavailable)
	h.Begin(t, "s")
	got, err := write(t, h, "s", actors.Write{Text: "go"})
	require.NoError(t, err)
	require.NotEmpty(t, got.Text, "the customer is told something all the same")
	require.NotContains(t, work.names(), "Lookup")
}
