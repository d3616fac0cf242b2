package library

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// The limits of a source (spec 6).
const (
	MaxTitle     = 255         // characters
	MaxFileBytes = 100_000_000 // of a file
	MaxTextBytes = 4 * 50_000  // of a text: 50,000 characters
)

// The commands. Each reads the state and answers with what would become true;
// none changes the state. What makes no sense for a source that is not there
// wraps fault.NotFound.

// Create opens the source. A FAQ without a mode is searched.
func (s *State) Create(born event.SourceCreated) ([]event.Event, error) {
	if s.Seq > 0 {
		return nil, fmt.Errorf("the source %q is there already: %w", s.Title, fault.Conflict)
	}
	if !slices.Contains([]string{FAQ, Text, Website, File, YouTube}, born.Type) {
		return nil, fmt.Errorf("a source is of type faq, text, website, file or youtube, not %q: %w", born.Type, fault.Invalid)
	}
	switch {
	case born.Type == FAQ && born.Mode == "":
		born.Mode = Vector
	case born.Type == FAQ && born.Mode != Vector && born.Mode != Prompt:
		return nil, fmt.Errorf("a FAQ is used in mode vector or prompt, not %q: %w", born.Mode, fault.Invalid)
	case born.Type != FAQ && born.Mode != "":
		return nil, fmt.Errorf("a mode is for FAQs only, not for a source of type %s: %w", born.Type, fault.Invalid)
	}
	title, err := titled(born.Title)
	if err != nil {
		return nil, err
	}
	if err := addressed(born.Type, born.Origin); err != nil {
		return nil, err
	}
	born.Title = title
	return []event.Event{born}, nil
}

func titled(title string) (string, error) {
	title = strings.TrimSpace(title)
	if n := utf8.RuneCountInString(title); n == 0 || n > MaxTitle || !utf8.ValidString(title) {
		return "", fmt.Errorf("a title has 1 to %d characters, not %d: %w", MaxTitle, n, fault.Invalid)
	}
	return title, nil
}

// addressed reports what is wrong with where a source comes from.
func addressed(kind, origin string) error {
	if kind != Website && kind != YouTube {
		return nil
	}
	for _, scheme := range []string{"https://", "http://"} {
		if rest, ok := strings.CutPrefix(strings.ToLower(origin), scheme); ok && rest != "" && !strings.ContainsAny(rest, " \t\r\n") {
			return nil
		}
	}
	return fmt.Errorf("a source of type %s needs an address that begins with https:// or http://: %w", kind, fault.Invalid)
}

// Save gives the source its content; the revision is set here. The same
// content, title and origin again are no new revision and no event.
func (s *State) Save(saved event.SourceSaved) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	title, err := titled(saved.Title)
	if err != nil {
		return nil, err
	}
	if err := addressed(s.Born.Type, saved.Origin); err != nil {
		return nil, err
	}
	fetched := s.Born.Type == Website || s.Born.Type == YouTube
	switch {
	case !fetched && saved.Blob == "":
		return nil, fmt.Errorf("a source of type %s needs its content: %w", s.Born.Type, fault.Invalid)
	case s.Born.Type == File && saved.Bytes > MaxFileBytes:
		return nil, fmt.Errorf("a file has at most %d bytes, not %d: split it: %w", MaxFileBytes, saved.Bytes, fault.Invalid)
	case s.Born.Type == Text && saved.Bytes > MaxTextBytes:
		return nil, fmt.Errorf("a text has at most 50000 characters; upload a longer one as a file: %w", fault.Invalid)
	}
	saved.Title, saved.Revision = title, s.Content.Revision+1
	if s.Content.Revision > 0 && saved.Blob == s.Content.Blob && saved.Title == s.Title && saved.Origin == s.Origin && saved.Name == s.Content.Name {
		return nil, nil
	}
	return []event.Event{saved}, nil
}

// Start begins a run of indexing of what was saved last, also when that was
// indexed before. The run's number is in the event.
func (s *State) Start() ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	switch {
	case s.Running:
		return nil, fmt.Errorf("%q is being indexed: stop that first: %w", s.Title, fault.Conflict)
	case s.Content.Revision == 0:
		return nil, fmt.Errorf("%q has no content to index yet: save it first: %w", s.Title, fault.Invalid)
	}
	return []event.Event{event.SourceIndexing{Run: s.Run + 1, Revision: s.Content.Revision}}, nil
}

// Resume begins anew the run that an end of the process broke off; nothing when
// none was on.
func (s *State) Resume() []event.Event {
	if s.there() != nil || !s.Running {
		return nil
	}
	return []event.Event{
		event.SourceStopped{Run: s.Run},
		event.SourceIndexing{Run: s.Run + 1, Revision: s.Content.Revision},
	}
}

// Finish ends a run with what it found. The result of a run that was stopped or
// overtaken is nothing.
func (s *State) Finish(found event.SourceIndexed) []event.Event {
	if !s.runs(found.Run) {
		return nil
	}
	return []event.Event{found}
}

// Fail ends a run with a reason for people; agents go on finding what was there.
func (s *State) Fail(run uint64, reason string) []event.Event {
	if !s.runs(run) {
		return nil
	}
	if reason == "" {
		reason = "indexing failed for a reason that was not told: try again"
	}
	return []event.Event{event.SourceFailed{Run: run, Reason: reason}}
}

// Stop ends the run that is on, if any.
func (s *State) Stop() ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if !s.Running {
		return nil, nil
	}
	return []event.Event{event.SourceStopped{Run: s.Run}}, nil
}

func (s *State) runs(run uint64) bool {
	return s.there() == nil && s.Running && run == s.Run
}

// Connect lets an agent search the source; revision is the agent's last one,
// for only agents that have been saved can be connected.
func (s *State) Connect(agent string, revision uint64) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if agent == "" || revision == 0 {
		return nil, fmt.Errorf("save the agent once before you connect knowledge to it: %w", fault.Invalid)
	}
	if slices.Contains(s.Agents, agent) {
		return nil, nil
	}
	return []event.Event{event.SourceConnected{Agent: agent}}, nil
}

// Disconnect takes the source away from an agent; nothing when it has not got it.
func (s *State) Disconnect(agent string) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if !slices.Contains(s.Agents, agent) {
		return nil, nil
	}
	return []event.Event{event.SourceDisconnected{Agent: agent}}, nil
}

// Remove takes the source away from every agent and ends its stream; a run that
// is on is stopped.
func (s *State) Remove() ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	var out []event.Event
	if s.Running {
		out = append(out, event.SourceStopped{Run: s.Run})
	}
	for _, a := range s.Agents {
		out = append(out, event.SourceDisconnected{Agent: a})
	}
	return append(out, event.SourceRemoved{}), nil
}

func (s *State) there() error {
	if s.Seq == 0 || s.Removed {
		return fmt.Errorf("there is no such source in the library: %w", fault.NotFound)
	}
	return nil
}
