// Package replay decides a recorded conversation again. It gives the kernels
// nothing but the recorded facts from outside (messages, what was heard, what
// models returned, packets, timers, digits), computes every decision anew and
// says where it differs from what was recorded. It changes nothing and asks
// nobody: a replay has no effects.
package replay

import (
	"encoding/json"

	"flametree/engine/agent"
	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/session"
	"flametree/engine/turn"
)

// Report is what a replay came to.
type Report struct {
	Inputs      int          `json:"inputs"`
	Decisions   int          `json:"decisions"`
	Differences []Difference `json:"differences"`
}

// Difference is one place where the decision of today is not the recorded one.
// Pos is the journal position of the batch it belongs to.
type Difference struct {
	Pos        uint64 `json:"pos"`
	Recorded   string `json:"recorded"`
	Recomputed string `json:"recomputed"`
}

// Add joins another report.
func (r *Report) Add(o Report) {
	r.Inputs += o.Inputs
	r.Decisions += o.Decisions
	r.Differences = append(r.Differences, o.Differences...)
}

// Session decides a session's stream again on the revision it ran on.
func Session(events []event.Envelope, rev *agent.Revision) Report {
	out := Report{Differences: []Difference{}}
	var s session.State
	for _, batch := range batches(events) {
		recorded := bodies(batch)
		recomputed := decide(&s, rev, recorded)
		out.Inputs++
		out.Decisions += len(recorded) - 1
		was, now := spell(recorded), spell(recomputed)
		if was != now {
			out.Differences = append(out.Differences, Difference{Pos: batch[0].Position, Recorded: was, Recomputed: now})
		}
		for _, e := range batch {
			s.Apply(e)
		}
	}
	return out
}

// State folds a session's stream: what a live session holds must equal it.
func State(events []event.Envelope) session.State {
	var s session.State
	for _, e := range events {
		s.Apply(e)
	}
	return s
}

// batches groups the events that were appended together.
func batches(events []event.Envelope) [][]event.Envelope {
	var out [][]event.Envelope
	for i, e := range events {
		if i > 0 && e.Cause == events[i-1].Cause {
			out[len(out)-1] = append(out[len(out)-1], e)
			continue
		}
		out = append(out, []event.Envelope{e})
	}
	return out
}

func bodies(batch []event.Envelope) []event.Event {
	out := make([]event.Event, len(batch))
	for i, e := range batch {
		out[i] = e.Body
	}
	return out
}

// decide runs the command that the first recorded event stands for.
func decide(s *session.State, rev *agent.Revision, recorded []event.Event) []event.Event {
	switch fact := recorded[0].(type) {
	case event.SessionCreated:
		if end, blocked := recorded[len(recorded)-1].(event.SessionEnded); blocked {
			return s.Block(fact, end.Status)
		}
		return s.Begin(fact, rev.Flow.Start())
	case event.SessionUpdated:
		return must(s.Amend(fact))
	case event.MessageReceived:
		return must(s.Receive(fact.Message, fact.ExternalID, fact.Text.Text))
	case event.UtteranceHeard:
		return must(s.Hear(fact))
	case event.ModelAnswered:
		return dialog.Answer(s, rev, fact)
	case event.ToolAnswered:
		return dialog.Told(s, rev, fact)
	case event.ResultsExtracted:
		return dialog.Extracted(s, rev, fact)
	case event.ReplySpoken:
		out := s.Spoke(fact)
		if timed, ok := recorded[len(recorded)-1].(event.TurnTimed); ok { // a fact of its own
			out = append(out, timed)
		}
		return out
	default:
		return recorded // a fact from which nothing follows
	}
}

func must(events []event.Event, err error) []event.Event {
	if err != nil {
		return nil
	}
	return events
}

// Call decides a call's stream again. set changes keys of the turn machine's
// configuration first, for what-if questions; an unknown key is an error.
func Call(events []event.Envelope, set []event.Pair) (Report, error) {
	out := Report{Differences: []Difference{}}
	var cfg turn.Config
	var seed uint64
	var inputs []event.TurnInput
	var at []uint64
	for _, e := range events {
		switch b := e.Body.(type) {
		case event.CallAnswered:
			var err error
			if cfg, err = turn.ConfigFrom(b.Machine); err != nil {
				return out, err
			}
			seed = b.Seed
		case event.CallInputs:
			for _, in := range b.Inputs {
				inputs, at = append(inputs, in), append(at, e.Position)
			}
		default:
		}
	}
	for _, p := range set {
		if err := cfg.Set(p.Key, p.Value); err != nil {
			return out, err
		}
	}
	out.Inputs = len(inputs)
	for _, in := range inputs {
		out.Decisions += len(in.Decisions)
	}
	for _, d := range turn.Rerun(cfg, seed, inputs) {
		out.Differences = append(out.Differences, Difference{
			Pos: at[d.Index], Recorded: join(d.Recorded), Recomputed: join(d.Recomputed),
		})
	}
	return out, nil
}

func join(list []string) string {
	b, _ := json.Marshal(list) //nolint:errchkjson // strings always encode
	return string(b)
}

// spell writes events so that equal ones are equal text.
func spell(events []event.Event) string {
	type spelled struct {
		Kind event.Kind
		Body event.Event
	}
	out := make([]spelled, len(events))
	for i, e := range events {
		out[i] = spelled{Kind: e.Kind(), Body: e}
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic("events encode: " + err.Error()) // plain structs
	}
	return string(b)
}
