package leg

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flametree/actors"
	"flametree/media/codec"
	"flametree/media/dtmf"
	"flametree/media/echo"
	"flametree/media/g711"
	"flametree/media/jitter"
	"flametree/media/noise"
	"flametree/media/rtp"
	"flametree/media/vad"
)

// How long a stream may be without packets before it counts as stopped.
const (
	silentAfter = 400 * time.Millisecond
	// pausedAfter is for a coder that sends nothing while nobody speaks: it
	// speaks up every 400 ms (libopus), and one of those may get lost.
	pausedAfter = time.Second
	// hushedAfter is for a peer that announced silence (RFC 3389): it need not
	// say so again before the silence changes.
	hushedAfter = 5 * time.Second
	// gapAfter is when the VAD begins to hear what stands in for packets.
	gapAfter = 60 * time.Millisecond
)

// ears are what packets go through on arrival, and the jitter buffer's other
// end. The mutex guards everything in it.
type ears struct {
	mu                   sync.Mutex
	wire                 intake
	law                  g711.Law // of G.711
	scale                int      // of frame
	audio, events, quiet uint8
	receive              bool
	jitter               jitter.Options
	vad                  *vad.Detector
	digits               *dtmf.Decoder
	digitHz              int
	told                 []dtmf.Digit
	ssrc                 uint32
	known                bool // ssrc is meaningful
	flowing              bool
	muted                bool // the peer sends no sound and said so
	lastPacket           time.Time
	calm                 bool             // the last packet of sound was no speech
	hush                 *noise.Generator // nil before there was any
	hushed               bool             // the last packet was comfort noise
	hissing              bool             // and its hiss is what is heard
	whole                bool             // the last frame came from the wire
	concealed            uint64
	lateBefore           uint64 // of jitter buffers before this one
	refused              uint64

	narrow [frameBytes]int16 // a frame as a telephone would carry it, for the VAD
	part   []int16           // of the frame that the next packet completes
	due    uint32            // timestamp of the packet that should come next
	latest uint16            // number of the one before it
	dated  bool              // due and latest are meaningful
	echo   *echo.Guard       // nil: none
	filled atomic.Bool       // what is sent is not ours but music or somebody: nobody of ours talks over it
	held   [echo.MaxHeld][frameBytes]int16
	holds  int     // frames held that may be our own voice
	frame  []int16 // of the tick
	deaf   bool    // and it is our own voice, which nobody need understand
	past   *past
	before []*past // of codecs that were spoken in the last 6 s
}

// arrive is the socket reader's: VAD and digits as soon as there is anything
// to judge, the rest in its own time.
func (l *Leg) arrive(p *rtp.Packet) {
	e := &l.in
	e.mu.Lock()
	if e.receive {
		e.take(p, &l.facts)
	}
	e.mu.Unlock()
	l.facts.deliver()
}

func (e *ears) take(p *rtp.Packet, f *facts) {
	if e.known && p.SSRC != e.ssrc {
		e.wire.reset()
		e.digits.Reset()
		e.dated = false
	}
	e.ssrc, e.known = p.SSRC, true
	e.lastPacket = p.At
	if !e.flowing {
		e.flowing = true
		f.add(actors.Fact{Kind: actors.FactPackets, At: p.At})
	}
	switch {
	case p.PayloadType == e.audio && len(p.Payload) > 0:
		e.hushed = false
		fresh, err := e.wire.push(p.At, p.Sequence, p.Timestamp, p.Payload)
		if err != nil {
			e.refused++
		} else if fresh {
			e.listen(p, f)
		}
	case p.PayloadType == e.events && e.events != 0:
		var err error
		if e.told, err = e.digits.Push(p.At, p.Timestamp, p.Marker, p.Payload, e.told[:0]); err != nil {
			e.refused++
		}
		e.tell(p.At, f)
	case p.PayloadType == noise.PayloadType || p.PayloadType == e.quiet && e.quiet != 0:
		if d, err := noise.Parse(p.Payload); err == nil {
			if e.hush == nil {
				e.hush = new(noise.Generator)
			}
			e.hush.Set(d)
			e.hushed = true
		}
	}
}

