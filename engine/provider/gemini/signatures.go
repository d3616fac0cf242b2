package gemini

import "sync"

// kept is how many calls a Model remembers. A signature is needed until its
// turn is over, which is some calls later; one may be some kilobytes long.
const kept = 2048

// signed is what the API said about a call besides the call.
type signed struct {
	signature string
	given     bool // the id is the API's own
}

// signatures remembers the last calls of a Model. The zero value is empty. It
// is safe for concurrent use.
type signatures struct {
	mu   sync.Mutex
	by   map[string]signed
	ring []string
	next int
}

func (s *signatures) put(id string, v signed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by, s.ring = map[string]signed{}, make([]string, kept)
	}
	if old := s.ring[s.next]; old != "" {
		delete(s.by, old)
	}
	s.ring[s.next], s.by[id] = id, v
	s.next = (s.next + 1) % kept
}

func (s *signatures) get(id string) signed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[id]
}
