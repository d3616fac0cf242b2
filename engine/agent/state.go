package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// State is an agent as its journal tells it. The zero State was never created.
type State struct {
	Seq     uint64
	Name    string // as its newest revision says, before the first as it was made with
	Alias   string
	Token   []byte  // SHA-256 of the API token
	Saved   []Saved // every revision: running sessions may need any of them
	Live    uint64  // the revision that new sessions take, 0 = none
	Draft   Draft   // saved later than any revision, and no revision: it is faulty
	Running bool
	Reason  string // why it was stopped, or why it was not started yet

	Begun bool // it was started once
}

// Draft is a file that could not become a revision. It is kept so that its
// writer finds it again, and is never run. The zero Draft is none.
type Draft struct {
	File  string
	Fault string // with line and column
	At    time.Time
}

// Saved is one revision as it was given.
type Saved struct {
	Number uint64
	File   string
	Pins   []event.Pair // blobs of what the file names: "group/NAME", "document/NAME" to sha256
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
		s.Saved = append(s.Saved, Saved{Number: b.Revision, File: b.File.Text, Pins: b.Pins, At: e.Time})
		if name := Title(b.File.Text); name != "" {
			s.Name = name
		}
		s.Draft = Draft{}
	case event.AgentDrafted:
		s.Draft = Draft{File: b.File.Text, Fault: b.Fault, At: e.Time}
	case event.AgentPublished:
		s.Live = b.Revision
	case event.AgentStarted:
		s.Running, s.Reason, s.Begun = true, "", true
	case event.AgentStopped:
		s.Running, s.Reason = false, b.Reason
	case event.TenantCreated, event.SessionCreated, event.SessionUpdated, event.SessionHandedOver, event.SessionEnded,
		event.MessageReceived, event.UtteranceHeard, event.ReplyStarted, event.ModelAnswered, event.ResultsExtracted,
		event.ResultSet, event.StateEntered, event.ToolCalled, event.ToolAnswered, event.ReplySent, event.ReplySpoken,
		event.ReplyLost, event.TurnTimed, event.CallOffered, event.CallAnswered, event.CallHeld, event.CallResumed,
		event.CallDigit, event.CallEnded, event.CallInputs, event.RecordingClosed, event.SkillRan,
		event.QuestionUnanswered, event.CustomerVerified, event.GuardHit, event.HistorySummarised,
		event.SuggestionMade, event.SourceCreated, event.SourceSaved, event.SourceIndexing, event.SourceIndexed,
		event.SourceFailed, event.SourceStopped, event.SourceConnected, event.SourceDisconnected, event.SourceRemoved,
		event.QuestionResolved, event.CatalogCreated, event.CatalogChanged, event.CatalogConnected, event.CatalogDisconnected,
		event.CatalogInvited, event.CatalogRemoved, event.InvitationsReset, event.ProductsPut, event.ProductsRemoved,
		event.CallSpeechChanged, event.CallReplaced, event.CallProgressed, event.CallScreened, event.VoicemailLeft, event.TransferBegun, event.TransferFailed,
		event.TransferCompleted, event.RecordingPaused, event.RecordingResumed, event.RecordingDeleted, event.CallObserved,
		event.CallTraced, event.OperatorWhispered, event.ConnectionCreated, event.ConnectionSaved, event.ConnectionStarted,
		event.ConnectionStopped, event.ConnectionReported, event.ConnectionAttached, event.ConnectionDetached,
		event.ConnectionRemoved, event.ResultsMailed:
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

// Save makes a revision of a valid file that names nothing to pin. See Keep.
func (s *State) Save(file string) ([]event.Event, []Warning, error) { return s.Keep(file, nil) }

// Keep makes a revision of a valid file and of the blobs it is to run with, in
// the order of their keys. The file and pins that were saved last make none:
// there is nothing new to tell, unless a draft is to be forgotten. Faults in
// the file are those of Parse, and the last valid revision stays in force: the
// caller may keep the text with Drafted.
func (s *State) Keep(file string, pins []event.Pair) ([]event.Event, []Warning, error) {
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
	return s.revise(file, pins), warnings, nil
}

func (s *State) revise(file string, pins []event.Pair) []event.Event {
	pins = slices.SortedFunc(slices.Values(pins), func(a, b event.Pair) int { return strings.Compare(a.Key, b.Key) })
	if n := len(s.Saved); n > 0 && s.Draft == (Draft{}) && s.Saved[n-1].File == file && slices.Equal(s.Saved[n-1].Pins, pins) {
		return nil
	}
	return []event.Event{event.AgentSaved{Revision: s.Latest() + 1, File: event.P(file), Pins: pins}}
}

// KeepLive is Keep, and makes the revision the one that new sessions take
// unless the file says require_publish.
func (s *State) KeepLive(file string, pins []event.Pair) ([]event.Event, []Warning, error) {
	events, warnings, err := s.Keep(file, pins)
	if err != nil {
		return nil, warnings, err
	}
	if spec, _, err := Parse([]byte(file)); err != nil || spec.RequirePublish {
		return events, warnings, err
	}
	if n := s.Latest() + uint64(len(events)); n != s.Live {
		events = append(events, event.AgentPublished{Revision: n})
	}
	return events, warnings, nil
}

// Drafted keeps a file that Keep refused. It changes no revision. A file that
// is valid is fault.Invalid: it belongs into a revision; one that is too large
// for any agent is fault.Exhausted.
func (s *State) Drafted(file string) ([]event.Event, error) {
	if err := s.exists(); err != nil {
		return nil, err
	}
	if len(file) > MaxBytes {
		return nil, fmt.Errorf("draft of %q: more than %d MB: %w", s.Name, MaxBytes>>20, fault.Exhausted)
	}
	_, _, err := Parse([]byte(file))
	switch {
	case err == nil:
		return nil, fmt.Errorf("draft of %q: the file is valid and can be saved: %w", s.Name, fault.Invalid)
	case s.Draft.File == file && s.Draft.Fault == err.Error():
		return nil, nil
	}
	return []event.Event{event.AgentDrafted{File: event.P(file), Fault: err.Error()}}, nil
}

// Restore makes a new revision of an old one's file and pins. A file that is
// no longer valid is refused as Parse refuses it.
func (s *State) Restore(n uint64) ([]event.Event, []Warning, error) {
	old, err := s.revision("restore", n)
	if err != nil {
		return nil, nil, err
	}
	return s.Keep(old.File, old.Pins)
}

// Revision finds a revision.
func (s *State) Revision(n uint64) (Saved, bool) {
	for _, f := range s.Saved {
		if f.Number == n {
			return f, true
		}
	}
	return Saved{}, false
}

func (s *State) revision(what string, n uint64) (Saved, error) {
	if err := s.exists(); err != nil {
		return Saved{}, err
	}
	f, ok := s.Revision(n)
	if !ok {
		return Saved{}, fmt.Errorf("%s revision %d of %q: the newest is %d: %w", what, n, s.Name, s.Latest(), fault.NotFound)
	}
	return f, nil
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
	if !s.Running && (s.Begun || reason == s.Reason) { // before its first start it says why it cannot start yet
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
	f, ok := s.Revision(n)
	return f.File, ok
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
