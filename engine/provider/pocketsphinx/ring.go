package pocketsphinx

import "sync"

// ring is the way from a stream's writer to its decoder: samples, and marks at
// which an utterance ends. A writer never waits: when the decoder is too far
// behind, the oldest samples go. It is safe for one writer, one reader and any
// number of markers.
type ring struct {
	mu      sync.Mutex
	buf     []int16
	read    uint64 // position of the oldest sample held, in the stream
	write   uint64 // position after the newest
	marks   []uint64
	ended   bool
	dropped uint64
	wake    chan struct{} // holds at most one call to look again
}

// maxMarks bounds the ends of utterances that wait; one more moves the last.
const maxMarks = 64

func newRing(samples int) *ring {
	return &ring{buf: make([]int16, samples), wake: make(chan struct{}, 1)}
}

// put takes samples; it reports false after end.
func (r *ring) put(pcm []int16) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	if over := len(pcm) - len(r.buf); over > 0 {
		r.write += uint64(over)
		pcm = pcm[over:]
	}
	for len(pcm) > 0 {
		n := copy(r.buf[r.write%uint64(len(r.buf)):], pcm)
		r.write += uint64(n)
		pcm = pcm[n:]
	}
	if lost := r.write - r.read; lost > uint64(len(r.buf)) {
		lost -= uint64(len(r.buf))
		r.read += lost
		r.dropped += lost
	}
	r.nudge()
	return true
}

// mark ends an utterance after what was put so far.
func (r *ring) mark() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	if len(r.marks) == maxMarks {
		r.marks = r.marks[:maxMarks-1]
	}
	r.marks = append(r.marks, r.write)
	r.nudge()
	return true
}

// end says that nothing more comes.
func (r *ring) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.nudge()
}

func (r *ring) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// step is what the reader has to do next.
type step struct {
	n    int    // samples copied out
	at   uint64 // position of the first of them
	mark bool   // an utterance ends here
	over bool   // nothing more comes
}

// take fills into, or copies out what is left before the next mark or the end:
// what is heard does not depend on the sizes it was written in. n 0 without
// mark and over means that there is too little yet.
func (r *ring) take(into []int16) step {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.write
	if len(r.marks) > 0 {
		if r.marks[0] <= r.read {
			r.marks = append(r.marks[:0], r.marks[1:]...)
			return step{at: r.read, mark: true}
		}
		limit = r.marks[0]
	}
	s := step{at: r.read}
	if limit-r.read < uint64(len(into)) && len(r.marks) == 0 && !r.ended {
		return s
	}
	for s.n < len(into) && r.read < limit {
		from := r.read % uint64(len(r.buf))
		n := copy(into[s.n:], r.buf[from:min(uint64(len(r.buf)), from+limit-r.read)])
		s.n += n
		r.read += uint64(n)
	}
	s.over = s.n == 0 && r.ended
	return s
}

// lost is how many samples were dropped.
func (r *ring) lost() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}
