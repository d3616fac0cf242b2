package leg

import (
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

const inputFrames = 300 // 6 s kept for replay

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
	law                  g711.Law // of the ring
	scale                int      // of frame and ring
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
	echo   *echo.Guard       // nil: none
	filled atomic.Bool       // what is sent is not ours but music or somebody: nobody of ours talks over it
	held   [echo.MaxHeld][frameBytes]int16
	holds  int     // frames held that may be our own voice
	frame  []int16 // of the tick
	ring   []byte
	count  int64 // frames ever put into the ring
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

// listen asks the VAD, 20 ms at a time whatever the packet's length.
func (e *ears) listen(p *rtp.Packet, f *facts) {
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
	if e.echo == nil || len(frame) != frameBytes || e.filled.Load() {
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
	slot := e.slot(e.count)
	e.count++
	var sound bool
	if e.wire.plain {
		sound = e.tickPlain(now, slot)
	} else {
		sound = e.tickCoded(now, slot)
	}
	if e.echo != nil && !e.filled.Load() && e.echo.Mute() { // nobody need understand what we say ourselves
		for i := range slot {
			slot[i] = e.law.Idle()
		}
	}
	// While the peer sends nothing because nobody speaks, the VAD hears what
	// stands for it.
	if e.flowing && now.Sub(e.lastPacket) >= gapAfter && (e.hissing || e.wire.packets != nil && e.calm) {
		e.judge(now, e.frame, f)
	}
	return sound
}

func (e *ears) slot(n int64) []byte {
	size := frameBytes * e.scale
	return e.ring[int(n%inputFrames)*size:][:size]
}

func (e *ears) tickPlain(now time.Time, slot []byte) bool {
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

func (e *ears) tickCoded(now time.Time, slot []byte) bool {
	status, invented := e.wire.next(now, e.frame)
	sound := status != jitter.Empty
	switch {
	case e.standIn(status):
		sound = true
	case e.wire.plc != nil && status == jitter.Frame:
		e.wire.plc.Good(e.frame)
	case e.wire.plc != nil:
		e.wire.plc.Lost(e.frame)
	case status == jitter.Empty && e.flowing: // a pause of a coder that sends none
		e.wire.rest(e.frame)
		sound = true
	case status == jitter.Empty:
		clear(e.frame)
	}
	// What is missing because nobody spoke was not invented for a lost packet.
	pause := e.wire.packets != nil && e.calm && !e.wire.packets.Placed()
	if invented && !e.hissing && !pause {
		e.concealed++
	}
	e.law.Encode(slot, e.frame)
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
		size := frameBytes * e.scale
		e.ring = reshape(e.ring, int(e.count%inputFrames)*size, shape{e.law, e.scale}, shape{ringLaw(other.codec), to})
		if to != e.scale {
			e.frame = rerate(e.frame, e.scale, to)
		}
		e.inherit(other)
		e.law, e.scale = ringLaw(other.codec), to
		e.wire, e.whole = *other, false
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

// read copies frame n, or the oldest that is left after it, and reports which
// it was; false when n is still to come.
func (e *ears) read(n int64, dst []byte) (int64, g711.Law, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n >= e.count {
		return n, e.law, false
	}
	n = max(n, e.count-inputFrames)
	copy(dst, e.slot(n))
	return n, e.law, true
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
	e.ring = make([]byte, inputFrames*frameBytes*e.scale)
	return nil
}
