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
	number    uint64              // of the Hear that set dst
	next      int64               // frame of the past that dst gets next
	back      *recall             // what gives it, unless it is the newest; nil when nobody goes back
	replaying bool                // the Hear that set dst still feeds it
	scale     int                 // of the ears
	up        *resample.Resampler // to 16 kHz; nil when the ears are there already
	coded     []byte
	narrow    []int16 // at the rate of the ears
	wide      []int16
	recorder  actors.Recorder
	taped     [2]*resample.Resampler // to the rate at which the recorder began; nil while it is the ears'
	tapeScale int
	tape      [2][]int16
	right     []int16
}

// open makes everything for a ring of this scale.
func (o *listeners) open(scale int) {
	o.scale = scale
	o.coded = make([]byte, frameBytes*scale)
	o.right = make([]int16, frameBytes*scale)
	o.narrow, o.up = make([]int16, frameBytes*scale), nil
	o.wide = nil
	if scale*g711.RateHz != pcm.EarHz {
		o.up = converter(scale, pcm.EarHz/g711.RateHz)
		o.wide = make([]int16, 0, o.up.MaxOut(frameBytes*scale))
	}
	o.retape()
}

// retape readies the filters of a recording that began at another rate: a file
// has one rate.
func (o *listeners) retape() {
	o.taped, o.tape = [2]*resample.Resampler{}, [2][]int16{}
	if o.recorder == nil || o.tapeScale == o.scale {
		return
	}
	for i := range o.taped {
		o.taped[i] = converter(o.scale, o.tapeScale)
		o.tape[i] = make([]int16, 0, o.taped[i].MaxOut(frameBytes*o.scale))
	}
}

// cut gives a side of the recording at the rate of its file.
func (o *listeners) cut(side int, frame []int16) []int16 {
	if o.taped[side] == nil || frame == nil {
		return frame
	}
	o.tape[side] = o.taped[side].Process(o.tape[side][:0], frame)
	return o.tape[side]
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
		left = l.in.frame
	}
	l.mu.Lock()
	law, ok := l.play.law, l.sender.copies.pull(o.coded)
	l.mu.Unlock()
	if ok {
		right = o.right
		law.Decode(right, o.coded)
	}
	o.recorder.Frame(o.cut(0, left), o.cut(1, right))
}

// step gives dst the next frame of what was heard, widened, if there is one. Where
// a decoder has to hear what was before it, it only does so for a frame.
func (o *listeners) step(e *ears) bool {
	if !e.read(o) {
		return false
	}
	if o.back != nil {
		o.back.play(o.narrow)
		if o.back.next <= o.next {
			return true
		}
	}
	o.next++
	if o.up == nil {
		o.dst(o.narrow)
		return true
	}
	o.wide = o.up.Process(o.wide[:0], o.narrow)
	o.dst(o.wide)
	return true
}

// Hear implements actors.Leg. The frames of the replay are given before Hear
// returns, on its caller's goroutine; live ones follow without a gap, on the
// pacer's. When Hear returns no older dst is called any more.
func (l *Leg) Hear(dst func(frame []int16), replay time.Duration) {
	frames := min(int64(replay/pcm.FrameTime), inputFrames)
	l.in.mu.Lock()
	from := max(l.in.past.next-frames, 0)
	l.in.mu.Unlock()

	o := &l.out
	o.mu.Lock()
	o.number++
	number := o.number
	o.dst, o.next, o.back, o.replaying = dst, from, nil, dst != nil && frames > 0
	if o.up != nil {
		o.up.Reset()
	}
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
// close, after the leg or after Record(nil). It gets the rate that Stats told
// when it was given, also after a change of codec.
func (l *Leg) Record(r actors.Recorder) { l.RecordAt(r, 0) }

// RecordAt implements actors.Retaping: 0 is the rate that Stats tells now.
func (l *Leg) RecordAt(r actors.Recorder, rateHz int) {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	l.mu.Lock()
	l.sender.copies = newCopies(r != nil, len(l.sender.frame))
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return
	}
	l.out.recorder, l.out.tapeScale = r, l.out.scale
	if rateHz > 0 {
		l.out.tapeScale = rateHz / g711.RateHz
	}
	l.out.retape()
}

// copies are the frames sent since the recorder last asked. A spurt that
// starts early puts two in between two ticks, never more.
type copies struct {
	frames [][]byte // none unless there is a recorder
	n      int
}

func newCopies(on bool, size int) copies {
	if !on {
		return copies{}
	}
	c := copies{frames: make([][]byte, 4)}
	for i := range c.frames {
		c.frames[i] = make([]byte, size)
	}
	return c
}

func (c *copies) push(frame []byte) {
	if c.frames == nil {
		return
	}
	if c.n == len(c.frames) { // the recording task was not ticked: drop the oldest
		c.drop()
	}
	copy(c.frames[c.n], frame)
	c.n++
}

func (c *copies) pull(dst []byte) bool {
	if c.n == 0 {
		return false
	}
	copy(dst, c.frames[0])
	c.drop()
	return true
}

// drop takes the oldest out and keeps its memory at the end.
func (c *copies) drop() {
	first := c.frames[0]
	copy(c.frames, c.frames[1:])
	c.frames[len(c.frames)-1] = first
	c.n--
}

// reshape is for a change of codec: frames sent and not yet recorded.
func (c *copies) reshape(from, to shape) {
	for i := range c.frames {
		c.frames[i] = reshape(c.frames[i], from, to)
	}
}
