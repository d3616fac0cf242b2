package pebble

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// request is one wish to write, on its way to the committer. Its sender does not
// touch it between sending it and the reply, and never again when it stops
// waiting; after a reply nobody else does, and it is used again.
type request struct {
	do      func(*committer, *request) error // checks, then stages; an error refuses it alone
	of      event.Stream
	stream  []byte // streamKey of it
	batch   journal.Batch
	records []record
	envs    []event.Envelope
	seal    sealer
	head    journal.Head
	who     person     // Forget
	row     []byte     // Save
	value   []byte     // Save
	reply   chan error // room for one: the committer never waits

	memory []byte // of the records
	chance []byte // of the event ids
}

// requests that are not used now. A pool, because an append would otherwise
// allocate two kilobytes.
type requests struct{ pool sync.Pool }

func (p *requests) take(do func(*committer, *request) error, s event.Stream) *request {
	r, ok := p.pool.Get().(*request)
	if !ok {
		r = &request{reply: make(chan error, 1)}
	}
	r.do, r.of, r.stream = do, s, appendStreamKey(r.stream[:0], s)
	return r
}

// give takes back a request that was replied to.
func (p *requests) give(r *request) {
	if cap(r.memory) > 1<<16 {
		r.memory = nil
	}
	r.records, r.seal.used = r.records[:0], r.seal.used[:0]
	r.envs, r.batch = nil, journal.Batch{} // the caller's
	p.pool.Put(r)
}

// errStale says that a key made for this append lost to another: encode again.
var errStale = errors.New("another key of that person was stored first")

// Append implements journal.Journal. Encoding and sealing happen here, in the
// caller's goroutine, with the numbers that the events get if the batch's
// Expected holds.
func (j *Journal) Append(ctx context.Context, b journal.Batch) ([]event.Envelope, error) {
	if err := checkBatch(&b); err != nil {
		return nil, err
	}
	if b.Expected == 0 && j.disk.low.Load() {
		return nil, fmt.Errorf("journal: disk space is low, no new stream is opened: %w", fault.Unavailable)
	}
	for {
		envs, err := j.try(ctx, b)
		if !errors.Is(err, errStale) {
			return envs, err
		}
	}
}

// try appends once.
func (j *Journal) try(ctx context.Context, b journal.Batch) ([]event.Envelope, error) {
	if !j.writers.enter() {
		return nil, errClosed
	}
	defer j.writers.leave()
	r := j.idle.take((*committer).append, b.Stream)
	r.batch, r.seal.ring = b, j.keys
	r.envelopes()
	if err := r.encode(); err != nil {
		return nil, err
	}
	envs := r.envs
	if err := j.send(ctx, r); err != nil {
		if errors.Is(err, errStale) {
			for _, k := range r.seal.used {
				j.keys.disown(k)
			}
		}
		if !errors.Is(err, errAbandoned) {
			j.idle.give(r)
		}
		return nil, err
	}
	j.idle.give(r)
	return envs, nil
}

// emptyHead is the room for a record's position and hash.
var emptyHead [recordStored]byte //nolint:gochecknoglobals // Never written.

// encode makes the records, one behind the other.
func (r *request) encode() error {
	b := r.memory[:0]
	for i := range r.envs {
		from := len(b)
		b = append(b, emptyHead[:]...)
		var err error
		if b, err = wire.Append(b, r.envs[i], &r.seal); err != nil {
			return fmt.Errorf("journal: event %d of the batch: %w", i, err)
		}
		// When b moves to more room, the records so far stay where they are.
		r.records = append(r.records, b[from:len(b):len(b)])
		if len(b) > maxBytes {
			return fmt.Errorf("journal: a batch of over %d bytes: %w", maxBytes, fault.Invalid)
		}
	}
	r.memory = b
	return nil
}

// envelopes makes the events' envelopes, complete but for position and hash.
func (r *request) envelopes() {
	b := &r.batch
	r.chance = slices.Grow(r.chance[:0], 10*len(b.Events))[:10*len(b.Events)]
	_, _ = rand.Read(r.chance)
	at := b.At.UTC().Truncate(time.Microsecond)
	r.envs = make([]event.Envelope, len(b.Events))
	for i, e := range b.Events {
		r.envs[i] = event.Envelope{
			ID: event.NewID(at, [10]byte(r.chance[10*i:])), Stream: b.Stream, Seq: b.Expected + uint64(i) + 1,
			Time: at, Epoch: b.Epoch, Subject: b.Subject, Body: e,
		}
		r.envs[i].Cause = r.envs[0].ID
	}
}

// Claim implements journal.Journal.
func (j *Journal) Claim(ctx context.Context, s event.Stream) (journal.Head, error) {
	if err := checkStream(s); err != nil {
		return journal.Head{}, err
	}
	if !j.writers.enter() {
		return journal.Head{}, errClosed
	}
	defer j.writers.leave()
	r := j.idle.take((*committer).claim, s)
	if err := j.send(ctx, r); err != nil {
		return journal.Head{}, err
	}
	head := r.head
	j.idle.give(r)
	return head, nil
}

