package pebble

import (
	"slices"
	"sync"

	"flametree/engine/event"
)

// tailEvents is how many of the newest events are kept in memory. Subscribers
// follow within a group or two; who falls further behind reads the store.
const tailEvents = 1024

// tail holds the newest durable events as they are stored, so that five
// subscribers do not each look for the same event, decode and unseal it: the
// first does it for all. Who gets an event does not change it.
type tail struct {
	mu    sync.RWMutex // held to read or write single slots, locked to clear all
	slots [tailEvents]slot
}

// slot is one event's place, by its position modulo their number.
type slot struct {
	mu     sync.Mutex
	at     uint64 // 0: nothing is kept
	record record // until it is decoded
	event  event.Envelope
}

// put keeps what has become durable. The records may be used again.
func (t *tail) put(records []record) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range records {
		s := &t.slots[r.position()%tailEvents]
		s.mu.Lock()
		s.at, s.record, s.event = r.position(), slices.Clone(r), event.Envelope{}
		s.mu.Unlock()
	}
}

// get finds the event at a position, if it is still kept, and decodes it if
// nobody has.
func (t *tail) get(position uint64, decode func(record) (event.Envelope, error)) (event.Envelope, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := &t.slots[position%tailEvents]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != position {
		return event.Envelope{}, false
	}
	if s.record != nil {
		e, err := decode(s.record)
		if err != nil {
			return event.Envelope{}, false // the store says why
		}
		s.event, s.record = e, nil
	}
	return s.event, true
}

// clear drops everything: somebody was forgotten, and what is decoded may speak
// of him. What is put afterwards is sealed with a key that is gone, or a new one.
func (t *tail) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.slots {
		s := &t.slots[i]
		s.at, s.record, s.event = 0, nil, event.Envelope{}
	}
}
