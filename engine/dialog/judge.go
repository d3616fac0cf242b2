package dialog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/session"
	"flametree/engine/tool"
	"flametree/engine/workflow"
)

// judgement is what becomes of a call.
type judgement struct {
	call    event.ToolCall // as it is made: with the arguments the server fills in
	refused string         // why it is not carried out, "" if it is
	move    *workflow.Move // it is a move of the workflow
	outside bool           // somebody outside carries it out
}

func refuse(c event.ToolCall, format string, args ...any) judgement {
	return judgement{call: c, refused: fmt.Sprintf(format, args...)}
}

// judge says what becomes of a call.
func (d *decision) judge(c event.ToolCall) judgement {
	var any map[string]any
	switch name := alias(c.Name); {
	case d.Closing:
		return refuse(c, "the session ends already")
	case !readArgs(c.Args.Text, &any):
		return refuse(c, "the arguments must be one JSON object")
	case name == session.SendTool:
		if session.Message(c) == "" {
			return refuse(c, "stylized_message is missing")
		}
		return judgement{call: c}
	case name == session.FinishTool && d.has(name):
		return d.finishing(c)
	case slices.ContainsFunc(moves(&d.State, d.rev), func(m workflow.Move) bool { return m.Tool == c.Name }), d.moved && d.isMove(c.Name):
		return d.moving(c)
	case !d.has(name):
		return refuse(c, "there is no such tool here")
	default:
		return d.using(c)
	}
}

// has reports whether a tool was offered in the request that is answered.
func (d *decision) has(name string) bool {
	return slices.ContainsFunc(d.offered, func(o string) bool { return o == name || alias(o) == name })
}

// isMove reports whether a name was offered as a move before the state changed.
func (d *decision) isMove(name string) bool {
	_, tool := d.rev.Tool(name)
	return !tool && d.has(name) && !slices.ContainsFunc(systems(), func(y systemTool) bool { return y.Name == name }) && name != buttonsTool
}

func (d *decision) finishing(c event.ToolCall) judgement {
	last, ok := lastMessage(c.Args.Text)
	switch {
	case !ok:
		return refuse(c, "last_message must be a text")
	case last == "" && strings.TrimSpace(d.Open.Text) == "":
		return refuse(c, "last_message is missing and nothing was said")
	}
	return judgement{call: c}
}

func (d *decision) moving(c event.ToolCall) judgement {
	all := moves(&d.State, d.rev)
	i := slices.IndexFunc(all, func(m workflow.Move) bool { return m.Tool == c.Name })
	switch {
	case d.moved:
		return refuse(c, "one move at a time: the state has changed")
	case i < 0:
		return refuse(c, "there is no such tool here")
	case d.Open.Moves >= maxMoves:
		return refuse(c, "more than %d moves in one turn", maxMoves)
	}
	return judgement{call: c, move: &all[i]}
}

// using judges tools that do something. They share the limits of an agent's
// calls; moves have one of their own, and an end must always be possible.
func (d *decision) using(c event.ToolCall) judgement {
	calls := d.Open.Tools - min(d.Open.Tools, d.Open.Moves)
	switch {
	case int(calls) >= d.rev.Settings.ToolsPerTurn:
		return refuse(c, "more than %d tool calls in one turn", d.rev.Settings.ToolsPerTurn)
	case d.Calls >= uint64(max(0, d.rev.Settings.ToolsPerSession)):
		return refuse(c, "more than %d tool calls in one session", d.rev.Settings.ToolsPerSession)
	}
	name := alias(c.Name)
	if name == buttonsTool {
		if _, ok := buttons(c.Args.Text); !ok {
			return refuse(c, "options must be 1 to %d texts of at most %d characters", maxButtons, maxLabel)
		}
		return judgement{call: c}
	}
	if i := slices.IndexFunc(systems(), func(y systemTool) bool { return y.Name == name }); i >= 0 {
		y := systems()[i]
		if why := misfit(c.Args.Text, y.Schema); why != "" {
			return refuse(c, "%s", why)
		}
		_, own := map[string]bool{searchTool: true, productsTool: true, productTool: true}[name]
		return judgement{call: c, outside: own}
	}
	return d.employing(c)
}

