// Package journal is the contract of the append-only record of everything that
// happened. It is the only truth: state, read models, billing and replays are
// folded from it. It offers no query but by stream and by position.
package journal

import (
	"context"
	"iter"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
)

// Position counts appended events over all streams, from 1, without gaps.
type Position = uint64

// Key is a name within a tenant, such as an external message id or an e-mail
// address: Space says which kind of name ("telegram", "sip_user").
type Key struct{ Space, Name string }

// DueID names a Due row. It is chosen by the appender and unique in its tenant.
type DueID string

// Due is something that must happen at a time: a durable timer or an outbound send.
type Due struct {
	ID     DueID
	Stream event.Stream // whose actor is woken
	At     time.Time
	Kind   string // session_timeout, send, …
	Data   []byte // small; never personal
}

// Batch is appended whole or not at all. See Journal.Append.
type Batch struct {
	Stream   event.Stream
	Expected uint64 // version of the stream before the batch: 0 for a new one
	Epoch    uint64 // from Claim; a lower one than the stream's is refused
	Subject  string // whose key seals Private fields; "" when there are none
	At       time.Time
	Events   []event.Event
	Seen     []Key // external ids taken with this batch; one already taken is a conflict
	Claim    []Key // unique over all streams of the tenant until freed; taken by another stream is a conflict
	Free     []Key // given back; not held by this stream is a conflict
	Due      []Due
	Done     []DueID // removed; unknown ones are ignored
}

// Conflict says which condition of an append failed. It wraps fault.Conflict.
type Conflict struct {
	Condition string // version epoch seen claim free
	Key       Key    // seen, claim, free
	Version   uint64 // the stream's, as it is
	Epoch     uint64 // the stream's, as it is
	Held      event.Stream
}

// Head is a stream's present end.
type Head struct {
	Version uint64
	Epoch   uint64
	Hash    [32]byte
}

// Snapshot is a folded prefix of a stream, in the folder's own encoding.
type Snapshot struct {
	Seq    uint64 // the last event folded in
	Schema uint32 // the folder ignores a snapshot of another schema
	Data   []byte
}

// Journal stores streams of events. It is safe for concurrent use. Errors wrap
// a fault.Kind: Conflict (see Conflict), Unavailable when low on space or after
// a failed sync, Invalid for a malformed batch.
type Journal interface {
	// Claim opens a new epoch of the stream, durably: appends of older
	// activations are refused from then on.
	Claim(ctx context.Context, s event.Stream) (Head, error)
	// Append makes the batch durable and returns the events as stored. When ctx
	// ends first the batch may still be appended: the outcome is unknown, as
	// after a crash, and the caller must read again.
	Append(ctx context.Context, b Batch) ([]event.Envelope, error)
	// Read yields the events of a stream with Seq >= from, oldest first.
	Read(ctx context.Context, s event.Stream, from uint64) iter.Seq2[event.Envelope, error]
	// Subscribe yields all events with Position >= from, in order, and goes on
	// with those appended later until ctx ends. A slow consumer delays nobody.
	Subscribe(ctx context.Context, from Position) iter.Seq2[event.Envelope, error]
	Store
}

// Store is the rest of a Journal: what is kept beside the events.
type Store interface {
	// Due lists rows due before t, soonest first.
	Due(ctx context.Context, before time.Time, max int) ([]Due, error)
	// Holder finds the stream that claimed k; ok is false when nobody did.
	Holder(ctx context.Context, t tenant.ID, k Key) (s event.Stream, ok bool, err error)
	// Save replaces the stream's snapshot. Losing one is harmless.
	Save(ctx context.Context, s event.Stream, snap Snapshot) error
	// Restore finds the newest snapshot; ok is false when there is none.
	Restore(ctx context.Context, s event.Stream) (snap Snapshot, ok bool, err error)
	// Forget deletes the subject's key: its Private fields read as Erased from
	// then on, everywhere, at once.
	Forget(ctx context.Context, t tenant.ID, subject string) error
}

// Error implements error.
func (c *Conflict) Error() string {
	msg := "journal: " + c.Condition + " conflict"
	if c.Key.Space != "" {
		msg += " on " + c.Key.Space + " name" // the name itself may be personal
	}
	return msg
}

// Unwrap makes a Conflict a fault.Conflict.
func (*Conflict) Unwrap() error { return fault.Conflict }
