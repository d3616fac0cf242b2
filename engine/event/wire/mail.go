package wire

import (
	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

// mailBody maps what became of mail.
func mailBody(e event.Event, _ *sealing) message {
	m, ok := e.(event.ResultsMailed)
	if !ok {
		return nil
	}
	return &pb.ResultsMailed{MessageId: m.MessageID, Taken: m.Taken, Given: m.Given, Attempts: m.Attempts, Fault: m.Fault}
}

func mailEvent(k event.Kind, b []byte, _ *opening) (event.Event, error) {
	if k != (event.ResultsMailed{}).Kind() {
		return nil, nil
	}
	return read(b, func(m *pb.ResultsMailed) event.Event {
		return event.ResultsMailed{MessageID: m.MessageId, Taken: m.Taken, Given: m.Given, Attempts: m.Attempts, Fault: m.Fault}
	})
}
