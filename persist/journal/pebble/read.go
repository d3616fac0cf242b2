package pebble

import (
	"context"
	"errors"
	"fmt"
	"iter"

	pdb "github.com/cockroachdb/pebble/v2"

	"flametree/engine/event"
	"flametree/engine/event/wire"
	"flametree/engine/fault"
	"flametree/persist/journal"
)

// A reader takes a piece of the store at a time and holds nothing while its
// consumer works: no snapshot, no lock.
const (
	pieceEvents = 256
	pieceBytes  = 512 << 10
)

// piece holds copies of some events' records.
type piece struct {
	records []record
	bytes   int
}

func (p *piece) full() bool { return len(p.records) >= pieceEvents || p.bytes >= pieceBytes }

func (p *piece) add(v []byte) {
	p.records = append(p.records, append(make(record, 0, len(v)), v...))
	p.bytes += len(v)
}

// Read implements journal.Journal. Events appended after the call may be left
// out. A hole in the stream is an error, never skipped.
func (j *Journal) Read(ctx context.Context, s event.Stream, from uint64) iter.Seq2[event.Envelope, error] {
	return func(yield func(event.Envelope, error) bool) {
		if err := checkStream(s); err != nil {
			yield(event.Envelope{}, err)
			return
		}
		stream, next, limit := streamKey(s), max(from, 1), j.Position()
		for more := true; more; {
			var p piece
			var err error
			if p, more, err = j.streamPiece(stream, next, limit); err != nil {
				yield(event.Envelope{}, err)
				return
			}
			for _, r := range p.records {
				if !j.give(ctx, r, yield) {
					return
				}
				next++
			}
		}
	}
}

// give decodes one record for the consumer; false ends the reading.
func (j *Journal) give(ctx context.Context, r record, yield func(event.Envelope, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(event.Envelope{}, fmt.Errorf("journal: read: %w", err))
		return false
	}
	env, err := j.decode(r)
	return yield(env, err) && err == nil
}

// decode turns a record into an envelope. It happens right before the envelope
// is given out, so that a key forgotten meanwhile is gone here too.
func (j *Journal) decode(r record) (event.Envelope, error) {
	if !j.readers.enter() {
		return event.Envelope{}, errClosed
	}
	defer j.readers.leave()
	env, err := wire.Decode(r.stored(), j.keys)
	if err != nil {
		return event.Envelope{}, fmt.Errorf("journal: event at position %d: %w", r.position(), err)
	}
	env.Position, env.Hash = r.position(), r.hash()
	return env, nil
}

// streamPiece reads on from seq next. Nothing beyond position limit is given
// out: it may not be synced.
func (j *Journal) streamPiece(stream []byte, next, limit uint64) (p piece, more bool, err error) {
	if !j.readers.enter() {
		return p, false, errClosed
	}
	defer j.readers.leave()
	it, err := j.db.NewIter(&pdb.IterOptions{LowerBound: eventKey(stream, next), UpperBound: after(row(tableEvent, stream))})
	if err != nil {
		return p, false, broken(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		if p.full() {
			return p, true, nil
		}
		_, seq, err := cutEventKey(it.Key())
		v := record(it.Value())
		if err != nil || !v.valid() {
			return p, false, fmt.Errorf("journal: a malformed event behind seq %d: %w", next-1, fault.Bug)
		}
		if v.position() > limit {
			return p, false, nil
		}
		if seq != next {
			return p, false, fmt.Errorf("journal: after seq %d comes %d: events are missing: %w", next-1, seq, fault.Bug)
		}
		p.add(v)
		next++
	}
	return p, false, broken(it.Error())
}

// Subscribe implements journal.Journal. It ends without an error when ctx does,
// and with one when the journal is closed.
func (j *Journal) Subscribe(ctx context.Context, from journal.Position) iter.Seq2[event.Envelope, error] {
	return func(yield func(event.Envelope, error) bool) {
		for next, more := max(from, 1), true; more && ctx.Err() == nil; {
			news, limit := j.bell.wait(), j.Position()
			if next, more = j.follow(ctx, next, limit, yield); more && next <= limit {
				next, more = j.catchUp(ctx, next, limit, yield)
				continue
			}
			if !more {
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
			case <-j.closing:
				yield(event.Envelope{}, errClosed)
				return
			}
		}
	}
}

// catchUp gives out a piece of the store from position next up to limit. It
// returns where it came to; false when there is no more to give.
func (j *Journal) catchUp(ctx context.Context, next, limit uint64, yield func(event.Envelope, error) bool) (uint64, bool) {
	p, err := j.globalPiece(next, limit)
	if err != nil {
		yield(event.Envelope{}, err)
		return next, false
	}
	for _, r := range p.records {
		if ctx.Err() != nil || !j.give(ctx, r, yield) {
			return next, false
		}
		next++
	}
	return next, true
}

// follow gives out what the tail holds from position next up to limit. It
// returns where it came to; false when the consumer wants no more.
func (j *Journal) follow(ctx context.Context, next, limit uint64, yield func(event.Envelope, error) bool) (uint64, bool) {
	for ; next <= limit; next++ {
		env, kept := j.tail.get(next, j.decode)
		if !kept {
			return next, true
		}
		if ctx.Err() != nil || !yield(env, nil) {
			return next, false
		}
	}
	return next, true
}

// globalPiece reads the events from position next up to limit.
func (j *Journal) globalPiece(next, limit uint64) (p piece, err error) {
	if next > limit {
		return p, nil
	}
	if !j.readers.enter() {
		return p, errClosed
	}
	defer j.readers.leave()
	it, err := j.db.NewIter(&pdb.IterOptions{LowerBound: globalKey(next), UpperBound: globalKey(limit + 1)})
	if err != nil {
		return p, broken(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok && !p.full(); ok = it.Next() {
		first, keys, err := pointers(it.Key(), it.Value())
		if err != nil || next < first {
			return p, fmt.Errorf("journal: position %d is missing, the next row is %x: %w", next, it.Key(), fault.Bug)
		}
		for _, key := range keys[next-first:] {
			r, err := j.at(key, next)
			if err != nil {
				return p, err
			}
			p.records = append(p.records, r)
			p.bytes += len(r)
			next++
		}
	}
	if err := it.Error(); err != nil {
		return p, broken(err)
	}
	if len(p.records) == 0 {
		return p, fmt.Errorf("journal: position %d is missing, the last is %d: %w", next, limit, fault.Bug)
	}
	return p, nil
}

// at follows the pointer of position want.
func (j *Journal) at(pointer []byte, want uint64) (record, error) {
	v, err := get(j.db, pointer)
	if err != nil {
		return nil, err
	}
	r := record(v)
	if !r.valid() || r.position() != want {
		return nil, fmt.Errorf("journal: position %d points at no event: %w", want, fault.Bug)
	}
	return r, nil
}

// broken wraps what the engine says of a failed read.
func broken(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("journal: read: %w: %w", err, fault.Unavailable)
}
