package node

import (
	"context"
	"time"

	"flametree/engine/event"
	"flametree/persist/journal"
)

// LiveTurn is one turn of a conversation as the page shows it.
type LiveTurn struct {
	Session     string      `json:"session"`
	Agent       string      `json:"agent"`
	Channel     string      `json:"channel"`
	Turn        uint64      `json:"turn"`
	Heard       string      `json:"heard"`
	Said        string      `json:"said"`
	Interrupted bool        `json:"interrupted"`
	Stages      []LiveStage `json:"stages"`
	Waited      string      `json:"waited"`
	Ended       string      `json:"ended,omitempty"`
	At          time.Time   `json:"at"`
}

// LiveStage is a stretch of a turn.
type LiveStage struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
}

// liveBack is how many events before now a new watcher is shown.
const liveBack = 400

// Watch follows the turns of running conversations until ctx ends or show
// returns false. A turn is shown again whenever more of it is known.
func (n *Node) Watch(ctx context.Context, show func(LiveTurn) bool) error {
	from := journal.Position(1)
	if last := n.journal.Position(); last > liveBack {
		from = last - liveBack
	}
	turns := make(map[string]*LiveTurn)
	for e, err := range n.journal.Subscribe(ctx, from) {
		if err != nil {
			return err
		}
		if e.Stream.Kind != event.SessionStream {
			continue
		}
		t := turns[e.Stream.ID]
		if t == nil {
			t = &LiveTurn{Session: e.Stream.ID}
			if s, ok := n.model.Session(e.Stream.ID); ok {
				t.Agent, t.Channel = s.Agent, s.Channel
			}
			turns[e.Stream.ID] = t
		}
		if t.take(e) && !show(*t) {
			return nil
		}
		if t.Ended != "" {
			delete(turns, e.Stream.ID)
		}
	}
	return ctx.Err()
}

// take folds an event and reports whether there is something new to show.
func (t *LiveTurn) take(e event.Envelope) bool {
	t.At = e.Time
	fresh := func(turn uint64, heard string) {
		*t = LiveTurn{Session: t.Session, Agent: t.Agent, Channel: t.Channel, At: t.At, Turn: turn, Heard: heard}
	}
	switch b := e.Body.(type) {
	case event.SessionCreated:
		t.Agent, t.Channel = b.Agent, b.Channel
		return false
	case event.MessageReceived:
		fresh(b.Turn, b.Text.Text)
	case event.UtteranceHeard:
		fresh(b.Turn, b.Text.Text)
	case event.ReplySent:
		t.Turn, t.Said = b.Turn, b.Text.Text
	case event.ReplySpoken:
		t.Turn, t.Said, t.Interrupted = b.Turn, b.Text.Text, b.Interrupted
	case event.TurnTimed:
		t.Turn, t.Waited = b.Turn, b.Waited
		t.Stages = nil
		for _, s := range b.Stages {
			t.Stages = append(t.Stages, LiveStage{Name: s.Name, MS: float64(s.Took.Microseconds()) / 1000})
		}
	case event.SessionEnded:
		t.Ended = string(b.Status)
	default:
		return false
	}
	return true
}
