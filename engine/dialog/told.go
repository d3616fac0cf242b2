package dialog

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/knowledge"
	"flametree/engine/session"
	"flametree/engine/workflow"
)

// Told says what follows from what a tool gave: the fact first, then the
// results its code set, the proof of who the customer is, the moves that wait
// for it, and the end of the reply if nothing more is due. A result that comes
// after its turn is kept as an observation, and nothing else. Pure, as Answer.
func Told(s *session.State, r *agent.Revision, t event.ToolAnswered) []event.Event {
	d := told(s, r, t)
	return d.out
}

// RestOf is what must still be said aloud after a tool's answer that ends the
// reply; "" on written channels.
func RestOf(s *session.State, r *agent.Revision, t event.ToolAnswered) string {
	if !s.Voice() {
		return ""
	}
	d := told(s, r, t)
	return d.rest
}

func told(s *session.State, r *agent.Revision, t event.ToolAnswered) decision {
	d := decision{State: *s, rev: r}
	d.own()
	d.tell(t)
	if s.Ended || t.Fault != "" && t.Tool == "" {
		return d
	}
	for _, set := range t.Sets {
		d.result(set)
	}
	changed := len(d.out) > 1
	if t.Fault == "" {
		d.proves(t)
		d.automatic(workflow.ToolResult, t.Tool)
	}
	if changed {
		d.automatic(workflow.ResultsUpdated, "")
	}
	if s.Open != nil && s.Open.Turn == t.Turn {
		d.settle("")
	}
	return d
}

// result sets a conversation result if the value fits its type.
func (d *decision) result(p event.PrivatePair) {
	f, ok := d.rev.Spec.Result(p.Key)
	if !ok {
		return
	}
	v, err := f.Parse(p.Value.Text)
	if err != nil {
		return
	}
	if v = f.Merge(d.Value(f.Name), v); v != d.Value(f.Name) {
		d.tell(event.ResultSet{Field: f.Name, Value: event.P(v)})
	}
}

// proves takes the proof of identity from a tool that may give it.
func (d *decision) proves(t event.ToolAnswered) {
	spec, ok := d.rev.Tool(t.Tool)
	if t.Tool == "" || d.Verified || t.Tool != d.rev.Spec.Verifier && !(ok && spec.Verifies) {
		return
	}
	var proof struct {
		Verified bool `json:"verified"`
		Customer any  `json:"customer_id"`
	}
	if json.Unmarshal([]byte(t.Result.Text), &proof) != nil || !proof.Verified {
		return
	}
	customer := ""
	if proof.Customer != nil {
		customer = fmt.Sprint(proof.Customer)
	}
	d.tell(event.CustomerVerified{Tool: t.Tool, Customer: event.P(customer)})
}

// automatic makes the moves that need no model, one after the other.
func (d *decision) automatic(trigger workflow.Trigger, tool string) {
	for d.auto < maxMoves {
		m, ok := d.rev.Flow.Automatic(d.Flow, trigger, tool, env(&d.State))
		if !ok {
			return
		}
		d.auto++
		d.tell(event.StateEntered{State: m.Next, Move: m.Name})
		if m.Next == workflow.End {
			if d.Open == nil && !d.Ended {
				d.tell(event.SessionEnded{Status: event.Completed})
			}
			return
		}
		trigger, tool = workflow.EnteredState, ""
	}
}

// Settled are the moves that a state makes by itself as soon as it is entered,
// for the state in which a session begins.
func Settled(s *session.State, r *agent.Revision) []event.Event {
	d := decision{State: *s, rev: r}
	d.own()
	if !s.Ended {
		d.automatic(workflow.EnteredState, "")
	}
	return d.out
}

// Waited is the move that is due because the human has been silent until now,
// nothing if none is.
func Waited(s *session.State, r *agent.Revision, now time.Time) []event.Event {
	d := decision{State: *s, rev: r}
	d.own()
	d.At = now
	if !s.Ended && s.Open == nil {
		d.automatic(workflow.Timer, "")
	}
	return d.out
}

// Silence is after how long without a word the current state moves on by
// itself for the first time after idle; 0 = never.
func Silence(s *session.State, r *agent.Revision, idle time.Duration) time.Duration {
	for _, d := range r.Flow.Timers(s.Flow) {
		if d > idle {
			return d
		}
	}
	return 0
}

// Unanswered is what a tool that gave nothing is recorded as.
func Unanswered(turn uint64, c event.ToolCall, why string) event.ToolAnswered {
	return event.ToolAnswered{
		Turn: turn, CallID: c.ID, Tool: c.Name, Fault: why, Result: event.P("The tool gave no result: " + why + "."),
	}
}

// misfit says how arguments do not fit a schema, "" if they do.
func misfit(args string, raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var schema jsonschema.Schema
	if json.Unmarshal(raw, &schema) != nil {
		return ""
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		return "" // whoever made the schema has been warned
	}
	value := map[string]any{}
	if strings.TrimSpace(args) != "" && json.Unmarshal([]byte(args), &value) != nil {
		return "the arguments must be one JSON object"
	}
	if err := resolved.Validate(value); err != nil {
		return "the arguments do not fit: " + clipped(err.Error(), 200)
	}
	return ""
}

func clipped(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// Lookup is the search that a call of a search tool asks for; false if the call
// is of another tool.
func Lookup(c event.ToolCall, r *agent.Revision) (knowledge.Query, bool) {
	if alias(c.Name) != searchTool {
		return knowledge.Query{}, false
	}
	text := argument(c, "query")
	if text == "" {
		text = argument(c, "question")
	}
	return knowledge.Query{Text: text, K: r.Settings.TopK, Min: r.Settings.MinScore}, true
}

// FoundText is what a model is told of the passages that were found.
func FoundText(hits []knowledge.Hit) string {
	if len(hits) == 0 {
		return "Nothing fits. Say that you do not know."
	}
	var b strings.Builder
	for _, h := range hits {
		title := h.Question
		if title == "" {
			title = h.Title
		}
		fmt.Fprintf(&b, "[%s] %s\n%s\n\n", h.Source, title, h.Text)
	}
	return strings.TrimSpace(b.String())
}

// OfProducts reports whether a call asks the product catalogue.
func OfProducts(c event.ToolCall) bool { return c.Name == productsTool || c.Name == productTool }
