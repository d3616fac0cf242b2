package library

import (
	"slices"
	"time"

	"flametree/engine/event"
)

// Status is where a source stands, as the library page shows it.
type Status string

// The statuses of a source.
const (
	Pending  Status = "Pending"  // agents find nothing of it yet
	Indexing Status = "Indexing" // a run is on; what was indexed before is still found
	Ready    Status = "Ready"    // agents find what was saved last
	Modified Status = "Modified" // saved since it was indexed: agents find what was there before
	Error    Status = "Error"    // the last run failed; what was indexed before is still found
)

// The types of source.
const (
	FAQ     = "faq"
	Text    = "text"
	Website = "website"
	File    = "file"
	YouTube = "youtube"
)

// The modes of a FAQ.
const (
	Vector = "vector" // searched
	Prompt = "prompt" // always in the prompt
)

// Content is one revision of what a source holds.
type Content struct {
	Revision uint64
	Blob     string
	Bytes    uint64
	Name     string // of the file
	Saved    time.Time
}

// State is a source as its stream tells it. The zero State has not begun.
type State struct {
	Seq     uint64
	Born    event.SourceCreated
	Title   string
	Origin  string
	Content Content // the last that was saved; Revision 0 = none
	Created time.Time
	Removed bool

	Run     uint64 // number of the last run of indexing
	Running bool
	Begun   time.Time            // of the run
	Indexed *event.SourceIndexed // what agents find; nil = nothing yet
	Fresh   time.Time            // when Indexed ended
	Failure string               // of the last run, for people; "" = it did not fail
	Agents  []string             // connected, in the order of their names
}

// Status is where the source stands.
func (s *State) Status() Status {
	switch {
	case s.Running:
		return Indexing
	case s.Failure != "":
		return Error
	case s.Indexed == nil:
		return Pending
	case s.Indexed.Revision != s.Content.Revision:
		return Modified
	}
	return Ready
}

// Found is the blob of documents that the agent finds in the source, "" for
// none: it is not connected, or nothing was indexed yet.
func (s *State) Found(agent string) string {
	if s.Removed || s.Indexed == nil || !slices.Contains(s.Agents, agent) {
		return ""
	}
	return s.Indexed.Blob
}

// Apply folds one event into the state, and is the only way to change it. It
// is total and deterministic.
func (s *State) Apply(e event.Envelope) {
	s.Seq = e.Seq
	switch b := e.Body.(type) {
	case event.SourceCreated:
		s.Born, s.Title, s.Origin, s.Created = b, b.Title, b.Origin, e.Time
	case event.SourceSaved:
		s.Title, s.Origin, s.Failure = b.Title, b.Origin, ""
		s.Content = Content{Revision: b.Revision, Blob: b.Blob, Bytes: b.Bytes, Name: b.Name, Saved: e.Time}
	case event.SourceIndexing:
		s.Run, s.Running, s.Begun, s.Failure = b.Run, true, e.Time, ""
	case event.SourceIndexed:
		s.Running, s.Indexed, s.Fresh = false, &b, e.Time
	case event.SourceFailed:
		s.Running, s.Failure = false, b.Reason
	case event.SourceStopped:
		s.Running = false
	case event.SourceConnected:
		if at, ok := slices.BinarySearch(s.Agents, b.Agent); !ok {
			s.Agents = slices.Insert(slices.Clone(s.Agents), at, b.Agent)
		}
	case event.SourceDisconnected:
		if at, ok := slices.BinarySearch(s.Agents, b.Agent); ok {
			s.Agents = slices.Delete(slices.Clone(s.Agents), at, at+1)
		}
	case event.SourceRemoved:
		s.Removed, s.Running = true, false
	default: // of other streams
	}
}
