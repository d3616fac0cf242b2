package voice

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"flametree/bench/rig"
	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// history is one call as the journal tells it. Instants are Unix nanoseconds.
type history struct {
	sipID, session string
	began          int64
	decisions      []decision
	ended          *event.CallEnded
	recorded       time.Duration
	turns          map[time.Duration]uint64 // end of speech → the session's turn
	stages         map[uint64][]event.Stage // of the session's turns
}

// decision is one decision of the turn machine.
type decision struct {
	at   time.Duration // since the call began, when it was due
	kind string
	why  string
	deaf bool          // close_turn: no words were heard
	end  time.Duration // of the caller's speech: close_turn
}

// parse reads a decision as turn.Output.Spell writes it.
func parse(spelled string) (decision, error) {
	fields := strings.Fields(spelled)
	if len(fields) < 2 {
		return decision{}, fmt.Errorf("decision %q: %w", spelled, fault.Invalid)
	}
	at, err := time.ParseDuration(fields[0])
	if err != nil {
		return decision{}, fmt.Errorf("decision %q: %w: %w", spelled, fault.Invalid, err)
	}
	d := decision{at: at, kind: fields[1]}
	for _, f := range fields[2:] {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "unheard":
			d.deaf = true
		case "why":
			d.why = value
		case "ended":
			if d.end, err = time.ParseDuration(value); err != nil {
				return decision{}, fmt.Errorf("decision %q: %w: %w", spelled, fault.Invalid, err)
			}
		}
	}
	return d, nil
}

// read opens the journal of a server that has ended and gives the calls in it
// by their SIP Call-ID.
func read(ctx context.Context, s rig.Server) (calls map[string]*history, err error) {
	c, err := s.Settings()
	if err != nil {
		return nil, err
	}
	j, err := node.OpenJournal(c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, fmt.Errorf("read the run's journal: %w", err)
	}
	defer func() {
		if e := j.Close(); err == nil {
			err = e
		}
	}()
	f := fold{calls: map[string]*history{}, sessions: map[string]*history{}}
	last := j.Position()
	for e, err := range j.Subscribe(ctx, 1) {
		if err != nil {
			return nil, fmt.Errorf("read the run's journal: %w", err)
		}
		if err := f.take(e); err != nil {
			return nil, err
		}
		if e.Position >= last {
			break
		}
	}
	out := make(map[string]*history, len(f.calls))
	for _, h := range f.calls {
		out[h.sipID] = h
	}
	return out, nil
}

// fold gathers what belongs to one call from its two streams.
type fold struct {
	calls    map[string]*history // by our id of the call
	sessions map[string]*history // by session
}

func (f *fold) take(e event.Envelope) error {
	switch e.Stream.Kind { //nolint:exhaustive // calls and their sessions
	case event.CallStream:
		h := f.calls[e.Stream.ID]
		if h == nil {
			h = &history{turns: map[time.Duration]uint64{}, stages: map[uint64][]event.Stage{}}
			f.calls[e.Stream.ID] = h
		}
		return f.call(h, e.Body)
	case event.SessionStream:
		if born, ok := e.Body.(event.SessionCreated); ok && born.Call != "" {
			f.sessionOf(born.Call, e.Stream.ID)
		}
		if h := f.sessions[e.Stream.ID]; h != nil {
			h.talk(e.Body)
		}
	case event.AgentStream, event.TenantStream, event.SourceStream:
	}
	return nil
}

// sessionOf ties a session to its call, whichever was written first.
func (f *fold) sessionOf(call, session string) {
	h := f.calls[call]
	if h == nil {
		h = &history{turns: map[time.Duration]uint64{}, stages: map[uint64][]event.Stage{}}
		f.calls[call] = h
	}
	f.sessions[session] = h
}

func (f *fold) call(h *history, body event.Event) error {
	switch b := body.(type) {
	case event.CallOffered:
		h.sipID, h.session = b.SIPCallID, b.Session
	case event.CallAnswered:
		h.began = b.Began
	case event.CallInputs:
		for _, in := range b.Inputs {
			for _, spelled := range in.Decisions {
				d, err := parse(spelled)
				if err != nil {
					return err
				}
				h.decisions = append(h.decisions, d)
			}
		}
	case event.RecordingClosed:
		h.recorded = b.Length
	case event.CallEnded:
		h.ended = &b
	default:
	}
	return nil
}

func (h *history) talk(body event.Event) {
	switch b := body.(type) {
	case event.UtteranceHeard:
		h.turns[b.Offset] = b.Turn
	case event.TurnTimed:
		h.stages[b.Turn] = b.Stages
	default:
	}
}
