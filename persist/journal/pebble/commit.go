package pebble

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// groupEvents is how many events a group gathers at most. One batch may be larger.
const groupEvents = 512

// markIdle is how long after the last group its mark is written when none follows.
const markIdle = 50 * time.Millisecond

// eventRow is an event to be written. Its key stands in the group's pointers.
type eventRow struct {
	from, to int // of the key
	value    record
}

// group is what is committed with one sync.
type group struct {
	batch    *pdb.Batch
	meta     meta
	accepted []*request
}

// committer is the one goroutine that decides and numbers. It owns its fields.
type committer struct {
	j     *Journal
	heads *cache[event.Stream, *head] // has room for all of a group's
	meta  meta                        // of the last group

	// The group being built.
	batch    *pdb.Batch
	staged   map[string][]byte // rows that the group writes and may read again; nil is deleted
	changed  map[string]*head  // by streamKey, whose rows must be written
	rows     []eventRow
	pointers []byte
	events   int
	accepted []*request
	scratch  []byte
}

func newCommitter(j *Journal) *committer {
	return &committer{
		j: j, heads: newCache[event.Stream, *head](j.opt.Heads), meta: *j.durable.Load(),
		staged: map[string][]byte{}, changed: map[string]*head{},
	}
}

// run commits until Close closes the requests, group by group.
func (c *committer) run() {
	defer close(c.j.groups)
	for {
		c.j.slots <- struct{}{} // the finisher takes it back
		r, ok := <-c.j.requests
		if !ok {
			return
		}
		c.gather(r)
		if len(c.accepted) == 0 {
			<-c.j.slots
			continue
		}
		c.commit()
	}
}

// gather takes r and whatever else waits, up to a group's size.
func (c *committer) gather(r *request) {
	c.batch = c.j.db.NewBatch()
	c.events, c.accepted, c.rows, c.pointers = 0, nil, c.rows[:0], c.pointers[:0]
	clear(c.staged)
	clear(c.changed)
	c.take(r)
	for patient := true; c.events < groupEvents; {
		select {
		case r, ok := <-c.j.requests:
			if !ok {
				return
			}
			c.take(r)
			patient = true
		default:
			// The senders that the last group woke may be about to run. When one
			// turn of theirs brings nothing, nothing more is coming.
			if !patient {
				return
			}
			patient = false
			runtime.Gosched()
		}
	}
}

// take stages r or refuses it. A request that is refused leaves no trace.
func (c *committer) take(r *request) {
	err := c.j.failure.err()
	if err == nil {
		err = r.do(c, r)
	}
	c.events += max(len(r.records), 1)
	if err != nil {
		r.reply <- err
		return
	}
	c.accepted = append(c.accepted, r)
}

// commit writes heads, pointers and meta behind the events and hands the group
// on. One row of pointers for a whole group, and none of heads for an event that
// changes only what it says itself, leave one insertion for each event: that is
// what the journal's rate beside bare Pebble depends on.
func (c *committer) commit() {
	for stream, h := range c.changed {
		c.scratch = h.append(c.scratch[:0])
		_ = c.batch.Set(row(tableHead, []byte(stream)), c.scratch, nil)
	}
	c.stageRows()
	c.meta.group++
	c.scratch = c.meta.append(c.scratch[:0])
	_ = c.batch.Set([]byte{tableMeta}, c.scratch, nil)
	g := &group{batch: c.batch, meta: c.meta, accepted: c.accepted}
	c.apply(g.batch)
	c.j.groups <- g
}

// stageRows writes the events in the order of their keys, in which the engine
// inserts them with fewer comparisons, and their pointers.
func (c *committer) stageRows() {
	if len(c.rows) == 0 {
		return
	}
	slices.SortFunc(c.rows, func(a, b eventRow) int {
		return bytes.Compare(c.pointers[a.from:a.to], c.pointers[b.from:b.to])
	})
	for _, r := range c.rows {
		_ = c.batch.Set(c.pointers[r.from:r.to], r.value, nil)
	}
	_ = c.batch.Set(globalKey(c.meta.position), c.pointers, nil)
}

