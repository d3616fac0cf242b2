package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// FinishTool is the system tool that says a last message and ends the session.
const FinishTool = "FinishSession"

// The system tools of a call. TransferTool passes the caller on once the reply
// was heard; DigitsTool presses keys at once; PauseTool and ResumeTool keep what
// is said out of the recording.
const (
	TransferTool = "TransferCall"
	DigitsTool   = "SendDigits"
	PauseTool    = "PauseRecording"
	ResumeTool   = "ResumeRecording"
)

// The commands. Each reads the state and answers with what would become true;
// nothing if the command makes no sense now. None changes the state. The first
// event is the fact from outside, the others are decisions that follow from it
// and are computed again at a replay.

// Begin opens the conversation in the workflow state flow ("" without a
// workflow). A text channel's greeting is sent at once; a call's is a reply
// like any other and is spoken.
func (s *State) Begin(born event.SessionCreated, flow string) []event.Event {
	if s.Seq > 0 {
		return nil
	}
	out := []event.Event{born}
	if flow != "" {
		out = append(out, event.StateEntered{State: flow})
	}
	switch {
	case born.Greeting == "":
	case born.Call != "":
		out = append(out, event.ReplyStarted{Turn: 0, Message: ReplyID(born.Conversation), Revision: born.Revision})
	default:
		out = append(out, event.ReplySent{Turn: 0, Message: ReplyID(born.Conversation), Role: RoleAI, Text: event.P(born.Greeting), Options: born.Buttons})
	}
	return out
}

// Block records a conversation that may not begin, with the status that says
// why. Nobody answers it and it is not billed.
func (s *State) Block(born event.SessionCreated, status event.Status) []event.Event {
	if s.Seq > 0 {
		return nil
	}
	born.Greeting = ""
	return []event.Event{born, event.SessionEnded{Status: status}}
}

// ReplyID names the reply to a message: one id is enough for both.
func ReplyID(message string) string { return message + "R" }

// fillerMark parts a reply's id from the number of its filler; no id has it.
const fillerMark = "-filler"

// FillerID names filler n of a written reply: a message that bridges the wait,
// closes no reply and is no part of what a model is shown.
func FillerID(reply string, n int) string { return fmt.Sprintf("%s%s%d", reply, fillerMark, n) }

// IsFiller reports whether a message is one that FillerID names.
func IsFiller(message string) bool { return strings.Contains(message, fillerMark) }

// Amend changes what is known about the customer.
func (s *State) Amend(u event.SessionUpdated) ([]event.Event, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	return []event.Event{u}, nil
}

// Receive takes in a written message and opens a turn; a reply that is still
// open is closed as superseded.
func (s *State) Receive(message, external, text string) ([]event.Event, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	turn := s.Turn + 1
	out := []event.Event{event.MessageReceived{Turn: turn, Message: message, ExternalID: external, Text: event.P(text)}}
	return s.start(out, turn, message), nil
}

// Retry starts the reply to the last turn again when it was lost.
func (s *State) Retry() []event.Event {
	if s.alive() != nil || s.Open != nil || s.Mode == ModeOperator || s.Turn == 0 {
		return nil
	}
	if _, done := s.Said(s.Turn); done {
		return nil
	}
	for _, v := range slices.Backward(s.Lines) {
		if l := v; l.Turn == s.Turn && l.Role == RoleHuman {
			return []event.Event{event.ReplyStarted{Turn: s.Turn, Message: ReplyID(l.Message), Revision: s.Born.Revision}}
		}
	}
	return nil
}

// Nudge starts a line of the agent that answers nothing: that nobody is heard.
func (s *State) Nudge(message string) []event.Event {
	if s.alive() != nil || s.Open != nil || s.Mode == ModeOperator {
		return nil
	}
	return []event.Event{event.ReplyStarted{Turn: s.Turn, Message: message, Revision: s.Born.Revision}}
}

// Hear takes in what the caller said and opens a turn. Turn is set here.
func (s *State) Hear(u event.UtteranceHeard) ([]event.Event, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	u.Turn = s.Turn + 1
	return s.start([]event.Event{u}, u.Turn, u.Message), nil
}

func (s *State) start(out []event.Event, turn uint64, message string) []event.Event {
	if s.Open != nil {
		out = append(out, event.ReplyLost{Turn: s.Open.Turn, Message: s.Open.Message, Reason: "superseded"})
	}
	if s.Mode == ModeOperator {
		return out // a person answers
	}
	return append(out, event.ReplyStarted{Turn: turn, Message: ReplyID(message), Revision: s.Born.Revision})
}

// Spoke records what the caller heard of the reply to a turn, and ends the
// session when that was the farewell, heard to its end.
func (s *State) Spoke(r event.ReplySpoken) []event.Event {
	if s.Open == nil || s.Open.Turn != r.Turn {
		return nil
	}
	r.Message = s.Open.Message
	out := []event.Event{r}
	if s.Closing && !r.Interrupted && !s.Ended {
		out = append(out, event.SessionEnded{Status: event.Completed})
	}
	return out
}

// HandOver moves the session between the AI and people; a reply that is being
// made goes on to its end. Nothing if it is in that mode already.
func (s *State) HandOver(h event.SessionHandedOver) []event.Event {
	if s.alive() != nil || s.Mode == h.Mode {
		return nil
	}
	return []event.Event{h}
}

// Lose closes a reply found open after a crash: nobody can say whether it arrived.
func (s *State) Lose() []event.Event {
	if s.Open == nil {
		return nil
	}
	return []event.Event{event.ReplyLost{Turn: s.Open.Turn, Message: s.Open.Message, Reason: "crash"}}
}

// End closes the session once.
func (s *State) End(status event.Status) ([]event.Event, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	if !status.Valid() {
		return nil, fmt.Errorf("end session with status %q: %w", status, fault.Invalid)
	}
	return []event.Event{event.SessionEnded{Status: status}}, nil
}

// Expire ends the session if its time is up.
func (s *State) Expire(now time.Time) []event.Event {
	at, why := s.Expires()
	if s.Ended || s.Seq == 0 || at.IsZero() || now.Before(at) {
		return nil
	}
	return []event.Event{event.SessionEnded{Status: why}}
}

func (s *State) alive() error {
	switch {
	case s.Seq == 0:
		return fmt.Errorf("session was never created: %w", fault.NotFound)
	case s.Ended:
		return fmt.Errorf("session is closed (%s): %w", s.Status, fault.NotFound)
	}
	return nil
}