// Forget implements journal.Journal.
func (j *Journal) Forget(ctx context.Context, t tenant.ID, subject string) error {
	if subject == "" {
		return fmt.Errorf("journal: forget nobody: %w", fault.Invalid)
	}
	if !j.writers.enter() {
		return errClosed
	}
	defer j.writers.leave()
	who := person{t, subject}
	err := j.send(ctx, &request{do: (*committer).forget, who: who, reply: make(chan error, 1)})
	// What was read between the deletion's staging and now is not kept.
	j.keys.forget(who)
	j.tail.clear()
	return err
}

// send hands r to the committer and waits for its answer.
func (j *Journal) send(ctx context.Context, r *request) error {
	if err := j.failure.err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("journal: not written: %w", err)
	}
	select {
	case j.requests <- r: // nearly always, and this way cheap
	default:
		select {
		case j.requests <- r:
		case <-ctx.Done():
			return fmt.Errorf("journal: not written: %w", ctx.Err())
		case <-j.failure.known:
			return j.failure.err()
		}
	}
	select {
	case err := <-r.reply:
		return err
	case <-ctx.Done():
		return fmt.Errorf("journal: %w: %w", errAbandoned, ctx.Err())
	case <-j.failure.known:
		return fmt.Errorf("journal: %w: %w", errAbandoned, j.failure.err())
	}
}

// errAbandoned says that the committer may still have the request.
var errAbandoned = errors.New("gave up waiting, the outcome of this write is unknown")

const (
	maxEvents = 10_000
	maxBytes  = 32 << 20
	maxName   = 1024 // bytes of an id, subject or name
)

// maxTime is the last that 48 bits of milliseconds can hold.
var maxTime = time.UnixMilli(1<<48 - 1) //nolint:gochecknoglobals // A constant but for its type.

// checkBatch refuses what can never be appended.
func checkBatch(b *journal.Batch) error {
	if err := checkStream(b.Stream); err != nil {
		return err
	}
	if len(b.Events)+len(b.Seen)+len(b.Claim)+len(b.Free)+len(b.Due)+len(b.Done) == 0 {
		return fmt.Errorf("journal: an empty batch: %w", fault.Invalid)
	}
	if len(b.Events) > maxEvents {
		return fmt.Errorf("journal: %d events in a batch, at most %d: %w", len(b.Events), maxEvents, fault.Invalid)
	}
	if b.At.Before(time.UnixMilli(0)) || b.At.After(maxTime) {
		return fmt.Errorf("journal: a batch at %v: %w", b.At, fault.Invalid)
	}
	if len(b.Subject) > maxName {
		return fmt.Errorf("journal: a subject of %d bytes, at most %d: %w", len(b.Subject), maxName, fault.Invalid)
	}
	if err := checkKeys("seen", b.Seen); err != nil {
		return err
	}
	if err := checkKeys("claim", b.Claim); err != nil {
		return err
	}
	if err := checkKeys("free", b.Free); err != nil {
		return err
	}
	return checkDue(b)
}

func checkStream(s event.Stream) error {
	if s.Kind == "" || s.ID == "" || len(s.Kind) > maxName || len(s.ID) > maxName {
		return fmt.Errorf("journal: stream %q %q: kind and id have 1 to %d bytes: %w", s.Kind, s.ID, maxName, fault.Invalid)
	}
	return nil
}

// checkKeys does not name the key: it may be personal.
func checkKeys(list string, keys []journal.Key) error {
	for i, k := range keys {
		if k.Space == "" || k.Name == "" || len(k.Space) > maxName || len(k.Name) > maxName {
			return fmt.Errorf("journal: %s %d: space and name have 1 to %d bytes: %w", list, i, maxName, fault.Invalid)
		}
		if slices.Contains(keys[:i], k) {
			return fmt.Errorf("journal: %s %d: named twice: %w", list, i, fault.Invalid)
		}
	}
	return nil
}

func checkDue(b *journal.Batch) error {
	for i, d := range b.Due {
		if d.ID == "" || len(d.ID) > maxName {
			return fmt.Errorf("journal: due %d: its id has 1 to %d bytes: %w", i, maxName, fault.Invalid)
		}
		if err := checkStream(d.Stream); err != nil {
			return fmt.Errorf("due %q: %w", d.ID, err)
		}
		if d.Stream.Tenant != b.Stream.Tenant {
			return fmt.Errorf("journal: due %q is for another tenant: %w", d.ID, fault.Invalid)
		}
		if d.At.Before(time.UnixMilli(0)) || d.At.After(maxTime) {
			return fmt.Errorf("journal: due %q at %v: %w", d.ID, d.At, fault.Invalid)
		}
		for _, other := range b.Due[:i] {
			if d.ID == other.ID {
				return fmt.Errorf("journal: due %q: named twice: %w", d.ID, fault.Invalid)
			}
		}
	}
	for i, id := range b.Done {
		if id == "" {
			return fmt.Errorf("journal: done %d: no id: %w", i, fault.Invalid)
		}
	}
	return nil
}
