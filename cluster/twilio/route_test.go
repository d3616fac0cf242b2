package twilio_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/twilio"
	"flametree/engine/connection"
	"flametree/engine/event"
)

// other takes down what is left to it.
type other struct{ up, dialled []string }

func (o *other) Up(of actors.ID, _ connection.State, _ func(event.ConnectionReported)) func() {
	o.up = append(o.up, of.Name)
	return func() {}
}

func (o *other) Dial(_ context.Context, d actors.Dialling, _ func(actors.DialProgress)) (actors.Leg, actors.Line, error) {
	o.dialled = append(o.dialled, d.To)
	return nil, nil, &actors.NotReached{Status: event.Busy, Reason: "busy"}
}

func TestWhichWayACallGoes(t *testing.T) {
	h := open(t)
	h.far.Answers[them] = "busy"
	o := &other{}
	b := twilio.Beside{Trunks: h.trunks, Other: o}
	b.Up(actors.ID{Name: "pbx"}, connection.State{Type: connection.SIP}, func(event.ConnectionReported) {})()
	require.Equal(t, []string{"pbx"}, o.up)
	for _, d := range []actors.Dialling{
		{Agent: "a1", To: them},                      // the agent's own connection
		{Agent: "a1", To: them, Connection: line},    // by name
		{Agent: "a2", To: them, Connection: line},    // refused there, and not sent elsewhere
		{Agent: "a1", To: "sip:bob@example.org"},     // an address
		{Agent: "a2", To: "101"},                     // another agent
		{Agent: "a1", To: them, Connection: "other"}, // another connection
	} {
		_, _, err := b.Dial(t.Context(), d, func(actors.DialProgress) {})
		require.Error(t, err)
	}
	require.Equal(t, []string{"sip:bob@example.org", "101", them}, o.dialled)
	require.Len(t, h.far.Calls(), 2)
}
