package turns

import (
	"context"
	"fmt"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/journal/pebble"
)

// history is what the journal holds of a call.
type history struct {
	sipID     string
	began     time.Time
	decisions []decision
}

// decision is one of the turn machine's that the judge asks about.
type decision struct {
	at    time.Time
	kind  string
	why   string
	ended time.Time // close_turn: of the caller's speech
}

// read gives the calls of a journal by their SIP Call-ID.
func read(ctx context.Context, j *pebble.Journal) (map[string]*history, error) {
	calls := map[string]*history{}
	last := j.Position()
	for e, err := range j.Subscribe(ctx, 1) {
		if err != nil {
			return nil, fmt.Errorf("read the run's journal: %w", err)
		}
		if e.Stream.Kind == event.CallStream {
			h := calls[e.Stream.ID]
			if h == nil {
				h = &history{}
				calls[e.Stream.ID] = h
			}
			if err := h.take(e.Body); err != nil {
				return nil, err
			}
		}
		if e.Position >= last {
			break
		}
	}
	out := make(map[string]*history, len(calls))
	for _, h := range calls {
		out[h.sipID] = h
	}
	return out, nil
}

func (h *history) take(body event.Event) error {
	switch b := body.(type) {
	case event.CallOffered:
		h.sipID = b.SIPCallID
	case event.CallAnswered:
		h.began = time.Unix(0, b.Began)
	case event.CallInputs:
		for _, in := range b.Inputs {
			for _, spelled := range in.Decisions {
				d, err := h.parse(spelled)
				if err != nil {
					return err
				}
				h.decisions = append(h.decisions, d)
			}
		}
	default:
	}
	return nil
}

// parse reads a decision as turn.Output.Spell writes it.
func (h *history) parse(spelled string) (decision, error) {
	fields := strings.Fields(spelled)
	if len(fields) < 2 {
		return decision{}, fmt.Errorf("decision %q: %w", spelled, fault.Invalid)
	}
	at, err := time.ParseDuration(fields[0])
	if err != nil {
		return decision{}, fmt.Errorf("decision %q: %w: %w", spelled, fault.Invalid, err)
	}
	d := decision{at: h.began.Add(at), kind: fields[1], ended: h.began}
	for _, f := range fields[2:] {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "why":
			d.why = value
		case "ended":
			end, err := time.ParseDuration(value)
			if err != nil {
				return decision{}, fmt.Errorf("decision %q: %w: %w", spelled, fault.Invalid, err)
			}
			d.ended = h.began.Add(end)
		}
	}
	return d, nil
}
