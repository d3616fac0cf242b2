package phrases

import (
	"sync"
	"time"

	"flametree/engine/provider/phrases"
)

// mostRecent is how many bytes of sound are kept as they are said.
const mostRecent = 8 << 20

// recent keeps phrases that were said lately as they are said: a greeting of four
// seconds is 128 kB, and begins every call.
type recent struct {
	mu    sync.Mutex
	kept  map[phrases.Key]lately
	bytes int
}

type lately struct {
	phrase phrases.Phrase
	until  time.Time
}

func (r *recent) get(k phrases.Key, now time.Time) (phrases.Phrase, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.kept[k]
	if ok && now.After(l.until) {
		r.drop(k)
		return phrases.Phrase{}, false
	}
	return l.phrase, ok
}

// put keeps p until the given time. When there are too many, all others go: they
// come back when they are said.
func (r *recent) put(k phrases.Key, p phrases.Phrase, until time.Time) {
	size := 2 * len(p.PCM)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(k)
	if r.kept == nil || r.bytes+size > mostRecent {
		r.kept, r.bytes = map[phrases.Key]lately{}, 0
	}
	r.kept[k] = lately{phrase: p, until: until}
	r.bytes += size
}

func (r *recent) forget(k phrases.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(k)
}

func (r *recent) drop(k phrases.Key) {
	if l, ok := r.kept[k]; ok {
		delete(r.kept, k)
		r.bytes -= 2 * len(l.phrase.PCM)
	}
}

func (r *recent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.bytes = nil, 0
}
