package node

import (
	"context"
	"iter"

	"flametree/engine/event"
	"flametree/persist/journal"
	"flametree/portal"
)

// live feeds the page with the turns of calls, folded from the journal.
type live struct{ n *Node }

var _ portal.Live = live{}

// liveBack is how many events before now are folded for a new watcher.
const liveBack = 2000

// Watch implements portal.Live. The journal keeps what a slow watcher has not
// seen yet, so nobody is cut off.
func (l live) Watch(ctx context.Context) iter.Seq2[portal.Turn, error] {
	return func(yield func(portal.Turn, error) bool) {
		last := l.n.journal.Position()
		from := journal.Position(1)
		if last > liveBack {
			from = last - liveBack
		}
		calls := make(map[string]*portal.Turn)
		for e, err := range l.n.journal.Subscribe(ctx, from) {
			if err != nil {
				if ctx.Err() == nil {
					yield(portal.Turn{}, err)
				}
				return
			}
			if t, ok := l.fold(calls, e); ok && !yield(t, nil) {
				return
			}
		}
	}
}

// fold takes one event into the turn of its call and reports whether there is
// something to show.
func (l live) fold(calls map[string]*portal.Turn, e event.Envelope) (portal.Turn, bool) {
	if e.Stream.Kind != event.SessionStream {
		return portal.Turn{}, false
	}
	id := e.Stream.ID
	t := calls[id]
	if t == nil {
		s, ok := l.n.model.Session(id)
		if !ok || s.Call == "" || !s.Open() {
			return portal.Turn{}, false
		}
		t = &portal.Turn{Session: id, Agent: s.Agent, Channel: s.Channel}
		calls[id] = t
	}
	t.At = e.Time
	switch b := e.Body.(type) {
	case event.SessionCreated:
		t.State = "listening"
	case event.UtteranceHeard:
		*t = portal.Turn{Session: id, Agent: t.Agent, Channel: t.Channel, Turn: b.Turn, Heard: b.Text.Text, State: "thinking", At: e.Time}
	case event.ReplyStarted:
		t.Turn, t.State = b.Turn, "thinking"
	case event.ModelAnswered:
		t.Said, t.State = b.Text.Text, "speaking"
	case event.ReplySpoken:
		t.Turn, t.Said, t.Interrupted, t.State = b.Turn, b.Text.Text, b.Interrupted, "listening"
	case event.TurnTimed:
		t.Waited, t.Stages = b.Waited, nil
		for _, s := range b.Stages {
			t.Stages = append(t.Stages, portal.Stage{Name: s.Name, MS: float64(s.Took.Microseconds()) / 1000})
		}
	case event.SessionEnded:
		t.State = "ended"
		delete(calls, id)
	default:
		return portal.Turn{}, false
	}
	return *t, true
}
