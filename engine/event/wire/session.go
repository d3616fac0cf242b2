package wire

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

func sessionBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.SessionCreated:
		return sessionCreated(e, s)
	case event.SessionUpdated:
		return &pb.SessionUpdated{
			Name: s.maybe(e.Name), Email: s.maybe(e.Email), Phone: s.maybe(e.Phone),
			Language: e.Language, Kwargs: s.pairs(e.Kwargs),
		}
	case event.SessionHandedOver:
		return &pb.SessionHandedOver{Mode: e.Mode, Reason: e.Reason, Summary: s.text(e.Summary)}
	case event.SessionEnded:
		return &pb.SessionEnded{Status: string(e.Status)}
	case event.StateEntered:
		return &pb.StateEntered{State: e.State, Move: e.Move}
	case event.ResultsExtracted:
		return &pb.ResultsExtracted{Turn: e.Turn, Values: s.text(e.Values), Fault: e.Fault}
	case event.ResultSet:
		return &pb.ResultSet{Field: e.Field, Value: s.text(e.Value)}
	case event.TurnTimed:
		return &pb.TurnTimed{Turn: e.Turn, Stages: stages(e.Stages), Waited: e.Waited}
	default: // of another file
	}
	return nil
}

func sessionEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.SessionCreated{}.Kind():
		return read(b, func(m *pb.SessionCreated) event.Event { return readCreated(m, o) })
	case event.SessionUpdated{}.Kind():
		return read(b, func(m *pb.SessionUpdated) event.Event {
			return event.SessionUpdated{
				Name: o.maybe(m.Name), Email: o.maybe(m.Email), Phone: o.maybe(m.Phone),
				Language: m.Language, Kwargs: o.pairs(m.Kwargs),
			}
		})
	case event.SessionHandedOver{}.Kind():
		return read(b, func(m *pb.SessionHandedOver) event.Event {
			return event.SessionHandedOver{Mode: m.Mode, Reason: m.Reason, Summary: o.text(m.Summary)}
		})
	case event.SessionEnded{}.Kind():
		return read(b, func(m *pb.SessionEnded) event.Event { return event.SessionEnded{Status: event.Status(m.Status)} })
	case event.StateEntered{}.Kind():
		return read(b, func(m *pb.StateEntered) event.Event { return event.StateEntered{State: m.State, Move: m.Move} })
	case event.ResultsExtracted{}.Kind():
		return read(b, func(m *pb.ResultsExtracted) event.Event {
			return event.ResultsExtracted{Turn: m.Turn, Values: o.text(m.Values), Fault: m.Fault}
		})
	case event.ResultSet{}.Kind():
		return read(b, func(m *pb.ResultSet) event.Event { return event.ResultSet{Field: m.Field, Value: o.text(m.Value)} })
	case event.TurnTimed{}.Kind():
		return read(b, func(m *pb.TurnTimed) event.Event {
			return event.TurnTimed{Turn: m.Turn, Stages: unstage(m.Stages), Waited: m.Waited}
		})
	}
	return nil, nil
}

func sessionCreated(e event.SessionCreated, s *sealing) *pb.SessionCreated {
	return &pb.SessionCreated{
		Agent: e.Agent, Revision: e.Revision, Conversation: e.Conversation, Channel: e.Channel, Call: e.Call,
		UserId: s.text(e.UserID), Name: s.text(e.Name), Email: s.text(e.Email), Phone: s.text(e.Phone),
		Language: e.Language, Args: s.list(e.Args), Kwargs: s.pairs(e.Kwargs), UserInfo: s.pairs(e.UserInfo),
		Greeting: e.Greeting, TimeoutNs: int64(e.Timeout), MaxDurationNs: int64(e.MaxDuration),
		IdempotencyKey: e.IdempotencyKey, Buttons: e.Buttons,
	}
}

func readCreated(m *pb.SessionCreated, o *opening) event.Event {
	return event.SessionCreated{
		Agent: m.Agent, Revision: m.Revision, Conversation: m.Conversation, Channel: m.Channel, Call: m.Call,
		UserID: o.text(m.UserId), Name: o.text(m.Name), Email: o.text(m.Email), Phone: o.text(m.Phone),
		Language: m.Language, Args: o.list(m.Args), Kwargs: o.pairs(m.Kwargs), UserInfo: o.pairs(m.UserInfo),
		Greeting: m.Greeting, Timeout: time.Duration(m.TimeoutNs), MaxDuration: time.Duration(m.MaxDurationNs),
		IdempotencyKey: m.IdempotencyKey, Buttons: m.Buttons,
	}
}

func stages(in []event.Stage) []*pb.Stage {
	if len(in) == 0 {
		return nil
	}
	ms := make([]*pb.Stage, len(in))
	for i, s := range in {
		ms[i] = &pb.Stage{Name: s.Name, TookNs: int64(s.Took)}
	}
	return ms
}

func unstage(ms []*pb.Stage) []event.Stage {
	if len(ms) == 0 {
		return nil
	}
	in := make([]event.Stage, len(ms))
	for i, m := range ms {
		in[i] = event.Stage{Name: m.Name, Took: time.Duration(m.TookNs)}
	}
	return in
}
