// Package event is the journal's vocabulary: every fact that can be told of a
// conversation, its kind, and the envelope it is stored in. It does not decide
// which facts are told, and it does not encode: engine/event/wire does.
package event

import (
	"slices"
	"time"

	"flametree/engine/tenant"
)

// Kind is an event's name on disk, version included: "session.created.v1". A
// kind is never renamed or reused; a new shape takes the next version and an
// upcaster from the old one.
type Kind string

// Event is one fact. Only this package can add one, so a linter can insist
// that a type switch over events forgets none. Events are values: once made,
// neither they nor their slices change.
//
//sumtype:decl
type Event interface {
	// Kind is the event's name on disk.
	Kind() Kind
	event()
}

// ID is an event's ULID: 48 bits of milliseconds, 80 of chance.
type ID [16]byte

// StreamKind says whose history a stream is.
type StreamKind string

// The kinds of stream.
const (
	TenantStream     StreamKind = "tenant"
	AgentStream      StreamKind = "agent"
	SessionStream    StreamKind = "session"
	CallStream       StreamKind = "call"
	SourceStream     StreamKind = "source"
	ConnectionStream StreamKind = "connection"
	CatalogStream    StreamKind = "catalog"
)

// Stream names one history. Tenant all zero is the installation itself.
type Stream struct {
	Tenant tenant.ID
	Kind   StreamKind
	ID     string
}

// Envelope is an event as the journal keeps it. Seq counts from 1 within its
// stream; Position from 1 over all streams, without gaps.
type Envelope struct {
	ID       ID
	Stream   Stream
	Seq      uint64
	Position uint64
	Time     time.Time // UTC, microseconds
	Epoch    uint64    // of the activation that appended it
	Cause    ID        // the first event of the batch: the fact from outside that the others follow from
	Subject  string    // whose key seals the Private fields: the session id while there is no contact
	Hash     [32]byte  // SHA-256(hash of the previous event ‖ stored bytes)
	Body     Event
}

// Private is text about a person. On disk it is sealed with that person's key;
// once the key is gone it reads as Erased, which every reader must accept.
type Private struct {
	Text   string
	Erased bool
}

// P makes a Private of text.
func P(text string) Private { return Private{Text: text} }

// String keeps personal text out of logs by accident: it never shows it.
func (p Private) String() string {
	switch {
	case p.Erased:
		return "[erased]"
	case p.Text == "":
		return ""
	}
	return "[private]"
}

// Pair is one named value; events hold pairs in order, never maps.
type Pair struct{ Key, Value string }

// PrivatePair is a Pair whose value is about a person.
type PrivatePair struct {
	Key   string
	Value Private
}

// Status is how a session ended.
type Status string

// The statuses of a session, as the Chat API shows them.
const (
	Completed           Status = "completed"
	Busy                Status = "busy"
	NoAnswer            Status = "noanswer"
	Canceled            Status = "canceled"
	Failed              Status = "failed"
	ResolvedByOperator  Status = "resolved_by_operator"
	EscalatedByOperator Status = "escalated_by_operator"
	NotFound            Status = "not_found"
	NetworkError        Status = "network_error"
	Unknown             Status = "unknown"
	UserTimeout         Status = "user_timeout"
	Timeout             Status = "timeout"
	Declined            Status = "declined"
	Transferred         Status = "transferred"
	DailyLimitExceeded  Status = "daily_limit_exceeded"
)

// Statuses lists every Status, in the order of the documentation.
func Statuses() []Status {
	return []Status{
		Completed, Busy, NoAnswer, Canceled, Failed, ResolvedByOperator, EscalatedByOperator, NotFound,
		NetworkError, Unknown, UserTimeout, Timeout, Declined, Transferred, DailyLimitExceeded,
	}
}

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool {
	return slices.Contains(Statuses(), s)
}
