package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"

	"flametree/engine/event"
	"flametree/engine/event/wire"
	"flametree/engine/fault"
	"flametree/persist/journal"
)

// maxProblems is how many problems a report lists. The rest are counted.
const maxProblems = 100

// Report says what Verify found.
type Report struct {
	Events   uint64
	Streams  uint64
	Position journal.Position // of the last event
	Found    uint64           // problems, listed or not
	Problems []Problem
}

// Problem is one thing that is not as it should be.
type Problem struct {
	Where string // stream and seq, or position
	What  string
}

func (r *Report) add(where, what string, args ...any) {
	r.Found++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, Problem{Where: where, What: fmt.Sprintf(what, args...)})
	}
}

// Verify walks over everything that was there when it was called: numbers
// without gaps, hashes, heads, pointers, positions, and every event decodes. It
// runs beside reads and writes. Progress, which may be nil, is told now and
// then how many of how many events are done. The error is about the walking
// alone; what is wrong with the journal is in the report.
func (j *Journal) Verify(ctx context.Context, progress func(done, total uint64)) (Report, error) {
	if !j.readers.enter() {
		return Report{}, errClosed
	}
	defer j.readers.leave()
	snap := j.db.NewSnapshot()
	v := verifier{j: j, ctx: ctx, db: snap, progress: progress, next: 1}
	err := errors.Join(v.run(), snap.Close())
	return v.report, err
}

// verifier is one walk.
type verifier struct {
	j        *Journal
	ctx      context.Context //nolint:containedctx // It lives as long as one call of Verify.
	db       *pdb.Snapshot
	progress func(done, total uint64)
	last     meta
	report   Report

	next   uint64 // position
	stream []byte // of the events walked over now, nil before the first
	name   string
	seq    uint64
	hash   [32]byte
}

func (v *verifier) run() error {
	raw, err := v.get([]byte{tableMeta})
	if err != nil {
		return err
	}
	if v.last, err = parseMeta(raw); err != nil {
		v.report.add("meta record", "%v", err)
	}
	v.report.Position = v.last.position
	if err := v.walk(tableEvent, v.event); err != nil {
		return err
	}
	if err := v.endStream(); err != nil {
		return err
	}
	if err := v.walk(tableGlobal, v.group); err != nil {
		return err
	}
	// Every position has its event, and there are as many of these as positions.
	if v.next-1 != v.last.position {
		v.report.add(fmt.Sprintf("position %d", v.next-1), "is the last, but the meta record says %d", v.last.position)
	}
	if v.report.Events != v.last.position {
		v.report.add("events", "there are %d, but the last position is %d", v.report.Events, v.last.position)
	}
	return v.walk(tableHead, v.head)
}

// group checks the pointers of one group: no position is missing and each has
// its event.
func (v *verifier) group(key, value []byte) error {
	first, keys, err := pointers(key, value)
	if err != nil {
		v.report.add(fmt.Sprintf("pointers %x", key), "%v", err)
		return nil
	}
	if first != v.next {
		v.report.add(fmt.Sprintf("position %d", v.next), "is missing: the next is %d", first)
	}
	for i, k := range keys {
		pos := first + uint64(i)
		raw, err := v.get(k)
		if err != nil {
			return err
		}
		if r := record(raw); !r.valid() || r.position() != pos {
			v.report.add(fmt.Sprintf("position %d", pos), "points at no event")
		}
	}
	v.next = first + uint64(len(keys))
	return nil
}

