package dialog

import (
	"fmt"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
	"flametree/engine/workflow"
)

// What the engine answers to calls it carries out itself.
const (
	shownText    = "The buttons are shown under your reply."
	finishedText = "The session ends after your last message."
	endText      = "The conversation is at its end. Say goodbye."
)

// Answer says what a model's answer to the open reply means: first the answer
// itself, then what follows from it. Calls that are not offered, malformed or
// over a limit are recorded as refused and never carried out. On written
// channels the reply is closed by reply.sent when no further step is due, and
// the session with it after FinishSession or END; on calls reply.spoken closes
// it later. An answer that comes too late or twice gives nothing.
//
// It changes neither s nor its arguments, and the same state and answer always
// give the same events: a replay computes them again.
func Answer(s *session.State, r *agent.Revision, a event.ModelAnswered) []event.Event {
	d := decide(s, r, a)
	return d.out
}

// Rest is what must still be said aloud after the text of a, which a call
// speaks while it streams: the last message of FinishSession, or a request to
// rephrase when the reply would have no words at all. "" on written channels.
func Rest(s *session.State, r *agent.Revision, a event.ModelAnswered) string {
	if !s.Voice() {
		return ""
	}
	d := decide(s, r, a)
	return d.rest
}

// Next reports whether another answer of the model is due: it has called
// something, heard the outcome and said nothing yet. At most 5 answers make a
// reply.
func Next(s *session.State) bool {
	o := s.Open
	if o == nil || s.Ended || s.Closing || len(o.Pending) > 0 || o.Step == 0 || o.Step >= maxSteps || strings.TrimSpace(o.Text) != "" {
		return false
	}
	// An answer without a call was the model's last word, even if it was empty.
	var calling uint32
	for _, l := range s.Lines {
		if l.Turn == o.Turn && len(l.Calls) > 0 {
			calling++
		}
	}
	return calling == o.Step
}

// decision is an answer being judged. State is what the session will be; Apply
// remains the only way to change it.
type decision struct {
	session.State
	rev   *agent.Revision
	out   []event.Event
	last  string // of FinishSession
	moved bool
	rest  string
}

func decide(s *session.State, r *agent.Revision, a event.ModelAnswered) decision {
	d := decision{State: *s, rev: r}
	if s.Open == nil || s.Ended || s.Open.Turn != a.Turn || s.Open.Step != a.Step {
		return d
	}
	// A copy that can grow without being seen from outside.
	open := *s.Open
	open.Pending = slices.Clip(open.Pending)
	d.Open, d.Lines = &open, slices.Clip(s.Lines)

	a = identified(a)
	d.tell(a)
	for _, c := range a.Calls {
		d.call(c)
	}
	if !Next(&d.State) && len(d.Open.Pending) == 0 {
		d.close()
	}
	return d
}

func (d *decision) tell(e event.Event) {
	d.out = append(d.out, e)
	d.Apply(event.Envelope{Seq: d.Seq + 1, Body: e})
}

// identified gives calls without an id, or with one that stands twice, an id of
// their own, so that each answer can be told to belong to one call.
func identified(a event.ModelAnswered) event.ModelAnswered {
	a.Calls = slices.Clone(a.Calls)
	var taken []string
	for i := range a.Calls {
		id := a.Calls[i].ID
		if id == "" || slices.Contains(taken, id) {
			id = fmt.Sprintf("t%d.%d.%d", a.Turn, a.Step, i)
			for slices.ContainsFunc(a.Calls, func(c event.ToolCall) bool { return c.ID == id }) {
				id += "x"
			}
			a.Calls[i].ID = id
		}
		taken = append(taken, id)
	}
	return a
}

