package wire

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

// talkBody maps what the two sides and the model say.
func talkBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.MessageReceived:
		return &pb.MessageReceived{Turn: e.Turn, Message: e.Message, ExternalId: e.ExternalID, Text: s.text(e.Text)}
	case event.UtteranceHeard:
		return &pb.UtteranceHeard{
			Turn: e.Turn, Message: e.Message, Text: s.text(e.Text), Digits: e.Digits,
			OffsetNs: int64(e.Offset), Unheard: e.Unheard,
		}
	case event.ReplyStarted:
		return &pb.ReplyStarted{Turn: e.Turn, Message: e.Message, Revision: e.Revision, Voice: e.Voice}
	case event.ReplySent:
		return &pb.ReplySent{Turn: e.Turn, Message: e.Message, Role: e.Role, Text: s.text(e.Text), Options: e.Options}
	case event.ReplySpoken:
		return &pb.ReplySpoken{
			Turn: e.Turn, Message: e.Message, Text: s.text(e.Text), Full: s.text(e.Full),
			Interrupted: e.Interrupted, PlayedNs: int64(e.Played),
		}
	case event.ReplyLost:
		return &pb.ReplyLost{Turn: e.Turn, Message: e.Message, Reason: e.Reason}
	case event.ModelAnswered:
		return modelAnswered(e, s)
	case event.ToolCalled:
		return &pb.ToolCalled{Turn: e.Turn, Call: toolCall(e.Call, s), Refused: e.Refused}
	case event.ToolAnswered:
		return &pb.ToolAnswered{
			Turn: e.Turn, CallId: e.CallID, Result: s.text(e.Result), TookNs: int64(e.Took), Fault: e.Fault,
			Tool: e.Tool, Sets: s.pairs(e.Sets),
		}
	default: // of another file
	}
	return nil
}

func talkEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.MessageReceived{}.Kind():
		return read(b, func(m *pb.MessageReceived) event.Event {
			return event.MessageReceived{Turn: m.Turn, Message: m.Message, ExternalID: m.ExternalId, Text: o.text(m.Text)}
		})
	case event.UtteranceHeard{}.Kind():
		return read(b, func(m *pb.UtteranceHeard) event.Event {
			return event.UtteranceHeard{
				Turn: m.Turn, Message: m.Message, Text: o.text(m.Text), Digits: m.Digits,
				Offset: time.Duration(m.OffsetNs), Unheard: m.Unheard,
			}
		})
	case event.ReplyStarted{}.Kind():
		return read(b, func(m *pb.ReplyStarted) event.Event {
			return event.ReplyStarted{Turn: m.Turn, Message: m.Message, Revision: m.Revision, Voice: m.Voice}
		})
	case event.ReplySent{}.Kind():
		return read(b, func(m *pb.ReplySent) event.Event {
			return event.ReplySent{Turn: m.Turn, Message: m.Message, Role: m.Role, Text: o.text(m.Text), Options: m.Options}
		})
	case event.ReplySpoken{}.Kind():
		return read(b, func(m *pb.ReplySpoken) event.Event {
			return event.ReplySpoken{
				Turn: m.Turn, Message: m.Message, Text: o.text(m.Text), Full: o.text(m.Full),
				Interrupted: m.Interrupted, Played: time.Duration(m.PlayedNs),
			}
		})
	case event.ReplyLost{}.Kind():
		return read(b, func(m *pb.ReplyLost) event.Event {
			return event.ReplyLost{Turn: m.Turn, Message: m.Message, Reason: m.Reason}
		})
	case event.ModelAnswered{}.Kind():
		return read(b, func(m *pb.ModelAnswered) event.Event { return readAnswered(m, o) })
	case event.ToolCalled{}.Kind():
		return read(b, func(m *pb.ToolCalled) event.Event {
			return event.ToolCalled{Turn: m.Turn, Call: readToolCall(m.Call, o), Refused: m.Refused}
		})
	case event.ToolAnswered{}.Kind():
		return read(b, func(m *pb.ToolAnswered) event.Event {
			return event.ToolAnswered{
				Turn: m.Turn, CallID: m.CallId, Result: o.text(m.Result), Took: time.Duration(m.TookNs), Fault: m.Fault,
				Tool: m.Tool, Sets: o.pairs(m.Sets),
			}
		})
	}
	return nil, nil
}

func modelAnswered(e event.ModelAnswered, s *sealing) *pb.ModelAnswered {
	m := &pb.ModelAnswered{
		Turn: e.Turn, Step: e.Step, Provider: e.Provider, Model: e.Model, Text: s.text(e.Text),
		Input: e.Input, Output: e.Output, FirstByteNs: int64(e.FirstByte), WholeNs: int64(e.Whole), Fault: e.Fault,
		State: e.State, Parts: traced(e.Parts), Messages: e.Messages, Offered: e.Offered, Attempts: attempts(e.Attempts), Cost: e.Cost,
	}
	for _, c := range e.Calls {
		m.Calls = append(m.Calls, toolCall(c, s))
	}
	for _, p := range e.Passages {
		m.Passages = append(m.Passages, &pb.Passage{Source: p.Source, Title: p.Title, Score: p.Score})
	}
	return m
}

func readAnswered(m *pb.ModelAnswered, o *opening) event.Event {
	e := event.ModelAnswered{
		Turn: m.Turn, Step: m.Step, Provider: m.Provider, Model: m.Model, Text: o.text(m.Text),
		Input: m.Input, Output: m.Output,
		FirstByte: time.Duration(m.FirstByteNs), Whole: time.Duration(m.WholeNs), Fault: m.Fault,
		State: m.State, Parts: untraced(m.Parts), Messages: m.Messages, Offered: m.Offered, Attempts: unattempted(m.Attempts), Cost: m.Cost,
	}
	for _, c := range m.Calls {
		e.Calls = append(e.Calls, readToolCall(c, o))
	}
	for _, p := range m.Passages {
		e.Passages = append(e.Passages, event.Passage{Source: p.Source, Title: p.Title, Score: p.Score})
	}
	return e
}

func toolCall(c event.ToolCall, s *sealing) *pb.ToolCall {
	return &pb.ToolCall{Id: c.ID, Name: c.Name, Args: s.text(c.Args)}
}

func readToolCall(m *pb.ToolCall, o *opening) event.ToolCall {
	if m == nil {
		return event.ToolCall{}
	}
	return event.ToolCall{ID: m.Id, Name: m.Name, Args: o.text(m.Args)}
}
