package pebble

import (
	"sync"

	"flametree/engine/event"
)

// tailEvents is how many of the newest events are kept in memory. Subscribers
// follow within a group or two; who falls further behind reads the store.
const tailEvents = 1024

// tail holds the newest durable events as their senders gave them, so that five
// subscribers do not read, decode and unseal each event five times. Events are
// not changed by anybody once they are sent.
type tail struct {
	mu     sync.RWMutex
	forgot uint64                     // counts clear
	events [tailEvents]event.Envelope // by position modulo the length; zero where nothing is kept
}

// era is given back with what is encoded from now on.
func (t *tail) era() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.forgot
}

// put keeps what has become durable, unless somebody was forgotten since it was
// encoded: it may be sealed with the key that is gone.
func (t *tail) put(envs []event.Envelope, era uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if era != t.forgot {
		return
	}
	for i := range envs {
		t.events[envs[i].Position%tailEvents] = envs[i]
	}
}

// get finds the event at a position, if it is still kept.
func (t *tail) get(position uint64) (event.Envelope, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.events[position%tailEvents]
	return e, e.Position == position
}

// clear drops everything: somebody was forgotten, and the events may speak of him.
func (t *tail) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgot++
	clear(t.events[:])
}