// call judges one call and carries it out if that is the engine's business.
func (d *decision) call(c event.ToolCall) {
	reason, move := d.refusal(c)
	d.tell(event.ToolCalled{Turn: d.Open.Turn, Call: c, Refused: reason})
	answer := event.ToolAnswered{Turn: d.Open.Turn, CallID: c.ID}
	switch {
	case reason != "":
		answer.Result = event.P("Refused: " + reason + ".")
		answer.Fault = string(fault.Denied) + ": " + reason
	case c.Name == session.FinishTool:
		d.last, _ = lastMessage(c.Args.Text)
		answer.Result = event.P(finishedText)
	case c.Name == buttonsTool && move == nil:
		answer.Result = event.P(shownText)
	case move.Next == workflow.End:
		d.moved = true
		d.tell(event.StateEntered{State: move.Next, Move: move.Name})
		answer.Result = event.P(endText)
	default:
		d.moved = true
		d.tell(event.StateEntered{State: move.Next, Move: move.Name})
		answer.Result = event.P(fmt.Sprintf("You are in the state %q now.", move.Next))
	}
	d.tell(answer)
}

// refusal says why a call is not carried out, "" if it is; and which move it is.
func (d *decision) refusal(c event.ToolCall) (string, *workflow.Move) {
	var any map[string]any
	switch {
	case d.Closing:
		return "the session ends already", nil
	case !readArgs(c.Args.Text, &any):
		return "the arguments must be one JSON object", nil
	case c.Name == session.FinishTool:
		last, ok := lastMessage(c.Args.Text)
		if !ok {
			return "last_message must be a text", nil
		}
		if last == "" && strings.TrimSpace(d.Open.Text) == "" {
			return "last_message is missing and nothing was said", nil
		}
		return "", nil
	case c.Name == buttonsTool && !d.Voice():
		return d.buttonRefusal(c), nil
	}
	moves := d.rev.Flow.Moves(d.Flow)
	i := slices.IndexFunc(moves, func(m workflow.Move) bool { return m.Tool == c.Name })
	switch {
	case d.moved:
		return "one move at a time: the state has changed", nil
	case i < 0:
		return "there is no such tool here", nil
	case d.Open.Moves >= maxMoves:
		return fmt.Sprintf("more than %d moves in one turn", maxMoves), nil
	}
	return "", &moves[i]
}

// buttonRefusal also holds the limits of an agent's tool calls. Moves have a
// limit of their own, and an end must always be possible.
func (d *decision) buttonRefusal(c event.ToolCall) string {
	_, ok := buttons(c.Args.Text)
	calls := d.Open.Tools - min(d.Open.Tools, d.Open.Moves)
	switch {
	case int(calls) >= d.rev.Settings.ToolsPerTurn:
		return fmt.Sprintf("more than %d tool calls in one turn", d.rev.Settings.ToolsPerTurn)
	case d.Calls >= uint64(max(0, d.rev.Settings.ToolsPerSession)):
		return fmt.Sprintf("more than %d tool calls in one session", d.rev.Settings.ToolsPerSession)
	case !ok:
		return fmt.Sprintf("options must be 1 to %d texts of at most %d characters", maxButtons, maxLabel)
	}
	return ""
}

// close ends the reply: no further answer of the model is due.
func (d *decision) close() {
	text := strings.TrimSpace(d.Open.Text)
	rest := d.last
	if strings.Contains(text, rest) {
		rest = "" // said already
	}
	ended := d.Flow == workflow.End && d.Open.Moves > 0
	if text == "" && rest == "" && !d.Closing && !ended {
		rest = d.rev.Settings.Rephrase
	}
	if d.Voice() {
		d.rest = rest
		if ended && !d.Closing {
			d.farewell()
		}
		return
	}
	if text = strings.TrimSpace(text + " " + rest); text != "" {
		d.tell(event.ReplySent{
			Turn: d.Open.Turn, Message: d.Open.Message, Role: session.RoleAI,
			Text: event.P(text), Options: shown(&d.State),
		})
	}
	if ended || d.Closing {
		d.tell(event.SessionEnded{Status: event.Completed})
	}
}

// farewell marks the words of this turn as the last ones: on a call the
// session ends when they were heard, and it learns that from FinishSession,
// which the workflow's END calls by itself.
func (d *decision) farewell() {
	c := event.ToolCall{ID: fmt.Sprintf("t%d.end", d.Open.Turn), Name: session.FinishTool, Args: event.P("{}")}
	turn := d.Open.Turn
	d.tell(event.ToolCalled{Turn: turn, Call: c})
	d.tell(event.ToolAnswered{Turn: turn, CallID: c.ID, Result: event.P(finishedText)})
}
