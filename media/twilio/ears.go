package twilio

import (
	"sync"
	"time"

	"flametree/actors"
	"flametree/media/g711"
	"flametree/media/pcm"
	"flametree/media/plc"
	"flametree/media/resample"
	"flametree/media/vad"
)

const (
	inputFrames = 300 // 6 s kept for replay
	silentAfter = 400 * time.Millisecond
	startDepth  = 2  // frames that are waited for after a gap, against an uneven road
	deepest     = 5  // frames that may wait; what is more is heard at double speed
	mostQueued  = 50 // frames of a burst that are kept at all
	mostMissing = 50 // frames of a gap that are stood in for: 1 s
)

// ears are what frames go through on arrival, up to the queue of the clock. The
// mutex guards everything in it. TCP keeps the order; what is missing Twilio
// never sent.
type ears struct {
	mu       sync.Mutex
	vad      *vad.Detector
	plc      *plc.Concealer
	rest     []byte // of a frame that is not whole yet
	queue    [][frameBytes]byte
	playing  bool // the queue had its depth since it last ran dry
	flowing  bool
	last     time.Time
	chunk    uint64
	at       int64 // milliseconds where the next sound should begin
	sequence uint64
	linear   [frameBytes]int16

	received, lost, concealed, refused uint64
}

func (e *ears) open(d *vad.Detector) {
	e.vad, e.plc = d, plc.New(wireHz)
}

// fresh forgets the counters of another socket.
func (e *ears) fresh() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.chunk, e.at, e.sequence, e.rest = 0, 0, 0, nil
}

// follows checks the order of frames; one that was there before is refused.
func (e *ears) follows(sequence uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if sequence == 0 {
		return true
	}
	if sequence <= e.sequence {
		e.refused++
		return false
	}
	e.sequence = sequence
	return true
}

func (e *ears) refuse() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refused++
}

// take hears one media frame.
func (e *ears) take(now time.Time, s *sound, f *facts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.chunk <= e.chunk {
		e.refused++
		return
	}
	if e.chunk > 0 && s.chunk > e.chunk+1 {
		e.missed(s)
	}
	e.chunk, e.last = s.chunk, now
	e.received++
	if !e.flowing {
		e.flowing = true
		f.add(actors.Fact{Kind: actors.FactPackets, At: now})
	}
	e.at = s.at + int64(len(s.payload))*1000/wireHz
	e.rest = append(e.rest, s.payload...)
	for len(e.rest) >= frameBytes {
		var one [frameBytes]byte
		copy(one[:], e.rest)
		e.rest = e.rest[frameBytes:]
		g711.MuLaw.Decode(e.linear[:], one[:])
		e.plc.Good(e.linear[:])
		e.voice(now, e.vad.Push(e.linear[:]), f)
		e.put(one)
	}
	e.rest = append([]byte(nil), e.rest...)
}

// missed stands in for frames that never came, as long as their time says, or
// their number where the time says nothing.
func (e *ears) missed(s *sound) {
	gap := s.chunk - e.chunk - 1
	e.rest = nil
	e.lost += gap
	frames := (s.at - e.at) / pcm.FrameTime.Milliseconds()
	if frames < 0 || frames > int64(min(gap, mostMissing)) {
		frames = int64(min(gap, mostMissing))
	}
	for range frames {
		var one [frameBytes]byte
		e.plc.Lost(e.linear[:])
		g711.MuLaw.Encode(one[:], e.linear[:])
		e.concealed++
		e.put(one)
	}
}

func (e *ears) put(one [frameBytes]byte) {
	if len(e.queue) == mostQueued {
		e.queue = append(e.queue[:0], e.queue[1:]...)
		e.lost++
	}
	e.queue = append(e.queue, one)
}

func (e *ears) voice(at time.Time, r vad.Result, f *facts) {
	for _, one := range []struct {
		is   bool
		kind actors.FactKind
	}{{r.RawOn, actors.FactRawOn}, {r.RawOff, actors.FactRawOff}, {r.On, actors.FactVoiceOn}, {r.Off, actors.FactVoiceOff}} {
		if one.is {
			f.add(actors.Fact{Kind: one.kind, At: at})
		}
	}
}

