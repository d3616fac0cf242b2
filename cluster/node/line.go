package node

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
)

// EventLine is an event as `journal tail --json` prints it.
type EventLine struct {
	Pos     uint64          `json:"pos"`
	Stream  string          `json:"stream"`
	Version uint64          `json:"version"`
	Kind    event.Kind      `json:"kind"`
	Time    time.Time       `json:"time"`
	Tenant  string          `json:"tenant"`
	Session string          `json:"session,omitempty"`
	Turn    *uint64         `json:"turn,omitempty"`
	Role    string          `json:"role,omitempty"`
	Text    string          `json:"text,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// Line makes an EventLine. It shows the texts of the conversation: it is for
// the owner of the data only.
func Line(e event.Envelope) EventLine {
	l := EventLine{
		Pos: e.Position, Stream: string(e.Stream.Kind) + "/" + e.Stream.ID, Version: e.Seq, Kind: e.Body.Kind(),
		Time: e.Time, Tenant: e.Stream.Tenant.String(),
	}
	if e.Stream.Kind == event.SessionStream {
		l.Session = e.Stream.ID
	}
	turn := func(n uint64, role string, text event.Private) { l.Turn, l.Role, l.Text = &n, role, text.Text }
	switch b := e.Body.(type) {
	case event.MessageReceived:
		turn(b.Turn, "HUMAN", b.Text)
	case event.UtteranceHeard:
		turn(b.Turn, "HUMAN", b.Text)
	case event.ReplySent:
		turn(b.Turn, b.Role, b.Text)
	case event.ReplySpoken:
		turn(b.Turn, "AI", b.Text)
	case event.ReplyStarted:
		turn(b.Turn, "AI", event.Private{})
	case event.ReplyLost:
		turn(b.Turn, "AI", event.Private{})
	case event.TurnTimed:
		turn(b.Turn, "", event.Private{})
	case event.ModelAnswered:
		turn(b.Turn, "AI", b.Text)
	case event.CallOffered:
		l.Session = b.Session
	case event.ResultSet:
		l.Text = b.Value.Text
	default:
	}
	if raw, err := json.Marshal(discreet(e.Body)); err == nil {
		l.Body = raw
	}
	return l
}

// discreet is an event without what not even the owner of the data is shown:
// secrets in an agent's file, and parameters that are for code only.
func discreet(e event.Event) event.Event {
	hide := func(in []event.PrivatePair) []event.PrivatePair {
		out := slices.Clone(in)
		for i := range out {
			if strings.HasPrefix(out[i].Key, "_") {
				out[i].Value = event.P(agent.Masked)
			}
		}
		return out
	}
	switch b := e.(type) {
	case event.AgentSaved:
		file, _, err := agent.Mask(b.File.Text, true)
		if err != nil {
			file = "[not shown: a secret cannot be taken out]"
		}
		b.File = event.P(file)
		return b
	case event.AgentDrafted:
		b.File = event.P("[not shown: a draft may hold secrets anywhere]")
		return b
	case event.SessionCreated:
		b.Kwargs = hide(b.Kwargs)
		return b
	case event.SessionUpdated:
		b.Kwargs = hide(b.Kwargs)
		return b
	default:
		return e
	}
}
