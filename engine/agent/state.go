package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// State is an agent as its journal tells it. The zero State was never created.
type State struct {
	Seq     uint64
	Name    string
	Alias   string
	Token   []byte  // SHA-256 of the API token
	Saved   []Saved // every revision: running sessions may need any of them
	Live    uint64  // the revision that new sessions take, 0 = none
	Running bool
	Reason  string // why it was stopped
}

// Saved is one revision as it was given.
type Saved struct {
	Number uint64
	File   string
	At     time.Time
}

// Apply folds one event into the state, and is the only way to change it. It
// is total and deterministic: no error, no clock, no chance.
func (s *State) Apply(e event.Envelope) {
	s.Seq = e.Seq
	switch b := e.Body.(type) {
	case event.AgentCreated:
		s.Name, s.Alias, s.Token = b.Name, b.Alias, b.TokenHash
	case event.AgentSaved:
		s.Saved = append(s.Saved, Saved{Number: b.Revision, File: b.File, At: e.Time})
	case event.AgentPublished:
		s.Live = b.Revision
	case event.AgentStarted:
		s.Running, s.Reason = true, ""
	case event.AgentStopped:
		s.Running, s.Reason = false, b.Reason
	case event.TenantCreated, event.SessionCreated, event.SessionUpdated, event.SessionHandedOver, event.SessionEnded,
		event.MessageReceived, event.UtteranceHeard, event.ReplyStarted, event.ModelAnswered, event.ResultsExtracted,
		event.ResultSet, event.StateEntered, event.ToolCalled, event.ToolAnswered, event.ReplySent, event.ReplySpoken,
		event.ReplyLost, event.TurnTimed, event.CallOffered, event.CallAnswered, event.CallHeld, event.CallResumed,
		event.CallDigit, event.CallEnded, event.CallInputs, event.RecordingClosed:
		// Of other streams.
	}
}

// Create opens the agent's stream. The state of an agent that exists is left
// alone: fault.Conflict.
func (s *State) Create(born event.AgentCreated) ([]event.Event, error) {
	switch {
	case s.Seq > 0:
		return nil, fmt.Errorf("create agent %q: it exists as %q: %w", born.Name, s.Name, fault.Conflict)
	case born.Name == "":
		return nil, fmt.Errorf("create agent without a name: %w", fault.Invalid)
	case len(born.TokenHash) != sha256.Size:
		return nil, fmt.Errorf("create agent %q: a token's hash has %d bytes: %w", born.Name, sha256.Size, fault.Invalid)
	}
	return []event.Event{born}, nil
}

// Save makes a revision of a valid file. The file that was saved last makes
// none: there is nothing new to tell. Faults in the file are those of Parse,
// and the last valid revision stays in force.
func (s *State) Save(file string) ([]event.Event, []Warning, error) {
	if err := s.exists(); err != nil {
		return nil, nil, err
	}
	spec, warnings, err := Parse([]byte(file))
	if err != nil {
		return nil, warnings, err
	}
	if spec.Alias != s.Alias {
		warnings = append(warnings, Warning{Line: 1, Col: 1, Text: fmt.Sprintf("the agent keeps the alias %q it was created with", s.Alias)})
	}
	if n := len(s.Saved); n > 0 && s.Saved[n-1].File == file {
		return nil, warnings, nil
	}
	return []event.Event{event.AgentSaved{Revision: s.Latest() + 1, File: file}}, warnings, nil
}

// Publish makes a saved revision the one that new sessions take.
func (s *State) Publish(n uint64) ([]event.Event, error) {
	if err := s.exists(); err != nil {
		return nil, err
	}
	if _, ok := s.File(n); !ok {
		return nil, fmt.Errorf("publish revision %d of %q: %w", n, s.Name, fault.NotFound)
	}
	if s.Live == n {
		return nil, nil
	}
	return []event.Event{event.AgentPublished{Revision: n}}, nil
}

// Start lets the agent answer. It needs a live revision.
func (s *State) Start() ([]event.Event, error) {
	if err := s.exists(); err != nil {
		return nil, err
	}
	switch {
	case s.Running:
		return nil, nil
	case s.Live == 0:
		return nil, fmt.Errorf("start agent %q: no revision is published: %w", s.Name, fault.Invalid)
	}
	return []event.Event{event.AgentStarted{}}, nil
}

// Stop makes the agent refuse new conversations; reason is for people.
func (s *State) Stop(reason string) ([]event.Event, error) {
	if err := s.exists(); err != nil {
		return nil, err
	}
	if !s.Running {
		return nil, nil
	}
	return []event.Event{event.AgentStopped{Reason: reason}}, nil
}

// Latest is the number of the newest revision, 0 if none was saved.
func (s *State) Latest() uint64 {
	if len(s.Saved) == 0 {
		return 0
	}
	return s.Saved[len(s.Saved)-1].Number
}

// File finds a revision's file.
func (s *State) File(n uint64) (string, bool) {
	for _, f := range s.Saved {
		if f.Number == n {
			return f.File, true
		}
	}
	return "", false
}

// TokenHash is the form in which an agent's API token is kept.
func TokenHash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// Admits reports whether token is the agent's. How long it takes does not tell
// how much of a wrong token was right.
func (s *State) Admits(token string) bool {
	return len(s.Token) == sha256.Size && subtle.ConstantTimeCompare(s.Token, TokenHash(token)) == 1
}

func (s *State) exists() error {
	if s.Seq == 0 {
		return fmt.Errorf("agent was never created: %w", fault.NotFound)
	}
	return nil
}