// follows says whether a packet is newer than those that the VAD heard, and tells
// the guard what is missing before it. Its number decides: there are peers whose
// timestamps run at another rate than they should, and they are heard as well.
func (e *ears) follows(p *rtp.Packet) bool {
	clock := int64(e.wire.codec.ClockHz)
	ticks, err := e.wire.codec.Ticks(p.Payload)
	if err != nil {
		return true // the decoder says so
	}
	if e.dated && overtaken(p.Sequence, e.latest) {
		return false
	}
	gap, next := int64(int32(p.Timestamp-e.due)), p.Sequence == e.latest+1
	if !e.dated || gap > 3600*clock || next && gap <= int64(ticks) { // another clock
		gap = 0
	}
	e.due, e.latest, e.dated = p.Timestamp+uint32(ticks), p.Sequence, true
	if frames := (gap*50 + clock/2) / clock; frames > 0 {
		e.part = e.part[:0]
		if e.echo != nil {
			e.echo.Missed(int(frames))
		}
	}
	return true
}

// overtaken reports whether a packet comes after a later one. Who is further back
// than that has begun anew (RFC 3550 A.1).
func overtaken(seq, latest uint16) bool {
	const misorder = 100
	behind := int16(latest - seq)
	return behind >= 0 && behind < misorder
}

// listen asks the VAD, 20 ms at a time whatever the packet's length. What comes
// too late is not asked about.
func (e *ears) listen(p *rtp.Packet, f *facts) {
	if !e.follows(p) {
		return
	}
	if !e.wire.plain {
		heard, err := e.wire.preview(p.Sequence, p.Payload)
		if err != nil {
			e.refused++
		}
		for len(heard) > 0 {
			n := min(frameBytes*e.scale, len(heard))
			e.judge(p.At, heard[:n], f)
			heard = heard[n:]
		}
		return
	}
	for payload := p.Payload; len(payload) > 0; {
		n := min(frameBytes, len(payload))
		e.law.Decode(e.narrow[:n], payload[:n])
		e.judge(p.At, e.narrow[:n], f)
		payload = payload[n:]
	}
}

// judge gives the VAD a frame of any rate. It hears the band of a telephone,
// for which it is tuned, and so goes on through a change of codec.
func (e *ears) judge(at time.Time, frame []int16, f *facts) {
	if e.scale > 1 {
		n := len(frame) / 2
		for i := range n {
			e.narrow[i] = int16((int(frame[2*i]) + int(frame[2*i+1])) / 2)
		}
		frame = e.narrow[:n]
	}
	if len(frame) == frameBytes && len(e.part) == 0 {
		e.decide(at, frame, f)
		return
	}
	e.part = append(e.part, frame...) // of packets that are no whole frames
	for ; len(e.part) >= frameBytes; e.part = e.part[:copy(e.part, e.part[frameBytes:])] {
		e.decide(at, e.part[:frameBytes], f)
	}
}

// decide gives the VAD 20 ms at 8 kHz, once it is known whose they are.
func (e *ears) decide(at time.Time, frame []int16, f *facts) {
	switch e.whose(frame) {
	case echo.Held:
		copy(e.held[e.holds][:], frame)
		e.holds++
		return
	case echo.Echo:
		for ; e.holds >= 0; e.holds-- {
			e.voice(at, e.vad.Skip(frameBytes), f)
		}
		e.holds, e.calm = 0, true
		return
	case echo.Clear:
	}
	for i := range e.holds {
		e.voice(at, e.vad.Push(e.held[i][:]), f)
	}
	e.holds = 0
	r := e.vad.Push(frame)
	e.calm = !r.Voiced
	e.voice(at, r, f)
}

// whose says whether a frame is our own voice, come back.
func (e *ears) whose(frame []int16) echo.Verdict {
	switch {
	case e.echo == nil:
		return echo.Clear
	case e.filled.Load():
		e.echo.Missed(1)
		return echo.Clear
	}
	return e.echo.Judge(frame)
}

func (e *ears) voice(at time.Time, r vad.Result, f *facts) {
	if r.RawOn {
		f.add(actors.Fact{Kind: actors.FactRawOn, At: at})
	}
	if r.RawOff {
		f.add(actors.Fact{Kind: actors.FactRawOff, At: at})
	}
	if r.On {
		f.add(actors.Fact{Kind: actors.FactVoiceOn, At: at})
	}
	if r.Off {
		f.add(actors.Fact{Kind: actors.FactVoiceOff, At: at})
	}
}

