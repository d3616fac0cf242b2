// Package bridge lets people on different legs hear each other: two that are
// joined, one who listens to a call, and music for who has to wait. It
// implements actors.Studio. It knows nothing of why legs are joined, and it
// records nothing.
//
// # How sound passes
//
// Every leg has its own clock: it gives a frame of 20 ms from behind its jitter
// buffer at its home slot, and asks for one to send at another. Between the two
// lies a ring of a few frames, which takes up what lies between the slots: 20
// to 40 ms. All sound in between is 16 kHz mono; what a leg makes of it is its
// own business.
package bridge

import (
	"sync"

	"flametree/actors"
	"flametree/media/pcm"
)

// Party is what a leg needs to be joined with others.
type Party interface {
	actors.Leg
	// Fill sets what is asked for a frame of 16 kHz to send whenever nothing is
	// queued to be played; false is silence. src must not block; nil ends it.
	Fill(src func(frame []int16) bool)
}

// Studio implements actors.Studio. The zero value plays no music.
type Studio struct {
	Tune []int16 // music on hold, 16 kHz mono, played round and round
}

var _ actors.Studio = Studio{}

// Music implements actors.Studio. A leg that cannot be filled stays silent.
func (s Studio) Music(leg actors.Leg) (stop func()) {
	p, ok := leg.(Party)
	if !ok || len(s.Tune) == 0 {
		return func() {}
	}
	at := 0
	var mu sync.Mutex
	ended := false
	p.Fill(func(frame []int16) bool {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return false
		}
		for i := range frame {
			frame[i] = s.Tune[at]
			if at++; at == len(s.Tune) {
				at = 0
			}
		}
		return true
	})
	return func() {
		mu.Lock()
		again := ended
		ended = true
		mu.Unlock()
		if !again {
			p.Fill(nil)
		}
	}
}

// Join implements actors.Studio.
func (s Studio) Join(a, b actors.Leg) (part func()) {
	p, okA := a.(Party)
	q, okB := b.(Party)
	if !okA || !okB {
		return func() {}
	}
	toB, toA := new(Ring), new(Ring)
	p.Fill(toA.Take)
	q.Fill(toB.Take)
	p.Hear(toB.Put, 0)
	q.Hear(toA.Put, 0)
	var once sync.Once
	return func() {
		once.Do(func() {
			for _, leg := range []Party{p, q} {
				leg.Hear(nil, 0)
				leg.Fill(nil)
			}
		})
	}
}

// Monitor is a sink for both sides of a call, as recorders get them, which are
// played to a leg mixed: who listens hears both. rateHz is that of the call.
func (s Studio) Monitor(to actors.Leg, rateHz int) (sink func(left, right []int16), stop func()) {
	q, ok := to.(Party)
	m := newMixer(rateHz)
	if !ok || m == nil {
		return func([]int16, []int16) {}, func() {}
	}
	q.Fill(m.ring.Take)
	var once sync.Once
	return m.frame, func() { once.Do(func() { q.Fill(nil) }) }
}

// depth is how many frames lie in a ring at most, and lead how many before the
// first is taken.
const (
	depth = 6
	lead  = 1
)

// Ring passes frames of 16 kHz from one leg's clock to another's. Its methods
// may be called from any goroutine and never block.
type Ring struct {
	mu      sync.Mutex
	frames  [depth][frameSize]int16
	first   int
	count   int
	flowing bool
	dropped uint64
}

const frameSize = pcm.EarHz / 50

// Put adds a frame; when nobody takes any, the oldest is lost.
func (r *Ring) Put(frame []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == depth {
		r.first = (r.first + 1) % depth
		r.count--
		r.dropped++
	}
	to := &r.frames[(r.first+r.count)%depth]
	n := copy(to[:], frame)
	clear(to[n:])
	r.count++
}

// Take moves the oldest frame out; false when there is none yet, or none any
// more.
func (r *Ring) Take(frame []int16) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.flowing && r.count <= lead {
		return false
	}
	if r.flowing = r.count > 0; !r.flowing {
		return false
	}
	n := copy(frame, r.frames[r.first][:])
	clear(frame[n:])
	r.first = (r.first + 1) % depth
	r.count--
	return true
}

// Dropped counts the frames that nobody took in time.
func (r *Ring) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}
