package event

import "time"

// SourceCreated opens a source of knowledge in a tenant's library.
type SourceCreated struct {
	Type   string // faq text website file youtube
	Title  string
	Origin string // address or file name, "" where the text was typed
	Mode   string // faq: vector or prompt
	Owner  string // agent id when it came from that agent's file, "" = the library's own
}

// SourceSaved gives a source its content: what was typed, uploaded or is to be fetched.
type SourceSaved struct {
	Revision uint64 // 1, 2, …
	Title    string
	Origin   string
	Blob     string // sha256 of the content as it came in, "" when it is fetched from Origin
	Bytes    uint64
	Name     string // of the file
}

// SourceIndexing says that a run of indexing has begun.
type SourceIndexing struct {
	Run      uint64
	Revision uint64
}

// SourceIndexed ends a run: agents find what Blob holds from now on.
type SourceIndexed struct {
	Run      uint64
	Revision uint64
	Blob     string // sha256 of the documents as they were read
	Entries  uint32 // documents or questions
	Chunks   uint32
	Warnings []string
	Took     time.Duration
}

// SourceFailed ends a run without a change of what agents find.
type SourceFailed struct {
	Run    uint64
	Reason string // for people, with what to do next
}

// SourceStopped ends a run because somebody wanted it.
type SourceStopped struct{ Run uint64 }

// SourceConnected lets an agent search the source.
type SourceConnected struct{ Agent string }

// SourceDisconnected takes it away again.
type SourceDisconnected struct{ Agent string }

// SourceRemoved ends the source's stream.
type SourceRemoved struct{}

// QuestionResolved ends a group of unanswered questions. It stands in the
// tenant's stream.
type QuestionResolved struct {
	Question Private // of the group, as it was first asked
	How      string  // answered dismissed
	Source   string  // answered: the FAQ that holds the answer now
}

// Kind implements Event.
func (SourceCreated) Kind() Kind { return "source.created.v1" }

// Kind implements Event.
func (SourceSaved) Kind() Kind { return "source.saved.v1" }

// Kind implements Event.
func (SourceIndexing) Kind() Kind { return "source.indexing.v1" }

// Kind implements Event.
func (SourceIndexed) Kind() Kind { return "source.indexed.v1" }

// Kind implements Event.
func (SourceFailed) Kind() Kind { return "source.failed.v1" }

// Kind implements Event.
func (SourceStopped) Kind() Kind { return "source.stopped.v1" }

// Kind implements Event.
func (SourceConnected) Kind() Kind { return "source.connected.v1" }

// Kind implements Event.
func (SourceDisconnected) Kind() Kind { return "source.disconnected.v1" }

// Kind implements Event.
func (SourceRemoved) Kind() Kind { return "source.removed.v1" }

// Kind implements Event.
func (QuestionResolved) Kind() Kind { return "question.resolved.v1" }
