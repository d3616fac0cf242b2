package pebble

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// Due implements journal.Store. Rows of one time come in the order of tenant and id.
func (j *Journal) Due(ctx context.Context, before time.Time, most int) (_ []journal.Due, err error) {
	if most <= 0 {
		return nil, nil
	}
	if !j.readers.enter() {
		return nil, errClosed
	}
	defer j.readers.leave()
	it, err := j.db.NewIter(&pdb.IterOptions{LowerBound: []byte{tableDue}, UpperBound: []byte{tableDue + 1}})
	if err != nil {
		return nil, broken(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	rows, group := latest{}, j.durable.Load().group
	for ok := it.First(); ok; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("journal: due: %w", err)
		}
		d, written, err := parseDue(it.Key(), it.Value())
		if err != nil {
			return nil, fmt.Errorf("journal: a due row: %w: %w", err, fault.Bug)
		}
		if !d.At.Before(before) || (len(rows) == most && !sooner(d, rows[0])) {
			// The rest of this tenant's rows are later still.
			ok = it.SeekGE(after(it.Key()[:1+tenantSize]))
			continue
		}
		if written <= group { // else it is not synced yet
			heap.Push(&rows, d)
			if len(rows) > most {
				heap.Pop(&rows)
			}
		}
		ok = it.Next()
	}
	if err := it.Error(); err != nil {
		return nil, broken(err)
	}
	slices.SortFunc(rows, func(a, b journal.Due) int {
		if sooner(a, b) {
			return -1
		}
		return 1
	})
	return rows, nil
}

func sooner(a, b journal.Due) bool {
	if c := a.At.Compare(b.At); c != 0 {
		return c < 0
	}
	if c := slices.Compare(a.Stream.Tenant[:], b.Stream.Tenant[:]); c != 0 {
		return c < 0
	}
	return a.ID < b.ID
}

// latest is a heap with the latest row on top.
type latest []journal.Due

func (l latest) Len() int           { return len(l) }
func (l latest) Less(i, k int) bool { return sooner(l[k], l[i]) }
func (l latest) Swap(i, k int)      { l[i], l[k] = l[k], l[i] }
func (l *latest) Push(d any)        { *l = append(*l, d.(journal.Due)) }
func (l *latest) Pop() any {
	d := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return d
}

// Holder implements journal.Store.
func (j *Journal) Holder(_ context.Context, t tenant.ID, k journal.Key) (s event.Stream, ok bool, err error) {
	if !j.readers.enter() {
		return s, false, errClosed
	}
	defer j.readers.leave()
	durable := j.durable.Load().group
	v, err := get(j.db, nameKey(tableClaim, t, k))
	if err != nil || v == nil {
		return s, false, err
	}
	if len(v) < 8 {
		return s, false, fmt.Errorf("journal: holder of a name: %w: %w", errRecord, fault.Bug)
	}
	if binary.BigEndian.Uint64(v) > durable {
		return s, false, nil // not synced yet
	}
	if s, err = parseStream(v[8:]); err != nil {
		return s, false, fmt.Errorf("journal: holder of a name: %w: %w", err, fault.Bug)
	}
	return s, true, nil
}

// A snapshot's value is seq ‖ schema ‖ number of subjects ‖ subjects ‖ data
// sealed with the keys of all of them.

// Save implements journal.Store. A stream of more than eight people, or with one
// who is forgotten, keeps no snapshot.
func (j *Journal) Save(ctx context.Context, s event.Stream, snap journal.Snapshot) error {
	if err := checkStream(s); err != nil {
		return err
	}
	if !j.writers.enter() {
		return errClosed
	}
	defer j.writers.leave()
	stream := streamKey(s)
	h, err := j.storedHead(stream)
	if err != nil {
		return err
	}
	if snap.Seq > h.Version {
		return fmt.Errorf("journal: a snapshot at seq %d of a stream that ends at %d: %w", snap.Seq, h.Version, fault.Invalid)
	}
	if h.many {
		return nil
	}
	data, ok, err := j.keys.sealFor(s.Tenant, h.subjects, snap.Data, snapshotData(stream, snap))
	if err != nil || !ok {
		return err
	}
	v := binary.BigEndian.AppendUint64(nil, snap.Seq)
	v = binary.BigEndian.AppendUint32(v, snap.Schema)
	v = append(v, byte(len(h.subjects)))
	for _, subject := range h.subjects {
		v = appendField(v, subject)
	}
	return j.send(ctx, &request{
		do: (*committer).save, row: row(tableSnapshot, stream), value: append(v, data...), reply: make(chan error, 1),
	})
}

// Restore implements journal.Store.
func (j *Journal) Restore(_ context.Context, s event.Stream) (snap journal.Snapshot, ok bool, err error) {
	if err := checkStream(s); err != nil {
		return snap, false, err
	}
	if !j.readers.enter() {
		return snap, false, errClosed
	}
	defer j.readers.leave()
	stream := streamKey(s)
	v, err := get(j.db, row(tableSnapshot, stream))
	if err != nil || len(v) < 13 {
		return snap, false, err
	}
	snap.Seq, snap.Schema = binary.BigEndian.Uint64(v), binary.BigEndian.Uint32(v[8:])
	h, err := j.storedHead(stream)
	if err != nil || snap.Seq > h.Version {
		return journal.Snapshot{}, false, err
	}
	subjects, rest := make([]string, v[12]), v[13:]
	for i := range subjects {
		if subjects[i], rest, err = cutField(rest); err != nil {
			return journal.Snapshot{}, false, nil
		}
	}
	snap.Data, ok, err = j.keys.openFor(s.Tenant, subjects, rest, snapshotData(stream, snap))
	if err != nil || !ok {
		return journal.Snapshot{}, false, err
	}
	return snap, true, nil
}

// storedHead reads a stream's row and its newest event. Every stream with an
// event has a row.
func (j *Journal) storedHead(stream []byte) (h head, err error) {
	v, err := get(j.db, row(tableHead, stream))
	if err != nil || v == nil {
		return h, err
	}
	if h, err = parseHead(v); err != nil {
		return h, fmt.Errorf("journal: head of a stream: %w: %w", err, fault.Bug)
	}
	low := row(tableEvent, stream)
	it, err := j.db.NewIter(&pdb.IterOptions{LowerBound: low, UpperBound: after(low)})
	if err != nil {
		return h, broken(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return h, broken(it.Error())
	}
	_, seq, err := cutEventKey(it.Key())
	if r := record(it.Value()); err == nil && r.valid() {
		h.end(seq, r)
		return h, nil
	}
	return h, fmt.Errorf("journal: the newest event of a stream: %w: %w", errRecord, fault.Bug)
}

// snapshotData binds a snapshot to its place.
func snapshotData(stream []byte, snap journal.Snapshot) []byte {
	b := append([]byte("flametree snapshot\x00"), stream...)
	b = binary.BigEndian.AppendUint64(b, snap.Seq)
	return binary.BigEndian.AppendUint32(b, snap.Schema)
}
