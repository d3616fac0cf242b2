package dialog

import (
	"fmt"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
	stock "flametree/engine/spoken"
	"flametree/engine/workflow"
)

// What the engine answers to calls it carries out itself.
const (
	shownText    = "The buttons are shown under your reply."
	finishedText = "The session ends after your last message."
	endText      = "The conversation is at its end. Say goodbye."
)

// Answer says what a model's answer to the open reply means: first the answer
// itself, then what follows from it. Calls that are not offered, malformed,
// forbidden or over a limit are recorded as refused and never carried out; the
// engine's own are carried out at once, and those of tool groups and servers
// are left in Open.Pending: Due lists them, Told takes in what they gave. On
// written channels the reply is closed by reply.sent when no further step is
// due, and the session with it after FinishSession or END; on calls
// reply.spoken closes it later. An answer that comes too late or twice gives
// nothing.
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
	return strings.TrimSpace(d.spoken + " " + d.rest)
}

// Due lists the calls that somebody outside has to carry out now.
func Due(s *session.State) []event.ToolCall {
	if s.Open == nil || s.Ended {
		return nil
	}
	return s.Open.Pending
}

// Next reports whether another answer of the model is due: it has called
// something, heard the outcome, and said nothing yet or needs the outcome to go
// on. At most 5 answers make a reply.
func Next(s *session.State, r *agent.Revision) bool {
	o := s.Open
	if o == nil || s.Ended || s.Closing || s.Passing != nil || len(o.Pending) > 0 || o.Step == 0 || o.Step >= maxSteps || s.Mode == session.ModeOperator {
		return false
	}
	// An answer without a call was the model's last word, even if it was empty.
	var calling uint32
	var last []event.ToolCall
	for _, l := range s.Lines {
		if l.Turn == o.Turn && len(l.Calls) > 0 {
			calling++
			last = l.Calls
		}
	}
	if pressing(last) {
		return false // keys are an answer
	}
	return calling == o.Step && (strings.TrimSpace(o.Text) == "" || slices.ContainsFunc(last, func(c event.ToolCall) bool { return asks(s, r, c) }))
}

// noSuchTool is why a call of something that was not offered is refused.
const noSuchTool = "there is no such tool here"

// asks reports whether the model needs what a call gives to go on. Tools of
// groups and servers are whatever the engine and the workflow do not have and
// was not refused as unknown: which of them there are changes while a
// conversation runs, and a replay knows none, so the revision is not asked.
func asks(s *session.State, r *agent.Revision, c event.ToolCall) bool {
	if slices.ContainsFunc(s.Lines, func(l session.Line) bool {
		return l.Turn == s.Open.Turn && l.Role == session.RoleTool && l.CallID == c.ID && l.Text == "Refused: "+noSuchTool+"."
	}) {
		return false
	}
	name := alias(c.Name)
	if i := slices.IndexFunc(systems(), func(y systemTool) bool { return y.Name == name }); i >= 0 {
		return systems()[i].asks
	}
	return name != session.FinishTool && name != session.SendTool && name != buttonsTool && !moving(c.Name, r)
}

// moving reports whether some state has a move of a name.
func moving(name string, r *agent.Revision) bool {
	if r.Flow == nil {
		return false
	}
	return slices.ContainsFunc(r.Flow.States, func(st workflow.State) bool {
		return slices.ContainsFunc(r.Flow.Moves(st.Name), func(m workflow.Move) bool { return m.Tool == name })
	})
}

// decision is an answer being judged. State is what the session will be; Apply
// remains the only way to change it.
type decision struct {
	session.State
	rev     *agent.Revision
	out     []event.Event
	offered []string // tools of the request that is answered
	last    string   // of FinishSession
	spoken  string   // what calls of SendChatMessage say
	draft   string   // of SuggestChatMessage
	sources []event.Passage
	moved   bool
	auto    int // automatic moves so far
	rest    string
	hits    []event.Event // of guardrails on calls
}

func decide(s *session.State, r *agent.Revision, a event.ModelAnswered) decision {
	d := decision{State: *s, rev: r, sources: a.Passages}
	if s.Open == nil || s.Ended || s.Open.Turn != a.Turn || s.Open.Step != a.Step {
		return d
	}
	d.own()
	a = identified(a)
	d.offered = a.Offered
	if len(d.offered) == 0 {
		d.offered = names(s, r)
	}
	d.tell(a)
	for _, c := range a.Calls {
		d.call(c)
	}
	d.settle(a.Fault)
	return d
}

