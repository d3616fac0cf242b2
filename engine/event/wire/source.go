package wire

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

// sourceBody maps the life of sources of knowledge.
func sourceBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.SourceCreated:
		return &pb.SourceCreated{Type: e.Type, Title: e.Title, Origin: e.Origin, Mode: e.Mode, Owner: e.Owner}
	case event.SourceSaved:
		return &pb.SourceSaved{
			Revision: e.Revision, Title: e.Title, Origin: e.Origin, Blob: e.Blob, Bytes: e.Bytes, Name: e.Name,
		}
	case event.SourceIndexing:
		return &pb.SourceIndexing{Run: e.Run, Revision: e.Revision}
	case event.SourceIndexed:
		return &pb.SourceIndexed{
			Run: e.Run, Revision: e.Revision, Blob: e.Blob, Entries: e.Entries, Chunks: e.Chunks,
			Warnings: e.Warnings, TookNs: int64(e.Took),
		}
	case event.SourceFailed:
		return &pb.SourceFailed{Run: e.Run, Reason: e.Reason}
	case event.SourceStopped:
		return &pb.SourceStopped{Run: e.Run}
	case event.SourceConnected:
		return &pb.SourceConnected{Agent: e.Agent}
	case event.SourceDisconnected:
		return &pb.SourceDisconnected{Agent: e.Agent}
	case event.SourceRemoved:
		return &pb.SourceRemoved{}
	case event.QuestionResolved:
		return &pb.QuestionResolved{Question: s.text(e.Question), How: e.How, Source: e.Source}
	default: // of another file
	}
	return nil
}

func sourceEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.SourceCreated{}.Kind():
		return read(b, func(m *pb.SourceCreated) event.Event {
			return event.SourceCreated{Type: m.Type, Title: m.Title, Origin: m.Origin, Mode: m.Mode, Owner: m.Owner}
		})
	case event.SourceSaved{}.Kind():
		return read(b, func(m *pb.SourceSaved) event.Event {
			return event.SourceSaved{
				Revision: m.Revision, Title: m.Title, Origin: m.Origin, Blob: m.Blob, Bytes: m.Bytes, Name: m.Name,
			}
		})
	case event.SourceIndexing{}.Kind():
		return read(b, func(m *pb.SourceIndexing) event.Event {
			return event.SourceIndexing{Run: m.Run, Revision: m.Revision}
		})
	case event.SourceIndexed{}.Kind():
		return read(b, func(m *pb.SourceIndexed) event.Event {
			return event.SourceIndexed{
				Run: m.Run, Revision: m.Revision, Blob: m.Blob, Entries: m.Entries, Chunks: m.Chunks,
				Warnings: m.Warnings, Took: time.Duration(m.TookNs),
			}
		})
	case event.SourceFailed{}.Kind():
		return read(b, func(m *pb.SourceFailed) event.Event { return event.SourceFailed{Run: m.Run, Reason: m.Reason} })
	case event.SourceStopped{}.Kind():
		return read(b, func(m *pb.SourceStopped) event.Event { return event.SourceStopped{Run: m.Run} })
	case event.SourceConnected{}.Kind():
		return read(b, func(m *pb.SourceConnected) event.Event { return event.SourceConnected{Agent: m.Agent} })
	case event.SourceDisconnected{}.Kind():
		return read(b, func(m *pb.SourceDisconnected) event.Event { return event.SourceDisconnected{Agent: m.Agent} })
	case event.SourceRemoved{}.Kind():
		return read(b, func(*pb.SourceRemoved) event.Event { return event.SourceRemoved{} })
	case event.QuestionResolved{}.Kind():
		return read(b, func(m *pb.QuestionResolved) event.Event {
			return event.QuestionResolved{Question: o.text(m.Question), How: m.How, Source: m.Source}
		})
	}
	return nil, nil
}
