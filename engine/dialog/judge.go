package dialog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/session"
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
		if why := d.barred(session.Message(c)); why != "" {
			return refuse(c, "%s", why)
		}
		return judgement{call: c}
	case name == session.FinishTool && d.has(name):
		return d.finishing(c)
	case slices.ContainsFunc(moves(&d.State, d.rev), func(m workflow.Move) bool { return m.Tool == c.Name }), d.moved && d.isMove(c.Name):
		return d.moving(c)
	case !d.has(name):
		return refuse(c, noSuchTool)
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
	if why := d.barred(last); why != "" {
		return refuse(c, "%s", why)
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
		return refuse(c, noSuchTool)
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
		if why := d.barred(c.Args.Text); why != "" {
			return refuse(c, "%s", why)
		}
		return judgement{call: c}
	}
	if i := slices.IndexFunc(systems(), func(y systemTool) bool { return y.Name == name }); i >= 0 {
		y := systems()[i]
		if why := misfit(c.Args.Text, y.Schema); why != "" {
			return refuse(c, "%s", why)
		}
		if why := d.unable(c); why != "" {
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
	args, why := d.bindings(spec, c)
	if args != "" {
		c.Args = event.P(args)
	}
	if why != "" {
		return refuse(c, "%s", why)
	}
	return judgement{call: c, outside: true}
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