// next gives the frame of this tick, silence where there is none, and says how
// many ticks' worth wait behind it.
func (e *ears) next(now time.Time, dst *[frameBytes]byte, f *facts) (sound, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flowing && now.Sub(e.last) >= silentAfter {
		e.flowing = false
		e.voice(now, e.vad.Drop(), f)
		f.add(actors.Fact{Kind: actors.FactNoPackets, At: now})
	}
	if !e.playing && len(e.queue) < startDepth && (len(e.queue) == 0 || e.flowing) || len(e.queue) == 0 {
		e.playing = false
		for i := range dst {
			dst[i] = g711.MuLaw.Idle()
		}
		return false, false
	}
	e.playing = true
	*dst = e.queue[0]
	e.queue = append(e.queue[:0], e.queue[1:]...)
	return true, len(e.queue) > deepest
}

func (e *ears) stats() actors.LegStats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return actors.LegStats{Received: e.received, Lost: e.lost, Concealed: e.concealed, Refused: e.refused}
}

// Tune implements actors.Leg.
func (s *Stream) Tune(start, stop time.Duration) {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.in.vad.Tune(start, stop)
}

// listeners are those who get every frame: the recogniser and the recorder. The
// mutex is held while they are called, and guards everything in it.
type listeners struct {
	mu       sync.Mutex
	dst      func([]int16)
	ring     [inputFrames][frameBytes]byte
	count    int64 // frames ever put into the ring
	up       *resample.Resampler
	narrow   [frameBytes]int16
	wide     []int16
	recorder actors.Recorder
	coded    [frameBytes]byte
	left     [frameBytes]int16
	right    [frameBytes]int16
}

func (o *listeners) open() {
	up, err := resample.New(wireHz, pcm.EarHz)
	if err != nil {
		panic("twilio: 8 and 16 kHz are rates: " + err.Error())
	}
	o.up, o.wide = up, make([]int16, 0, up.MaxOut(frameBytes))
}

// tick hears a frame, two where too many wait, and records one.
func (o *listeners) tick(now time.Time, s *Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slot := &o.ring[o.count%inputFrames]
	sound, more := s.in.next(now, slot, &s.facts)
	o.hear(slot)
	if o.recorder != nil {
		o.record(slot, sound, s)
	}
	if more {
		slot = &o.ring[o.count%inputFrames]
		s.in.next(now, slot, &s.facts)
		o.hear(slot)
	}
}

func (o *listeners) hear(slot *[frameBytes]byte) {
	o.count++
	if o.dst != nil {
		o.give(slot)
	}
}

func (o *listeners) give(slot *[frameBytes]byte) {
	g711.MuLaw.Decode(o.narrow[:], slot[:])
	o.wide = o.up.Process(o.wide[:0], o.narrow[:])
	o.dst(o.wide)
}

func (o *listeners) record(slot *[frameBytes]byte, sound bool, s *Stream) {
	var left, right []int16
	if sound {
		g711.MuLaw.Decode(o.left[:], slot[:])
		left = o.left[:]
	}
	s.mu.Lock()
	ok := s.copies.pull(o.coded[:])
	s.mu.Unlock()
	if ok {
		g711.MuLaw.Decode(o.right[:], o.coded[:])
		right = o.right[:]
	}
	o.recorder.Frame(left, right)
}

func (o *listeners) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dst, o.recorder = nil, nil
}

// Hear implements actors.Leg. The frames of the replay are given before Hear
// returns, live ones follow without a gap. When Hear returns no older dst is
// called any more.
func (s *Stream) Hear(dst func(frame []int16), replay time.Duration) {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dst = dst
	o.up.Reset()
	if dst == nil {
		return
	}
	frames := min(int64(replay/pcm.FrameTime), inputFrames, o.count)
	for n := o.count - frames; n < o.count; n++ {
		o.give(&o.ring[n%inputFrames])
	}
}

// Record implements actors.Leg; nil stops. The recorder is the caller's to
// close, after the leg or after Record(nil). The right side is what was sent, at
// about the time at which it is heard.
func (s *Stream) Record(r actors.Recorder) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.mu.Lock()
	s.copies = newCopies(r != nil)
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		s.out.recorder = r
	}
}
