// Package session holds what a conversation knows, what it permits, and the
// one function by which it comes to know more. It does no I/O and asks no
// model: what a model's answer means is engine/dialog's business.
package session

import (
	"slices"
	"strings"
	"time"

	"flametree/engine/event"
)

// The roles of a Line, as the Chat API shows them. RoleTool lines are shown to
// the model only.
const (
	RoleHuman    = "HUMAN"
	RoleAI       = "AI"
	RoleOperator = "OPERATOR"
	RoleTool     = "TOOL"
)

// The modes of a session.
const (
	ModeRegular  = "REGULAR"
	ModeOperator = "OPERATOR"
	ModeCopilot  = "COPILOT"
)

// Line is one entry of the history.
type Line struct {
	Turn        uint64
	Role        string
	Message     string // id
	External    string // HUMAN: the client's or network's id
	Text        string
	Erased      bool             // the person's key is gone
	Calls       []event.ToolCall // AI: what it asked for before it said Text
	CallID      string           // TOOL
	Options     []string         // AI: buttons
	Interrupted bool             // AI: Text is what the caller heard
	Digits      bool             // HUMAN: typed on the telephone
	At          time.Time
}

// Result is one conversation result in its canonical form.
type Result struct{ Field, Value string }

// Reply is the reply that is being made; the session has at most one.
type Reply struct {
	Turn    uint64
	Message string
	Step    uint32           // model answers so far
	Moves   uint32           // workflow moves so far
	Tools   uint32           // tool calls so far
	Text    string           // what the model said in its answers so far
	Options []string         // buttons asked for so far
	Pending []event.ToolCall // called, not yet answered
	Started time.Time
}

// State is a session as its journal tells it. The zero State has not begun.
type State struct {
	Seq     uint64
	Born    event.SessionCreated // as amended by session.updated
	Mode    string
	Turn    uint64
	Flow    string // name of the current workflow state
	Lines   []Line
	Results []Result
	Open    *Reply
	Calls   uint64 // tool calls of the whole session
	Closing bool   // the farewell is being said
	Ended   bool
	Status  event.Status
	Started time.Time
	Input   time.Time // of the last thing the customer did
	Over    time.Time
	At      time.Time // of the last event

	Observations []Observation
	Fields       []event.Pair // what skills gave, by name
	Waits        *Waiting     // nil = no call waits for the human's yes
	Verified     bool         // a tool proved who the customer is
	Customer     string       // the id that it gave
	Summary      Summary
	Suggestion   string          // COPILOT: the newest draft
	Unanswered   uint64          // questions
	Passing      *event.ToolCall // the open reply ends with passing the caller on
	Hits         uint64          // of guardrails
	Handed       time.Time
	Mailed       bool      // its results were, or were given up
	Whispers     []Whisper // the newest, oldest first
}

// Apply folds one event into the state, and is the only way to change it. It
// is total and deterministic: no error, no clock, no chance. So living through
// a journal and replaying it end in the same place.
func (s *State) Apply(e event.Envelope) {
	s.Seq, s.At = e.Seq, e.Time
	if s.applyDeed(e) {
		return
	}
	switch b := e.Body.(type) {
	case event.SessionCreated:
		s.Born, s.Mode, s.Started, s.Input = b, ModeRegular, e.Time, e.Time
	case event.SessionUpdated:
		s.amend(b)
	case event.SessionHandedOver:
		s.Mode, s.Handed = b.Mode, e.Time
	case event.SessionEnded:
		s.Ended, s.Status, s.Over, s.Open = true, b.Status, e.Time, nil
	case event.MessageReceived:
		s.Turn, s.Input, s.Closing = b.Turn, e.Time, false
		s.add(Line{Turn: b.Turn, Role: RoleHuman, Message: b.Message, External: b.ExternalID, At: e.Time}, b.Text)
	case event.UtteranceHeard:
		s.Turn, s.Input, s.Closing, s.Passing = b.Turn, e.Time, false, nil
		s.add(Line{Turn: b.Turn, Role: RoleHuman, Message: b.Message, Digits: b.Digits, At: e.Time}, b.Text)
	case event.ResultSet:
		s.setResult(b)
	case event.StateEntered:
		s.Flow = b.State
		if s.Open != nil && b.Move != "" {
			s.Open.Moves++
		}
	case event.TenantCreated, event.AgentCreated, event.AgentSaved, event.AgentPublished, event.AgentStarted,
		event.AgentStopped, event.CallOffered, event.CallAnswered, event.CallHeld, event.CallResumed,
		event.CallDigit, event.CallEnded, event.CallInputs, event.RecordingClosed, event.AgentDrafted,
		event.SourceCreated, event.SourceSaved, event.SourceIndexing, event.SourceIndexed, event.SourceFailed,
		event.SourceStopped, event.SourceConnected, event.SourceDisconnected, event.SourceRemoved, event.QuestionResolved,
		event.CallSpeechChanged, event.CallReplaced, event.CallProgressed, event.CallScreened, event.VoicemailLeft, event.TransferBegun, event.TransferFailed,
		event.TransferCompleted, event.RecordingPaused, event.RecordingResumed, event.RecordingDeleted, event.CallObserved,
		event.CallTraced, event.ConnectionCreated, event.ConnectionSaved, event.ConnectionStarted,
		event.ConnectionStopped, event.ConnectionReported, event.ConnectionAttached, event.ConnectionDetached,
		event.ConnectionRemoved:
		// Of other streams.
	default:
		s.applyReply(e)
	}
}

