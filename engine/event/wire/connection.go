package wire

import (
	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

// connectionBody maps the life of connections to channels.
func connectionBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.ConnectionCreated:
		return &pb.ConnectionCreated{Type: e.Type, Name: e.Name}
	case event.ConnectionSaved:
		return &pb.ConnectionSaved{
			Revision:    e.Revision,
			Name:        e.Name,
			Description: e.Description,
			Settings:    pairs(e.Settings),
			Secrets:     s.pairs(e.Secrets),
		}
	case event.ConnectionStarted:
		return &pb.ConnectionStarted{}
	case event.ConnectionStopped:
		return &pb.ConnectionStopped{Reason: e.Reason}
	case event.ConnectionReported:
		return &pb.ConnectionReported{State: e.State, Detail: e.Detail, Code: e.Code}
	case event.ConnectionAttached:
		return &pb.ConnectionAttached{Agent: e.Agent, Inbound: e.Inbound}
	case event.ConnectionDetached:
		return &pb.ConnectionDetached{Agent: e.Agent}
	case event.ConnectionRemoved:
		return &pb.ConnectionRemoved{}
	default: // of another file
	}
	return nil
}

func connectionEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.ConnectionCreated{}.Kind():
		return read(b, func(m *pb.ConnectionCreated) event.Event { return event.ConnectionCreated{Type: m.Type, Name: m.Name} })
	case event.ConnectionSaved{}.Kind():
		return read(b, func(m *pb.ConnectionSaved) event.Event {
			return event.ConnectionSaved{
				Revision:    m.Revision,
				Name:        m.Name,
				Description: m.Description,
				Settings:    unpair(m.Settings),
				Secrets:     o.pairs(m.Secrets),
			}
		})
	case event.ConnectionStarted{}.Kind():
		return read(b, func(*pb.ConnectionStarted) event.Event { return event.ConnectionStarted{} })
	case event.ConnectionStopped{}.Kind():
		return read(b, func(m *pb.ConnectionStopped) event.Event { return event.ConnectionStopped{Reason: m.Reason} })
	case event.ConnectionReported{}.Kind():
		return read(b, func(m *pb.ConnectionReported) event.Event {
			return event.ConnectionReported{State: m.State, Detail: m.Detail, Code: m.Code}
		})
	case event.ConnectionAttached{}.Kind():
		return read(b, func(m *pb.ConnectionAttached) event.Event {
			return event.ConnectionAttached{Agent: m.Agent, Inbound: m.Inbound}
		})
	case event.ConnectionDetached{}.Kind():
		return read(b, func(m *pb.ConnectionDetached) event.Event { return event.ConnectionDetached{Agent: m.Agent} })
	case event.ConnectionRemoved{}.Kind():
		return read(b, func(*pb.ConnectionRemoved) event.Event { return event.ConnectionRemoved{} })
	}
	return nil, nil
}
