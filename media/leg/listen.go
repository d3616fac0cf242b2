package leg

import (
	"sync"
	"time"

	"flametree/actors"
	"flametree/media/g711"
	"flametree/media/pcm"
	"flametree/media/resample"
)

// mostMissed bounds the silence written into a recording after a pause of the
// process.
const mostMissed = 500

// listeners are those who get every frame: the recogniser and the recorder.
// The mutex is held while they are called, and guards everything in it.
type listeners struct {
	mu        sync.Mutex
	dst       func([]int16)
	number    uint64 // of the Hear that set dst
	next      int64  // frame of the input ring that dst gets next
	replaying bool   // the Hear that set dst still feeds it
	up        *resample.Resampler
	coded     [frameBytes]byte
	narrow    [frameBytes]int16
	wide      []int16
	recorder  actors.Recorder
	right     [frameBytes]int16
}

// hearTask is the pacer's task of hearing: always on the call's home slot,
// however the sending moves.
type hearTask Leg

// Tick implements pacer.Task.
func (h *hearTask) Tick(now, _ time.Time, missed int) {
	l := (*Leg)(h)
	l.in.mu.Lock()
	sound := l.in.tick(now, &l.facts)
	l.in.mu.Unlock()

	o := &l.out
	o.mu.Lock()
	for o.dst != nil && !o.replaying && o.step(&l.in) {
	}
	if o.recorder != nil {
		l.record(sound, missed)
	}
	o.mu.Unlock()

	l.conn.Tick(now)
	l.facts.deliver()
}

// record gives both sides of this tick to the recorder. The listeners' mutex is
// held; the frame of the ears belongs to this task between two ticks.
func (l *Leg) record(sound bool, missed int) {
	o := &l.out
	for range min(missed, mostMissed) {
		o.recorder.Frame(nil, nil)
	}
	var left, right []int16
	if sound {
		left = l.in.frame[:]
	}
	l.mu.Lock()
	law, ok := l.play.law, l.sender.copies.pull(o.coded[:])
	l.mu.Unlock()
	if ok {
		right = o.right[:]
		law.Decode(right, o.coded[:])
	}
	o.recorder.Frame(left, right)
}

// step gives dst the next frame of the ring, widened, if there is one.
func (o *listeners) step(e *ears) bool {
	n, law, ok := e.read(o.next, o.coded[:])
	if !ok {
		return false
	}
	o.next = n + 1
	law.Decode(o.narrow[:], o.coded[:])
	o.wide = o.up.Process(o.wide[:0], o.narrow[:])
	o.dst(o.wide)
	return true
}

// Hear implements actors.Leg. The frames of the replay are given before Hear
// returns, on its caller's goroutine; live ones follow without a gap, on the
// pacer's. When Hear returns no older dst is called any more.
func (l *Leg) Hear(dst func(frame []int16), replay time.Duration) {
	frames := min(int64(replay/pcm.FrameTime), inputFrames)
	l.in.mu.Lock()
	from := max(l.in.count-frames, 0)
	l.in.mu.Unlock()

	o := &l.out
	o.mu.Lock()
	o.number++
	number := o.number
	o.dst, o.next, o.replaying = dst, from, dst != nil && frames > 0
	o.up.Reset()
	o.mu.Unlock()
	for again := dst != nil && frames > 0; again; {
		// One frame a lock, so that the pacer never waits for the replay.
		o.mu.Lock()
		again = o.number == number && o.dst != nil && o.step(&l.in)
		if o.number == number && !again {
			o.replaying = false
		}
		o.mu.Unlock()
	}
}

// Record implements actors.Leg; nil stops. The recorder is the caller's to
// close, after the leg or after Record(nil).
func (l *Leg) Record(r actors.Recorder) {
	l.mu.Lock()
	l.sender.copies = copies{on: r != nil}
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return
	}
	l.out.mu.Lock()
	l.out.recorder = r
	l.out.mu.Unlock()
}

// convert is for a change of codec: frames sent and not yet recorded.
func (*listeners) convert(from, to g711.Law, s *sender) {
	for i := range s.copies.frames {
		from.Convert(s.copies.frames[i][:], to)
	}
}

// copies are the frames sent since the recorder last asked. A spurt that
// starts early puts two in between two ticks, never more.
type copies struct {
	on     bool
	frames [4][frameBytes]byte
	n      int
}

func (c *copies) push(frame []byte) {
	if !c.on {
		return
	}
	if c.n == len(c.frames) { // the recording task was not ticked: drop the oldest
		copy(c.frames[:], c.frames[1:])
		c.n--
	}
	copy(c.frames[c.n][:], frame)
	c.n++
}

func (c *copies) pull(dst []byte) bool {
	if c.n == 0 {
		return false
	}
	copy(dst, c.frames[0][:])
	c.n--
	copy(c.frames[:c.n], c.frames[1:c.n+1])
	return true
}
