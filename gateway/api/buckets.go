package api

import (
	"maps"
	"sync"
	"time"
)

// buckets let each key act perMinute times at once and as often every minute
// (a token bucket per key). They hold no more than maxBuckets keys: those that
// are full again are forgotten first. They are safe for concurrent use.
type buckets struct {
	perMinute float64

	mu   sync.Mutex
	keys map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds the memory that strangers can take.
const maxBuckets = 10_000

// take says whether a key may act now, and else how long it has to wait.
func (b *buckets) take(key string, now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys == nil {
		b.keys = make(map[string]bucket)
	}
	one, known := b.keys[key]
	if !known {
		b.room(now)
		one = bucket{left: b.perMinute, at: now}
	}
	one.left = min(b.perMinute, one.left+now.Sub(one.at).Minutes()*b.perMinute)
	one.at = now
	if ok = one.left >= 1; ok {
		one.left--
	} else {
		wait = time.Duration((1 - one.left) / b.perMinute * float64(time.Minute))
	}
	b.keys[key] = one
	return wait, ok
}

// room forgets the keys that have not acted for a minute, and all of them when
// that is not enough.
func (b *buckets) room(now time.Time) {
	if len(b.keys) < maxBuckets {
		return
	}
	maps.DeleteFunc(b.keys, func(_ string, one bucket) bool { return now.Sub(one.at) > time.Minute })
	if len(b.keys) >= maxBuckets {
		clear(b.keys)
	}
}
