package dialog

import (
	"encoding/json"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/session"
)

// maxKeys bounds what one call of SendDigits presses, waits included.
const maxKeys = 64

// passes reports whether callers can be put through: on a call, by an agent
// that was told to whom.
func passes(s *session.State, r *agent.Revision) bool {
	return s.Voice() && s.Mode == session.ModeRegular && len(r.Settings.TransferTargets) > 0
}

// keypad reports whether the agent may press keys: one that calls others meets
// the menus of machines, any other where its state says so.
func keypad(s *session.State, r *agent.Revision) bool {
	return s.Voice() && (r.Spec.Type == agent.OutboundVoice || lists(s, r) && listed(s, r, digitsTool))
}

// recorded reports whether the conversation is a call that is recorded. A state
// that lists its tools and not this one has no use for it.
func recorded(tool string) func(s *session.State, r *agent.Revision) bool {
	return func(s *session.State, r *agent.Revision) bool {
		return s.Voice() && r.Settings.Record && (!lists(s, r) || listed(s, r, tool))
	}
}

// toTargets is the schema of TransferCall: nobody else can be named.
func toTargets(r *agent.Revision) json.RawMessage {
	names, err := json.Marshal(r.Settings.TransferTargets.Names())
	if err != nil {
		panic("dialog: names are always JSON: " + err.Error())
	}
	return schemaOf(`{"target":{"type":"string","enum":`+string(names)+`},"summary":{"type":"string","description":"what the person who takes the call has to know"}}`, `["target"]`)
}

// unable says why a call of a telephone's tool cannot be carried out.
func (d *decision) unable(c event.ToolCall) string {
	switch alias(c.Name) {
	case transferTool:
		if d.Passing != nil {
			return "the caller is being put through already"
		}
		if _, ok := d.rev.Settings.TransferTargets.Find(argument(c, "target")); !ok {
			return "target must be one of: " + strings.Join(d.rev.Settings.TransferTargets.Names(), ", ")
		}
	case languageTool:
		if _, ok := d.rev.Spec.Speaks(argument(c, "language")); !ok {
			return "language must be one of: " + strings.Join(d.rev.Spec.Languages, ", ")
		}
	case digitsTool:
		keys := argument(c, "digits")
		if keys == "" || len(keys) > maxKeys || strings.Trim(strings.ToLower(keys), "0123456789*#abcdw") != "" {
			return "digits must be 1 to 64 of 0-9, *, # and w"
		}
	}
	return ""
}

// pressing reports whether calls press keys and do nothing else.
func pressing(calls []event.ToolCall) bool {
	for _, c := range calls {
		if alias(c.Name) != digitsTool {
			return false
		}
	}
	return len(calls) > 0
}

// pressed reports whether the open reply was keys: then silence is right.
func (d *decision) pressed() bool {
	for _, l := range slices.Backward(d.Lines) {
		if l.Turn == d.Open.Turn && len(l.Calls) > 0 {
			return pressing(l.Calls)
		}
	}
	return false
}

// Passing is where the caller is to be put through, when the reply that was
// just said ends with that.
func Passing(s *session.State, r *agent.Revision) (to event.Pair, summary string, ok bool) {
	if s.Passing == nil || s.Ended {
		return event.Pair{}, "", false
	}
	to, ok = r.Settings.TransferTargets.Find(argument(*s.Passing, "target"))
	return to, argument(*s.Passing, "summary"), ok
}

// Keys are what granted calls of SendDigits among events press.
func Keys(events []event.Event) string {
	var b strings.Builder
	for _, e := range events {
		if c, ok := e.(event.ToolCalled); ok && c.Refused == "" && c.Call.Name == digitsTool {
			b.WriteString(argument(c.Call, "digits"))
		}
	}
	return b.String()
}

// Masking is whether granted calls among events stop the recording or go on
// with it; the last one counts, and ok is false when there is none.
func Masking(events []event.Event) (on, ok bool) {
	for _, e := range events {
		c, called := e.(event.ToolCalled)
		if !called || c.Refused != "" {
			continue
		}
		switch c.Call.Name {
		case pauseTool:
			on, ok = true, true
		case resumeTool:
			on, ok = false, true
		}
	}
	return on, ok
}