// apply gives the batch to the engine, which queues it for the next sync.
func (c *committer) apply(b *pdb.Batch) {
	if err := c.j.db.ApplyNoSyncWait(b, pdb.Sync); err != nil {
		c.j.failure.tell(fmt.Errorf("commit: %w", err))
	}
}

// set stages a row that later requests of the group may ask for.
func (c *committer) set(key, value []byte) {
	c.staged[string(key)] = value
	_ = c.batch.Set(key, value, nil) // an error would mean a batch over 4 GB
}

func (c *committer) remove(key []byte) {
	c.staged[string(key)] = nil
	_ = c.batch.Delete(key, nil)
}

// get reads a row as it will be after what is staged; nil when there is none.
func (c *committer) get(key []byte) ([]byte, error) {
	if v, ok := c.staged[string(key)]; ok {
		return v, nil
	}
	return get(c.j.db, key)
}

// head finds a stream's end as it will be after what is staged.
func (c *committer) head(r *request) (*head, error) {
	if h, ok := c.heads.get(r.of); ok {
		return h, nil
	}
	h, err := c.j.storedHead(r.stream)
	if err != nil {
		return nil, err
	}
	c.heads.put(r.of, &h)
	return &h, nil
}

// claim opens a new epoch.
func (c *committer) claim(r *request) error {
	h, err := c.head(r)
	if err != nil {
		return err
	}
	h.Epoch++
	c.changed[string(r.stream)] = h
	h.stored = true
	r.head = h.Head
	return nil
}

// forget deletes a person's key.
func (c *committer) forget(r *request) error {
	c.j.keys.forget(r.who)
	c.remove(r.who.row())
	return nil
}

// save writes a snapshot that is sealed already.
func (c *committer) save(r *request) error {
	return c.batch.Set(r.row, r.value, nil)
}

// append checks the batch's conditions and then stages all of it.
func (c *committer) append(r *request) error {
	h, err := c.head(r)
	if err != nil {
		return err
	}
	if err := c.check(r, h); err != nil {
		return err
	}
	moved, err := c.dueMoves(&r.batch)
	if err != nil {
		return err
	}
	if err := c.storeKeys(r.seal.used); err != nil {
		return err
	}
	c.stageEvents(r, h)
	c.stageNames(r)
	c.stageDue(&r.batch, moved)
	if !h.stored {
		c.changed[string(r.stream)] = h
		h.stored = true
	}
	return nil
}

// check finds the first condition that does not hold.
func (c *committer) check(r *request, h *head) error {
	b := &r.batch
	switch {
	case b.Epoch < h.Epoch:
		return &journal.Conflict{Condition: "epoch", Version: h.Version, Epoch: h.Epoch}
	case b.Expected != h.Version:
		return &journal.Conflict{Condition: "version", Version: h.Version, Epoch: h.Epoch}
	case len(b.Seen)+len(b.Free)+len(b.Claim) == 0:
		return nil
	}
	conflict := journal.Conflict{Version: h.Version, Epoch: h.Epoch}
	for _, k := range b.Seen {
		v, err := c.get(nameKey(tableSeen, b.Stream.Tenant, k))
		if err != nil {
			return err
		}
		if v != nil {
			conflict.Condition, conflict.Key = "seen", k
			return &conflict
		}
	}
	return c.checkNames(r, &conflict)
}

// checkNames checks Free, then Claim: a name can be given back and taken again.
func (c *committer) checkNames(r *request, conflict *journal.Conflict) error {
	name := streamName(r.of)
	for _, list := range []struct {
		condition string
		keys      []journal.Key
	}{{"free", r.batch.Free}, {"claim", r.batch.Claim}} {
		for _, k := range list.keys {
			v, err := c.get(nameKey(tableClaim, r.batch.Stream.Tenant, k))
			if err != nil {
				return err
			}
			ours := len(v) > 8 && bytes.Equal(v[8:], name)
			if ours || (v == nil && list.condition == "claim") {
				continue
			}
			conflict.Condition, conflict.Key = list.condition, k
			if len(v) > 8 {
				if conflict.Held, err = parseStream(v[8:]); err != nil {
					return fmt.Errorf("journal: holder of a name: %w: %w", err, fault.Bug)
				}
			}
			return conflict
		}
	}
	return nil
}

