package connection

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// The commands. Each reads the state and answers with what would become true;
// none changes the state.

// Limits of what is written about a connection.
const (
	MaxName        = 255 // characters
	MaxDescription = 2000
	maxAgents      = 200
	maxDetail      = 500
)

// Create opens a connection of a known type.
func (s *State) Create(born event.ConnectionCreated) ([]event.Event, error) {
	if s.Seq > 0 {
		return nil, fmt.Errorf("the connection %q is there already: %w", s.Name, fault.Conflict)
	}
	if Fields(born.Type) == nil {
		return nil, fmt.Errorf("a connection is of type %s, not %q: %w", strings.Join(Types(), " or "), born.Type, fault.Invalid)
	}
	if err := named(born.Name, MaxName); err != nil {
		return nil, err
	}
	return []event.Event{born}, nil
}

func named(name string, most int) error {
	n := utf8.RuneCountInString(name)
	if strings.TrimSpace(name) == "" || n > most || !utf8.ValidString(name) || strings.ContainsAny(name, "\r\n\x00") {
		return fmt.Errorf("name: 1 to %d characters on one line: %w", most, fault.Invalid)
	}
	return nil
}

// Save gives the connection its settings; a secret that is not among Secrets
// keeps its value. Revision is set here.
func (s *State) Save(saved event.ConnectionSaved) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if err := named(saved.Name, MaxName); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(saved.Description) > MaxDescription {
		return nil, fmt.Errorf("description: at most %d characters: %w", MaxDescription, fault.Invalid)
	}
	for _, old := range s.Secrets {
		kept := false
		for _, p := range saved.Secrets {
			kept = kept || p.Key == old.Key
		}
		if !kept {
			saved.Secrets = append(saved.Secrets, old)
		}
	}
	if err := check(s.Type, &saved); err != nil {
		return nil, err
	}
	saved.Revision = s.Revision + 1
	return []event.Event{saved}, nil
}

// Start wants the connection up.
func (s *State) Start() ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if s.Revision == 0 {
		return nil, fmt.Errorf("the connection %q has no settings yet: save them first: %w", s.Name, fault.Invalid)
	}
	if s.Running {
		return nil, nil
	}
	return []event.Event{event.ConnectionStarted{}, event.ConnectionReported{State: Connecting}}, nil
}

// Stop wants it down.
func (s *State) Stop(reason string) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if !s.Running {
		return nil, nil
	}
	return []event.Event{event.ConnectionStopped{Reason: reason}}, nil
}

// Told takes a report of how the connection stands; the same as before is no
// event.
func (s *State) Told(r event.ConnectionReported) []event.Event {
	if s.Seq == 0 || s.Removed || !s.Running {
		return nil
	}
	if len(r.Detail) > maxDetail {
		r.Detail = strings.ToValidUTF8(r.Detail[:maxDetail], "")
	}
	if r == s.Report {
		return nil
	}
	return []event.Event{r}
}

// Attach lets an agent use the connection. Only one receives what comes in:
// another one has to give that up first.
func (s *State) Attach(agent string, inbound bool) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	switch {
	case agent == "":
		return nil, fmt.Errorf("which agent: %w", fault.Invalid)
	case inbound && s.Inbound != "" && s.Inbound != agent:
		return nil, fmt.Errorf("agent %q receives the calls of %q already: detach it first: %w", s.Inbound, s.Name, fault.Conflict)
	case s.Uses(agent) && inbound == (s.Inbound == agent):
		return nil, nil
	case !s.Uses(agent) && len(s.Agents) >= maxAgents:
		return nil, fmt.Errorf("%d agents use %q already: %w", maxAgents, s.Name, fault.Exhausted)
	}
	return []event.Event{event.ConnectionAttached{Agent: agent, Inbound: inbound}}, nil
}

// Detach takes the connection away from an agent.
func (s *State) Detach(agent string) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if !s.Uses(agent) {
		return nil, fmt.Errorf("agent %q does not use %q: %w", agent, s.Name, fault.NotFound)
	}
	return []event.Event{event.ConnectionDetached{Agent: agent}}, nil
}

// Remove ends the connection.
func (s *State) Remove() ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if s.Running {
		return nil, fmt.Errorf("the connection %q is running: stop it first: %w", s.Name, fault.Conflict)
	}
	return []event.Event{event.ConnectionRemoved{}}, nil
}

func (s *State) there() error {
	if s.Seq == 0 || s.Removed {
		return fmt.Errorf("no such connection: %w", fault.NotFound)
	}
	return nil
}