// employing judges a call of a tool group or server: what the server knows
// better is filled in, and what must not happen yet does not.
func (d *decision) employing(c event.ToolCall) judgement {
	spec, ok := d.rev.Tool(c.Name)
	if !ok {
		return judgement{call: c, outside: true} // of a server that is not there at a replay
	}
	if why := misfit(c.Args.Text, spec.Schema); why != "" {
		return refuse(c, "%s", why)
	}
	args, why := bind(spec, c.Args.Text, &d.State)
	switch {
	case why != "":
		return refuse(c, "%s", why)
	case spec.Verified && !d.Verified:
		return refuse(c, "the human has to prove who they are first")
	}
	c.Args = event.P(args)
	if spec.Confirm && !d.confirmed(c) {
		return refuse(c, session.NeedsYes+": tell the human what exactly will be done, ask whether it shall be done, and call it again with the same arguments after their yes")
	}
	return judgement{call: c, outside: true}
}

// confirmed reports whether the human has said yes to this very call.
func (d *decision) confirmed(c event.ToolCall) bool {
	w := d.Waits
	return w != nil && w.Call.Name == c.Name && w.Turn < d.Turn && sameArgs(w.Call.Args.Text, c.Args.Text) && agreed(&d.State)
}

// agreed reports whether the human's last line says yes.
func agreed(s *session.State) bool {
	for _, l := range slices.Backward(s.Lines) {
		if l.Role == session.RoleHuman {
			return agrees(l.Text)
		}
	}
	return false
}

// sameArgs compares JSON objects by value.
func sameArgs(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, errA := json.Marshal(x)
	q, errB := json.Marshal(y)
	return errA == nil && errB == nil && string(p) == string(q)
}

// bind fills in the arguments that the server knows and checks amounts. A model
// that gives such an argument another value is refused: it may have been told
// to by somebody else.
func bind(spec tool.Spec, text string, s *session.State) (args, refused string) {
	values := map[string]any{}
	if strings.TrimSpace(text) != "" && json.Unmarshal([]byte(text), &values) != nil {
		return "", "the arguments must be one JSON object"
	}
	for _, b := range spec.Bind {
		v, ok := bound(b.From, s)
		if !ok {
			return "", fmt.Sprintf("%s is not known in this conversation", b.From)
		}
		if given, there := values[b.Arg]; there && fmt.Sprint(given) != v {
			return "", fmt.Sprintf("%s is set by the system and cannot be chosen", b.Arg)
		}
		values[b.Arg] = v
	}
	if spec.Amount != "" && spec.Limit > 0 {
		amount, ok := values[spec.Amount].(float64)
		if !ok || amount > spec.Limit || amount < 0 {
			return "", fmt.Sprintf("%s must be between 0 and %g", spec.Amount, spec.Limit)
		}
	}
	out, err := json.Marshal(values)
	if err != nil {
		return "", "the arguments cannot be written as JSON"
	}
	return string(out), ""
}

// bound finds what a binding takes its value from.
func bound(from string, s *session.State) (string, bool) {
	switch from {
	case "session.id", "session.conversation":
		return s.Born.Conversation, true
	case "session.user":
		return s.Born.UserID.Text, s.Born.UserID.Text != ""
	case "session.phone":
		return s.Born.Phone.Text, s.Born.Phone.Text != ""
	case "session.email":
		return s.Born.Email.Text, s.Born.Email.Text != ""
	case "customer.id":
		return s.Customer, s.Verified && s.Customer != ""
	}
	if name, ok := strings.CutPrefix(from, "params."); ok {
		for _, p := range s.Born.Kwargs {
			if p.Key == name {
				return plain(p.Value.Text), true
			}
		}
	}
	if name, ok := strings.CutPrefix(from, "results."); ok {
		v := s.Value(name)
		return v, v != ""
	}
	return "", false
}

// plain is a JSON text without its quotes, anything else as it is.
func plain(value string) string {
	var s string
	if json.Unmarshal([]byte(value), &s) == nil {
		return s
	}
	return value
}

// moves are those whose condition holds.
func moves(s *session.State, r *agent.Revision) []workflow.Move {
	return r.Flow.Offered(s.Flow, env(s))
}
