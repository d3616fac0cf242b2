package actors

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/session"
	"flametree/persist/journal"
)

// waitForPeople is how long a session waits for a person before the agent goes
// on, unless the agent says otherwise (spec D7).
const waitForPeople = 600 * time.Second

func (s *Session) flowID() journal.DueID   { return journal.DueID("flow/" + s.id.Name) }
func (s *Session) resumeID() journal.DueID { return journal.DueID("resume/" + s.id.Name) }

// clocks adds the durable timers that events start or end to their batch.
func (s *Session) clocks(events []event.Event, b *journal.Batch) {
	state, moved, wait := s.state.Flow, false, waitForPeople
	if s.cast != nil {
		wait = s.cast.Revision.Settings.OperatorWait
	}
	for _, e := range events {
		switch e := e.(type) {
		case event.SessionEnded:
			b.Done = append(b.Done, s.timeoutID(), s.flowID(), s.resumeID())
			b.Due = append(b.Due, s.ordered()...)
			return
		case event.StateEntered:
			state, moved = e.State, true
		case event.MessageReceived, event.UtteranceHeard:
			moved = true
		case event.SessionHandedOver:
			if e.Mode == session.ModeOperator {
				b.Due = append(b.Due, s.due(s.resumeID(), "handoff_resume", time.Now().Add(wait)))
			} else {
				b.Done = append(b.Done, s.resumeID())
			}
		default:
		}
	}
	if !moved || s.cast == nil {
		return
	}
	next := session.State{Flow: state}
	if after := dialog.Silence(&next, s.cast.Revision, 0); after > 0 {
		b.Due = append(b.Due, s.due(s.flowID(), "flow_timer", time.Now().Add(after)))
	} else if dialog.Silence(&s.state, s.cast.Revision, 0) > 0 {
		b.Done = append(b.Done, s.flowID())
	}
}

func (s *Session) due(id journal.DueID, kind string, at time.Time) journal.Due {
	return journal.Due{ID: id, Stream: s.id.Stream(), At: at, Kind: kind}
}

// flowTimer moves on from a state whose human has been silent long enough, and
// lets the agent say something in the new one where it can write first.
func (s *Session) flowTimer() {
	if s.state.Ended || s.state.Seq == 0 || s.casting() != nil {
		return
	}
	now := time.Now()
	idle := now.Sub(s.state.Input)
	events := dialog.Waited(&s.state, s.cast.Revision, now)
	if len(events) == 0 {
		b := journal.Batch{Done: []journal.DueID{s.flowID()}}
		if after := dialog.Silence(&s.state, s.cast.Revision, idle); after > 0 {
			b = journal.Batch{Due: []journal.Due{s.due(s.flowID(), "flow_timer", s.state.Input.Add(after))}}
		}
		_ = s.append(b)
		return
	}
	if s.commit(events, nil, nil) != nil || s.state.Ended || s.state.Voice() {
		return
	}
	if s.commit(s.state.Nudge(s.NewID(now).String()), nil, nil) == nil && s.state.Open != nil {
		s.compose(now)
	}
}

// resumeAI lets the agent go on when no person came.
func (s *Session) resumeAI() {
	if s.state.Mode != session.ModeOperator || s.state.Ended {
		_ = s.append(journal.Batch{Done: []journal.DueID{s.resumeID()}})
		return
	}
	if s.attended { // he speaks with the caller: the call says when he leaves
		_ = s.append(journal.Batch{Done: []journal.DueID{s.resumeID()}})
		return
	}
	_ = s.commit(s.state.HandOver(event.SessionHandedOver{Mode: session.ModeRegular, Reason: "no person came"}), nil, nil)
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