func (e *ears) tell(at time.Time, f *facts) {
	for _, d := range e.told {
		f.add(actors.Fact{Kind: actors.FactDigit, At: at, Digit: d.Key, Length: d.Length})
	}
	e.told = e.told[:0]
}

// patience is how long nothing may come before the stream counts as stopped.
func (e *ears) patience() time.Duration {
	switch {
	case e.hushed:
		return hushedAfter
	case e.wire.packets != nil && e.calm:
		return pausedAfter
	}
	return silentAfter
}

// tick takes the next frame from the jitter buffer into frame and ring. It
// reports whether there was any sound.
func (e *ears) tick(now time.Time, f *facts) bool {
	e.told = e.digits.Tick(now, e.told[:0])
	e.tell(now, f)
	if e.flowing && !e.muted && now.Sub(e.lastPacket) >= e.patience() {
		e.stop(now, f)
		f.add(actors.Fact{Kind: actors.FactNoPackets, At: now})
	}
	if len(e.before) > 0 && e.past.next-e.before[0].next >= inputFrames {
		e.before = slices.Delete(e.before, 0, 1)
	}
	var sound bool
	if e.wire.plain {
		sound = e.tickPlain(now)
	} else {
		sound = e.tickCoded(now)
	}
	// While the peer sends nothing because nobody speaks, the VAD hears what
	// stands for it.
	if e.flowing && now.Sub(e.lastPacket) >= gapAfter && (e.hissing || e.wire.packets != nil && e.calm) {
		e.judge(now, e.frame, f)
	}
	return sound
}

// ours says whether the frame of this tick is our own voice.
func (e *ears) ours() bool {
	e.deaf = e.echo != nil && !e.filled.Load() && e.echo.Mute()
	return e.deaf
}

func (e *ears) tickPlain(now time.Time) bool {
	slot := e.past.slot(e.past.next)
	e.past.next++
	sound := e.plain(now, slot)
	if e.ours() {
		for i := range slot {
			slot[i] = e.law.Idle()
		}
	}
	return sound
}

func (e *ears) plain(now time.Time, slot []byte) bool {
	payload, status := e.wire.line.Pop(now)
	if e.standIn(status) {
		e.whole = false
		e.law.Encode(slot, e.frame)
		return true
	}
	if status == jitter.Frame {
		e.law.Decode(e.frame, payload)
		e.wire.plc.Good(e.frame)
		if e.whole {
			copy(slot, payload)
			return true
		}
		e.whole = true // its beginning was blended with what was invented
	} else {
		e.whole = false
		e.wire.plc.Lost(e.frame)
		if status == jitter.Lost {
			e.concealed++
		}
	}
	e.law.Encode(slot, e.frame)
	return status != jitter.Empty
}

func (e *ears) tickCoded(now time.Time) bool {
	status, invented := e.wire.next(now, e.frame)
	sound := status != jitter.Empty
	// What is missing because nobody spoke was not invented for a lost packet.
	pause := e.wire.packets != nil && e.calm && !e.wire.packets.Placed()
	h := heard{kind: sampled, frame: e.frame}
	switch {
	case e.wire.made:
		h.kind, h.runs = packed, e.wire.runs
	case e.wire.missing:
		h.kind = missed
	}
	switch {
	case e.standIn(status):
		sound, h.kind = true, sampled
	case e.wire.plc != nil && status == jitter.Frame:
		e.wire.plc.Good(e.frame)
		if !e.whole { // its beginning was blended with what was invented
			h.kind = sampled
		}
	case e.wire.plc != nil:
		e.wire.plc.Lost(e.frame)
	case status == jitter.Empty && e.flowing: // a pause of a coder that sends none
		e.wire.rest(e.frame)
		sound, h.kind = true, missed
	case status == jitter.Empty:
		clear(e.frame)
		h.kind = nothing
	}
	e.whole = status == jitter.Frame
	h.muted = e.ours()
	e.past.put(h)
	if invented && !e.hissing && !pause {
		e.concealed++
	}
	return sound
}

