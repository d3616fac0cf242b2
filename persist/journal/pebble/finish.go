package pebble

import (
	"fmt"
	"time"

	"flametree/engine/fault"
)

// Two fsyncs at once share the disk: a mark for each group made every group late,
// and cost as much as the group. So they are marked now and then.
const (
	markEach = 4  // groups
	markLag  = 16 // groups that a mark may lag behind before nothing more is answered without it
)

// finish waits for the groups' syncs in order, answers their senders and hands
// the marks on: group n's when group n+1 waits for its sync, or when nothing
// more comes. It ends when the committer does.
func (j *Journal) finish() {
	defer close(j.marking)
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	var last *meta // synced, its mark not yet handed on
	for {
		select {
		case g, ok := <-j.groups:
			if !ok {
				if last != nil {
					j.marking <- *last
				}
				return
			}
			if last != nil && j.markSoon(*last) {
				last = nil
			}
			if m := j.settle(g); m != nil {
				last = m
			}
			idle.Reset(markIdle)
		case <-idle.C:
			if last != nil {
				j.marking <- *last
				last = nil
			}
		}
	}
}

// markSoon hands a mark to the marker when it is time and the marker is free, or
// when the last mark is too old.
func (j *Journal) markSoon(m meta) bool {
	behind := m.group - j.marked.Load()
	if behind >= markLag {
		j.marking <- m
		return true
	}
	if behind < markEach {
		return false
	}
	select {
	case j.marking <- m:
		return true
	default:
		return false
	}
}

// settle waits for one group's sync and answers. It returns the group's mark,
// nil when it did not reach the disk.
func (j *Journal) settle(g *group) *meta {
	// A group that the engine did not even queue has nothing to wait for.
	if j.failure.err() == nil {
		if err := g.batch.SyncWait(); err != nil {
			j.failure.tell(fmt.Errorf("sync of the log: %w", err))
		}
	}
	<-j.slots
	if err := j.failure.err(); err != nil {
		for _, r := range g.accepted {
			r.reply <- fmt.Errorf("the outcome of this write is unknown: %w", err)
		}
		return nil
	}
	_ = g.batch.Close()
	for _, r := range g.accepted {
		j.tail.put(r.records)
	}
	j.durable.Store(&g.meta)
	for _, r := range g.accepted {
		r.reply <- nil
	}
	j.bell.ring()
	return &g.meta
}

// mark writes marks until the finisher ends. A mark that cannot be written is a
// failed sync like any other.
func (j *Journal) mark() {
	for m := range j.marking {
		if j.failure.err() != nil {
			continue
		}
		if err := j.marks.write(m); err != nil {
			j.failure.tell(fmt.Errorf("%w: %w", err, fault.Unavailable))
			continue
		}
		j.marked.Store(m.group)
	}
}