// applyReply folds the events of a reply.
func (s *State) applyReply(e event.Envelope) {
	switch b := e.Body.(type) {
	case event.ReplyStarted:
		s.Open = &Reply{Turn: b.Turn, Message: b.Message, Started: e.Time}
		s.Passing = nil
	case event.ModelAnswered:
		s.answered(b, e.Time)
	case event.ToolCalled:
		s.called(b)
	case event.ToolAnswered:
		s.toolAnswered(b, e.Time)
	case event.ReplySent:
		if !IsFiller(b.Message) {
			s.close(b.Turn)
		}
		s.add(Line{Turn: b.Turn, Role: b.Role, Message: b.Message, Options: b.Options, At: e.Time}, b.Text)
	case event.ReplySpoken:
		s.close(b.Turn)
		if b.Interrupted {
			s.Closing = false
		}
		s.add(Line{Turn: b.Turn, Role: RoleAI, Message: b.Message, Interrupted: b.Interrupted, At: e.Time}, b.Text)
	case event.ReplyLost:
		s.close(b.Turn)
	case event.ResultsExtracted, event.TurnTimed:
		// Facts that others read; the decisions that follow from them are events of their own.
	default: // Apply has taken the rest
	}
}

func (s *State) answered(b event.ModelAnswered, at time.Time) {
	if s.Open == nil || s.Open.Turn != b.Turn {
		return
	}
	s.Open.Step++
	if b.Text.Text != "" {
		if s.Open.Text != "" {
			s.Open.Text += " "
		}
		s.Open.Text += b.Text.Text
	}
	if len(b.Calls) > 0 {
		s.add(Line{Turn: b.Turn, Role: RoleAI, Calls: b.Calls, At: at}, b.Text)
	}
}

func (s *State) called(b event.ToolCalled) {
	if b.Refused == "" {
		s.Calls++ // what did not happen wears out no limit of the session
	}
	s.wait(b)
	if s.Open == nil || s.Open.Turn != b.Turn {
		return
	}
	s.Open.Tools++
	if text := message(b.Call); text != "" && b.Refused == "" {
		s.Open.Text = strings.TrimSpace(s.Open.Text + " " + text)
	}
	s.Open.Pending = append(s.Open.Pending, b.Call)
	switch {
	case b.Refused != "":
	case b.Call.Name == FinishTool:
		s.Closing = true
	case b.Call.Name == TransferTool:
		call := b.Call
		s.Passing = &call
	}
}

func (s *State) toolAnswered(b event.ToolAnswered, at time.Time) {
	s.observe(b, at)
	s.add(Line{Turn: b.Turn, Role: RoleTool, CallID: b.CallID, At: at}, b.Result)
	if s.Open == nil {
		return
	}
	kept := s.Open.Pending[:0:0]
	for _, c := range s.Open.Pending {
		if c.ID != b.CallID {
			kept = append(kept, c)
		}
	}
	s.Open.Pending = kept
}

func (s *State) setResult(b event.ResultSet) {
	for i := range s.Results {
		if s.Results[i].Field == b.Field {
			s.Results[i].Value = b.Value.Text
			return
		}
	}
	s.Results = append(s.Results, Result{Field: b.Field, Value: b.Value.Text})
}

func (s *State) amend(u event.SessionUpdated) {
	set := func(to *event.Private, from *event.Private) {
		if from != nil {
			*to = *from
		}
	}
	set(&s.Born.Name, u.Name)
	set(&s.Born.Email, u.Email)
	set(&s.Born.Phone, u.Phone)
	if u.Language != nil {
		s.Born.Language = *u.Language
	}
	kwargs := append([]event.PrivatePair(nil), s.Born.Kwargs...)
	for _, p := range u.Kwargs {
		kwargs = replace(kwargs, p)
	}
	s.Born.Kwargs = kwargs
}

func replace(in []event.PrivatePair, p event.PrivatePair) []event.PrivatePair {
	for i := range in {
		if in[i].Key == p.Key {
			in[i] = p
			return in
		}
	}
	return append(in, p)
}

func (s *State) add(l Line, text event.Private) {
	l.Text, l.Erased = text.Text, text.Erased
	s.Lines = append(s.Lines, l)
}

func (s *State) close(turn uint64) {
	if s.Open != nil && s.Open.Turn == turn {
		s.Open = nil
	}
}

// Voice reports whether the session is a telephone or browser call.
func (s *State) Voice() bool { return s.Born.Call != "" }

// Taken finds the line of a customer's message by the client's id for it.
func (s *State) Taken(external string) (Line, bool) {
	for i := len(s.Lines) - 1; i >= 0 && external != ""; i-- {
		if s.Lines[i].External == external {
			return s.Lines[i], true
		}
	}
	return Line{}, false
}

// Said finds the finished reply to a turn.
func (s *State) Said(turn uint64) (Line, bool) {
	for _, l := range slices.Backward(s.Lines) {
		if l.Turn == turn && len(l.Calls) == 0 && !IsFiller(l.Message) && (l.Role == RoleAI || l.Role == RoleOperator) {
			return l, true
		}
	}
	return Line{}, false
}

// Value finds a result; "" when it is not known.
func (s *State) Value(field string) string {
	for _, r := range s.Results {
		if r.Field == field {
			return r.Value
		}
	}
	return ""
}

// Expires is when the session ends by itself if the customer does nothing
// more, and the status it then gets. The zero time means never.
func (s *State) Expires() (time.Time, event.Status) {
	var at time.Time
	var why event.Status
	if s.Born.Timeout > 0 && !s.Voice() {
		at, why = s.Input.Add(s.Born.Timeout), event.UserTimeout
	}
	if d := s.Born.MaxDuration; d > 0 {
		if end := s.Started.Add(d); at.IsZero() || end.Before(at) {
			at, why = end, event.Timeout
		}
	}
	return at, why
}
