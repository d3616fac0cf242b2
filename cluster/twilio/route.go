package twilio

import (
	"context"

	"flametree/actors"
	"flametree/engine/connection"
	"flametree/engine/event"
)

// Carrier is what places calls and keeps connections of another type up.
type Carrier interface {
	actors.Uplink
	actors.Dialler
}

// Beside is a Carrier that sends connections of each type, and the calls through
// them, to who knows them. A number that an agent may call either way goes
// through Twilio; a SIP address never does.
type Beside struct {
	Trunks *Trunks
	Other  Carrier
}

var _ Carrier = Beside{}

// Up implements actors.Uplink.
func (b Beside) Up(of actors.ID, s connection.State, report func(event.ConnectionReported)) (down func()) {
	if s.Type == connection.Twilio {
		return b.Trunks.Up(of, s, report)
	}
	return b.Other.Up(of, s, report)
}

// Dial implements actors.Dialler.
func (b Beside) Dial(ctx context.Context, d actors.Dialling, progress func(actors.DialProgress)) (actors.Leg, actors.Line, error) {
	if b.Trunks.Takes(d) {
		return b.Trunks.Dial(ctx, d, progress)
	}
	return b.Other.Dial(ctx, d, progress)
}

// Takes says whether a call is for a connection to Twilio: one that it names,
// whether it may use it or not, or one that could serve it.
func (t *Trunks) Takes(d actors.Dialling) bool {
	if d.Connection != "" {
		tr := t.trunkOf(d.Connection)
		return tr != nil && tr.id.Tenant == d.Tenant
	}
	return t.Serves(d)
}
