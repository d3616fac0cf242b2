package wire

import (
	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

func agentBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.TenantCreated:
		return &pb.TenantCreated{Name: e.Name, Timezone: e.Timezone}
	case event.AgentCreated:
		return &pb.AgentCreated{Name: e.Name, Alias: e.Alias, TokenHash: e.TokenHash}
	case event.AgentSaved:
		return &pb.AgentSaved{Revision: e.Revision, File: s.text(e.File), Pins: pairs(e.Pins)}
	case event.AgentDrafted:
		return &pb.AgentDrafted{File: s.text(e.File), Fault: e.Fault}
	case event.AgentPublished:
		return &pb.AgentPublished{Revision: e.Revision}
	case event.AgentStarted:
		return &pb.AgentStarted{}
	case event.AgentStopped:
		return &pb.AgentStopped{Reason: e.Reason}
	default: // of another file
	}
	return nil
}

func agentEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.TenantCreated{}.Kind():
		return read(b, func(m *pb.TenantCreated) event.Event {
			return event.TenantCreated{Name: m.Name, Timezone: m.Timezone}
		})
	case event.AgentCreated{}.Kind():
		return read(b, func(m *pb.AgentCreated) event.Event {
			return event.AgentCreated{Name: m.Name, Alias: m.Alias, TokenHash: m.TokenHash}
		})
	case event.AgentSaved{}.Kind():
		return read(b, func(m *pb.AgentSaved) event.Event {
			return event.AgentSaved{Revision: m.Revision, File: o.text(m.File), Pins: unpair(m.Pins)}
		})
	case event.AgentDrafted{}.Kind():
		return read(b, func(m *pb.AgentDrafted) event.Event { return event.AgentDrafted{File: o.text(m.File), Fault: m.Fault} })
	case event.AgentPublished{}.Kind():
		return read(b, func(m *pb.AgentPublished) event.Event { return event.AgentPublished{Revision: m.Revision} })
	case event.AgentStarted{}.Kind():
		return read(b, func(*pb.AgentStarted) event.Event { return event.AgentStarted{} })
	case event.AgentStopped{}.Kind():
		return read(b, func(m *pb.AgentStopped) event.Event { return event.AgentStopped{Reason: m.Reason} })
	}
	return nil, nil
}