// storeKeys writes the keys that the events were sealed with and that are not
// stored yet. One that lost the race is errStale.
func (c *committer) storeKeys(keys []*personKey) error {
	for _, k := range keys {
		if k.stored {
			continue
		}
		tenantRow := keyKey(k.tenant.id, "")
		if err := c.vacant(tenantRow, k.tenant.wrapped, k.tenant.stored); err != nil {
			return err
		}
		row := k.of.row()
		if err := c.vacant(row, k.wrapped, false); err != nil {
			return err
		}
		if !k.tenant.stored {
			c.set(tenantRow, k.tenant.wrapped)
			k.tenant.stored = true
		}
		c.set(row, k.wrapped)
		k.stored = true
	}
	return nil
}

// vacant makes sure that no other key stands in the row.
func (c *committer) vacant(row, wrapped []byte, known bool) error {
	if known {
		return nil
	}
	v, err := c.get(row)
	if err == nil && v != nil && !bytes.Equal(v, wrapped) {
		err = errStale
	}
	return err
}

// stageEvents numbers and chains the events and writes them.
func (c *committer) stageEvents(r *request, h *head) {
	if len(r.records) == 0 {
		return
	}
	size := 1 + len(r.stream) + 8
	for i, rec := range r.records {
		c.meta.position++
		h.end(h.Version+1, rec.chain(c.meta.position, h.Hash))
		r.envs[i].Position, r.envs[i].Hash = c.meta.position, h.Hash

		if len(c.pointers) == 0 {
			c.pointers = binary.BigEndian.AppendUint64(c.pointers, c.meta.position)
		}
		c.pointers = binary.AppendUvarint(c.pointers, uint64(size))
		c.pointers = append(append(c.pointers, tableEvent), r.stream...)
		c.pointers = binary.BigEndian.AppendUint64(c.pointers, h.Version)
		c.rows = append(c.rows, eventRow{from: len(c.pointers) - size, to: len(c.pointers), value: rec})
	}
	h.meets(r.batch.Subject)
	if r.batch.Epoch > h.Epoch {
		h.Epoch, h.stored = r.batch.Epoch, false
	}
}

func (c *committer) stageNames(r *request) {
	b, t := &r.batch, r.of.Tenant
	for _, k := range b.Seen {
		c.set(nameKey(tableSeen, t, k), binary.BigEndian.AppendUint64(nil, c.meta.position))
	}
	for _, k := range b.Free {
		c.remove(nameKey(tableClaim, t, k))
	}
	for _, k := range b.Claim {
		c.set(nameKey(tableClaim, t, k), append(binary.BigEndian.AppendUint64(nil, c.meta.group+1), streamName(r.of)...))
	}
}

// dueMoves finds the rows that the batch removes or replaces.
func (c *committer) dueMoves(b *journal.Batch) (rows [][]byte, err error) {
	ids := b.Done
	for _, d := range b.Due {
		ids = append(slices.Clip(ids), d.ID)
	}
	for _, id := range ids {
		row, err := c.dueRow(b.Stream.Tenant, id)
		if err != nil {
			return nil, err
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (c *committer) dueRow(t tenant.ID, id journal.DueID) ([]byte, error) {
	v, err := c.get(dueIDKey(t, id))
	if err != nil || len(v) != 8 {
		return nil, err
	}
	return dueKey(t, unsortable(binary.BigEndian.Uint64(v)), id), nil
}

// stageDue removes first, so that a batch can move a row.
func (c *committer) stageDue(b *journal.Batch, moved [][]byte) {
	t := b.Stream.Tenant
	for _, row := range moved {
		c.remove(row)
	}
	for _, id := range b.Done {
		c.remove(dueIDKey(t, id))
	}
	for _, d := range b.Due {
		c.set(dueKey(t, d.At, d.ID), dueValue(c.meta.group+1, d))
		c.set(dueIDKey(t, d.ID), binary.BigEndian.AppendUint64(nil, sortable(d.At)))
	}
}
