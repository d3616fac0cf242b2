package connection

import (
	"slices"
	"time"

	"flametree/engine/event"
)

// How a connection stands with the other side.
const (
	Down       = "down"       // not started, or stopped
	Connecting = "connecting" // the first answer is awaited
	Registered = "registered" // the registrar sends calls here
	Ready      = "ready"      // nothing to register: calls may come and go
	Failed     = "failed"     // the last attempt failed; it goes on trying unless Detail says otherwise
)

// State is a connection. The zero State was not created.
type State struct {
	Seq         uint64
	Type        string // sip twilio
	Name        string
	Description string
	Revision    uint64
	Settings    []event.Pair
	Secrets     []event.PrivatePair // never shown
	Running     bool                // it is to be up
	Reason      string              // why it was stopped
	Report      event.ConnectionReported
	Reported    time.Time
	Agents      []string // in order
	Inbound     string   // the one of them that receives, "" = none
	Created     time.Time
	Saved       time.Time
	Removed     bool
	Log         []Entry // the newest last
}

// Entry is a line of a connection's log.
type Entry struct {
	At     time.Time
	State  string
	Detail string
	Code   uint32
}

// maxLog bounds the log that is kept at hand; the journal has the rest.
const maxLog = 100

// Apply folds one event into the state, and is the only way to change it. It is
// total and deterministic.
func (s *State) Apply(e event.Envelope) {
	s.Seq = e.Seq
	switch b := e.Body.(type) {
	case event.ConnectionCreated:
		s.Type, s.Name, s.Created = b.Type, b.Name, e.Time
		s.Report = event.ConnectionReported{State: Down}
	case event.ConnectionSaved:
		s.Name, s.Description, s.Revision, s.Saved = b.Name, b.Description, b.Revision, e.Time
		s.Settings, s.Secrets = b.Settings, b.Secrets
		s.note(e.Time, "saved", "", 0)
	case event.ConnectionStarted:
		s.Running, s.Reason = true, ""
		s.note(e.Time, "started", "", 0)
	case event.ConnectionStopped:
		s.Running, s.Reason = false, b.Reason
		s.Report, s.Reported = event.ConnectionReported{State: Down}, e.Time
		s.note(e.Time, "stopped", b.Reason, 0)
	case event.ConnectionReported:
		s.Report, s.Reported = b, e.Time
		s.note(e.Time, b.State, b.Detail, b.Code)
	case event.ConnectionAttached:
		if at, ok := slices.BinarySearch(s.Agents, b.Agent); !ok {
			s.Agents = slices.Insert(slices.Clone(s.Agents), at, b.Agent)
		}
		switch {
		case b.Inbound:
			s.Inbound = b.Agent
		case s.Inbound == b.Agent:
			s.Inbound = ""
		}
	case event.ConnectionDetached:
		if at, ok := slices.BinarySearch(s.Agents, b.Agent); ok {
			s.Agents = slices.Delete(slices.Clone(s.Agents), at, at+1)
		}
		if s.Inbound == b.Agent {
			s.Inbound = ""
		}
	case event.ConnectionRemoved:
		s.Removed, s.Running, s.Agents, s.Inbound, s.Secrets = true, false, nil, "", nil
	default: // of other streams
	}
}

func (s *State) note(at time.Time, state, detail string, code uint32) {
	log := s.Log
	if len(log) >= maxLog {
		log = log[len(log)-maxLog+1:]
	}
	s.Log = append(slices.Clip(slices.Clone(log)), Entry{At: at, State: state, Detail: detail, Code: code})
}

// Setting is one setting, "" when it is not set.
func (s *State) Setting(key string) string { return find(s.Settings, key) }

// Secret is one secret, "" when it is not set or was erased.
func (s *State) Secret(key string) string {
	for _, p := range s.Secrets {
		if p.Key == key {
			return p.Value.Text
		}
	}
	return ""
}

func find(in []event.Pair, key string) string {
	for _, p := range in {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// Uses reports whether an agent may use the connection.
func (s *State) Uses(agent string) bool { return slices.Contains(s.Agents, agent) }