// standIn fills the frame with the hiss the peer described, where it sends
// nothing else, until its sound is back.
func (e *ears) standIn(status jitter.Status) bool {
	if status == jitter.Frame {
		if !e.hushed {
			e.hissing = false
		}
		return false
	}
	e.hissing = e.hissing || e.hushed
	if !e.hissing || !e.flowing {
		return false
	}
	e.hush.Fill(e.frame)
	if e.wire.plc != nil {
		e.wire.plc.Good(e.frame)
	}
	return true
}

// stop is the end of the stream of packets: whatever speech was under way is
// over (voice.md 2, rule e), and what comes next is another beginning.
func (e *ears) stop(now time.Time, f *facts) {
	e.flowing, e.hushed, e.hissing = false, false, false
	e.holds = 0
	e.voice(now, e.vad.Drop(), f)
}

// renegotiate goes on under other terms. The intake is that of another codec,
// nil when the codec stays.
func (e *ears) renegotiate(now time.Time, t Terms, other *intake, f *facts) {
	if other != nil {
		to := scale(other.codec)
		if len(e.before) == 2 { // no more, however often it changes
			e.before = slices.Delete(e.before, 0, 1)
		}
		e.before = append(e.before, e.past)
		e.past = newPast(other.codec, e.past.next)
		if to != e.scale {
			e.frame = rerate(e.frame, e.scale, to)
		}
		e.inherit(other)
		e.law, e.scale = ringLaw(other.codec), to
		e.wire, e.whole, e.dated = *other, false, false
	}
	if t.DTMFHz != e.digitHz {
		e.digits, e.digitHz = dtmf.NewDecoder(t.DTMFHz), t.DTMFHz
	}
	e.audio, e.events, e.quiet = t.PayloadType, t.DTMFType, t.NoiseType
	receive := t.Direction == SendRecv || t.Direction == RecvOnly
	if e.receive && !receive && e.flowing {
		e.stop(now, f)
		e.wire.reset()
	}
	e.receive = receive
}

// inherit gives the next intake what is known of the network and of the line.
func (e *ears) inherit(other *intake) {
	if other.line != nil && e.wire.line != nil { // all codecs of bytes count at 8 kHz
		other.line = e.wire.line
		other.line.Reset()
	} else {
		e.lateBefore += e.wire.late()
	}
	if other.plc != nil && e.wire.plc != nil && scale(other.codec) == e.scale {
		other.plc = e.wire.plc
	}
}

// read readies the frame that listeners get next, or the oldest that is left after
// it: the newest in their narrow, any other in a recall, which may have to hear
// what was before it first. False when it is still to come.
func (e *ears) read(o *listeners) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.next >= e.past.next {
		return false
	}
	o.next = max(o.next, e.past.next-inputFrames)
	if o.next == e.past.next-1 && o.next >= e.past.first {
		o.back = nil
		copy(o.narrow, e.frame)
		if e.deaf {
			clear(o.narrow)
		}
		return true
	}
	p := e.past
	for _, b := range e.before {
		if o.next < b.next {
			p = b
			break
		}
	}
	o.next = max(o.next, p.first) // of what was before that nothing is left
	if r := o.back; r == nil || r.past != p || r.next > o.next || r.next < p.oldest() {
		o.back = newRecall(p, o.next, o.scale)
	}
	o.back.fetch()
	return true
}

// open makes what hears a codec from the beginning of a call.
func (e *ears) open(c codec.Codec, t Terms, voice *vad.Detector, opt jitter.Options) (err error) {
	if e.wire, err = newIntake(c, opt); err != nil {
		return err
	}
	e.law, e.scale, e.jitter = ringLaw(c), scale(c), opt
	e.audio, e.events, e.quiet, e.receive = t.PayloadType, t.DTMFType, t.NoiseType, true
	e.vad, e.digits, e.digitHz = voice, dtmf.NewDecoder(t.DTMFHz), t.DTMFHz
	e.told = make([]dtmf.Digit, 0, 2)
	e.frame = make([]int16, frameBytes*e.scale)
	e.past = newPast(c, 0)
	return nil
}