// own makes a copy of what can grow without being seen from outside.
func (d *decision) own() {
	if d.Open != nil {
		open := *d.Open
		open.Pending = slices.Clip(open.Pending)
		d.Open = &open
	}
	d.Lines = slices.Clip(d.Lines)
	d.Results = slices.Clone(d.Results)
}

// settle closes the reply if no further answer of the model is due.
func (d *decision) settle(trouble string) {
	if d.Open == nil || len(d.Open.Pending) > 0 || Next(&d.State, d.rev) {
		return
	}
	if trouble != "" && strings.TrimSpace(d.Open.Text) == "" {
		d.giveUp()
	}
	d.close()
}

// giveUp hands over to people when no model answers and that is allowed.
func (d *decision) giveUp() {
	if d.rev.Spec.Handoff.Allow && d.Mode == session.ModeRegular {
		d.tell(event.SessionHandedOver{Mode: session.ModeOperator, Reason: "no model answers"})
	}
}

func (d *decision) tell(e event.Event) {
	d.out = append(d.out, e)
	d.Apply(event.Envelope{Seq: d.Seq + 1, Time: d.At, Body: e})
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

// call judges one call, and carries it out if that is the engine's business. A
// granted call of a tool group or server is only recorded, with the arguments
// it is to be made with.
func (d *decision) call(c event.ToolCall) {
	j := d.judge(c)
	for _, h := range d.hits {
		d.tell(h)
	}
	d.hits = nil
	d.tell(event.ToolCalled{Turn: d.Open.Turn, Call: j.call, Refused: j.refused})
	answer := event.ToolAnswered{Turn: d.Open.Turn, CallID: c.ID}
	switch {
	case j.refused != "":
		answer.Result = event.P("Refused: " + j.refused + ".")
		answer.Fault = string(fault.Denied) + ": " + j.refused
	case j.outside:
		return // Told takes in what it gives
	case j.move != nil && j.move.Next == workflow.End:
		d.moved = true
		d.tell(event.StateEntered{State: j.move.Next, Move: j.move.Name})
		answer.Result = event.P(endText)
	case j.move != nil:
		d.moved = true
		d.tell(event.StateEntered{State: j.move.Next, Move: j.move.Name})
		answer.Result = event.P(fmt.Sprintf("You are in the state %q now.", j.move.Next))
	default:
		told, _ := d.carry(c)
		answer.Result = event.P(told)
	}
	d.tell(answer)
	if j.move != nil && j.refused == "" {
		d.automatic(workflow.EnteredState, "")
	}
}

// close ends the reply: no further answer of the model is due.
func (d *decision) close() {
	text := strings.TrimSpace(d.Open.Text)
	rest := d.last
	if strings.Contains(text, rest) {
		rest = "" // said already
	}
	ended := d.Flow == workflow.End && d.Open.Moves > 0
	if text == "" && rest == "" && !d.Closing && !ended && !d.pressed() {
		rest = d.fallback()
	}
	if d.Voice() {
		d.rest = rest
		if ended && !d.Closing {
			d.farewell()
		}
		return
	}
	text = strings.TrimSpace(text + " " + rest)
	if d.draft != "" && d.Mode == session.ModeCopilot {
		text = d.draft
	}
	switch {
	case text == "":
	case d.Mode == session.ModeCopilot:
		d.tell(event.SuggestionMade{Turn: d.Open.Turn, Text: event.P(text)})
	default:
		d.tell(event.ReplySent{
			Turn: d.Open.Turn, Message: d.Open.Message, Role: session.RoleAI,
			Text: event.P(text + d.cited()), Options: shown(&d.State),
		})
	}
	if ended || d.Closing {
		d.tell(event.SessionEnded{Status: event.Completed})
	}
}

// fallback is what is said when nothing else would be.
func (d *decision) fallback() string {
	switch {
	case d.Passing != nil:
		return stock.PutThrough.Of(d.rev.Settings.Language)
	case d.Mode == session.ModeOperator:
		return d.rev.Settings.OperatorUnavailable
	}
	return d.rev.Settings.Rephrase
}

// cited names what an answer is taken from, if the agent wants that: the
// passages that fitted about as well as the best one.
func (d *decision) cited() string {
	if !d.rev.Spec.ShowSources {
		return ""
	}
	var titles []string
	for _, p := range d.sources {
		title := p.Title
		if title == "" {
			title = p.Source
		}
		if p.Score >= 0.6*d.sources[0].Score && !slices.Contains(titles, title) && len(titles) < 3 {
			titles = append(titles, title)
		}
	}
	if len(titles) == 0 {
		return ""
	}
	return "\n\nSources: " + strings.Join(titles, "; ")
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