// walk calls f for each row of a table.
func (v *verifier) walk(table byte, f func(key, value []byte) error) (err error) {
	it, err := v.db.NewIter(&pdb.IterOptions{LowerBound: []byte{table}, UpperBound: []byte{table + 1}})
	if err != nil {
		return broken(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		select {
		case <-v.ctx.Done():
			return fmt.Errorf("journal: verify: %w", v.ctx.Err())
		case <-v.j.closing:
			return errClosed
		default:
		}
		if err := f(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return broken(it.Error())
}

// event checks one event: it follows the one before.
func (v *verifier) event(key, value []byte) error {
	stream, seq, err := cutEventKey(key)
	if err != nil {
		v.report.add(fmt.Sprintf("row %x", key), "%v", err)
		return nil
	}
	if !bytes.Equal(stream, v.stream) {
		if err := v.endStream(); err != nil {
			return err
		}
		v.stream, v.seq, v.hash = bytes.Clone(stream), 0, [32]byte{}
		v.name = fmt.Sprintf("stream %x", stream)
		v.report.Streams++
	}
	v.report.Events++
	if v.progress != nil && v.report.Events%4096 == 0 {
		v.progress(v.report.Events, v.last.position)
	}
	problem := func(what string, args ...any) error {
		v.report.add(fmt.Sprintf("%s seq %d", v.name, seq), what, args...)
		return nil
	}
	r := record(value)
	if !r.valid() {
		return problem("%v", errRecord)
	}
	env, err := wire.Decode(r.stored(), v.j.keys)
	switch {
	case err != nil:
		_ = problem("%v", err)
	case env.Seq != seq || !bytes.Equal(streamKey(env.Stream), stream):
		_ = problem("its envelope says seq %d of %s", env.Seq, nameOf(env.Stream))
	case v.seq == 0 || seq != v.seq+1:
		v.name = nameOf(env.Stream)
	}
	if seq != v.seq+1 {
		_ = problem("follows seq %d", v.seq)
	} else if !r.chained(v.hash) {
		_ = problem("its hash does not follow from the event before it")
	}
	v.seq, v.hash = seq, r.hash()
	return nil
}

// endStream makes sure that the stream has a row of its own.
func (v *verifier) endStream() error {
	if v.stream == nil {
		return nil
	}
	raw, err := v.get(row(tableHead, v.stream))
	if err == nil && raw == nil {
		v.report.add(v.name, "its head is missing")
	}
	return err
}

// head makes sure that a head can be read.
func (v *verifier) head(key, value []byte) error {
	if _, err := parseHead(value); err != nil {
		v.report.add(fmt.Sprintf("head %x", key), "%v", err)
	}
	return nil
}

func (v *verifier) get(key []byte) ([]byte, error) {
	raw, closer, err := v.db.Get(key)
	if errors.Is(err, pdb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, broken(err)
	}
	return bytes.Clone(raw), closer.Close()
}

func nameOf(s event.Stream) string { return fmt.Sprintf("%s/%s of tenant %s", s.Kind, s.ID, s.Tenant) }

// checkNewest compares the newest count events with each other: positions
// without a hole up to the meta record's, pointers, hashes, heads. What Pebble
// dropped in silence shows here, if the mark did not show it already.
func (j *Journal) checkNewest(m meta, count uint64) (err error) {
	it, err := j.db.NewIter(&pdb.IterOptions{LowerBound: []byte{tableGlobal}, UpperBound: []byte{tableGlobal + 1}})
	if err != nil {
		return broken(err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	heads := map[string]head{}
	pos := m.position
	for ok := it.Last(); ok && pos > 0 && m.position-pos < count; ok = it.Prev() {
		first, keys, err := pointers(it.Key(), it.Value())
		if err != nil || first+uint64(len(keys))-1 != pos {
			break
		}
		for _, key := range slices.Backward(keys) {
			r, err := j.at(key, pos)
			if err != nil {
				return err
			}
			if err := j.checkOne(key, r, heads); err != nil {
				return fmt.Errorf("position %d: %w", pos, err)
			}
			pos--
		}
	}
	if err := it.Error(); err != nil {
		return broken(err)
	}
	if pos > 0 && m.position-pos < count {
		return fmt.Errorf("position %d is missing, the last is %d: %w", pos, m.position, fault.Unavailable)
	}
	return nil
}

// checkOne checks one event, newest of its stream first.
func (j *Journal) checkOne(key []byte, r record, heads map[string]head) error {
	stream, seq, err := cutEventKey(key)
	if err != nil {
		return fmt.Errorf("%w: %w", err, fault.Unavailable)
	}
	h, seen := heads[string(stream)]
	if !seen {
		if h, err = j.storedHead(stream); err != nil {
			return err
		}
	}
	if h.Version != seq || h.Hash != r.hash() {
		return fmt.Errorf("seq %d stands where its stream has %d or another hash: %w", seq, h.Version, fault.Unavailable)
	}
	// From here on the head stands before this event.
	h.Version, h.Hash = seq-1, [32]byte{}
	if seq > 1 {
		v, err := get(j.db, eventKey(stream, seq-1))
		if err != nil {
			return err
		}
		if !record(v).valid() {
			return fmt.Errorf("seq %d of its stream is missing: %w", seq-1, fault.Unavailable)
		}
		h.Hash = record(v).hash()
	}
	if !r.chained(h.Hash) {
		return fmt.Errorf("the hash of seq %d does not follow from the event before it: %w", seq, fault.Unavailable)
	}
	heads[string(stream)] = h
	return nil
}
