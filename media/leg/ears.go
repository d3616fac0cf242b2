package leg

import (
	"sync"
	"time"

	"flametree/actors"
	"flametree/media/dtmf"
	"flametree/media/g711"
	"flametree/media/jitter"
	"flametree/media/plc"
	"flametree/media/rtp"
	"flametree/media/vad"
)

const (
	inputFrames = 300                    // 6 s kept for replay
	silentAfter = 400 * time.Millisecond // without packets
)

// ears are what packets go through on arrival, and the jitter buffer's other
// end. The mutex guards everything in it.
type ears struct {
	mu            sync.Mutex
	law           g711.Law
	audio, events uint8
	receive       bool
	vad           *vad.Detector
	jitter        *jitter.Buffer
	plc           *plc.Concealer
	digits        *dtmf.Decoder
	told          []dtmf.Digit
	ssrc          uint32
	known         bool // ssrc is meaningful
	flowing       bool
	lastPacket    time.Time
	whole         bool // the last frame came from the wire
	concealed     uint64
	refused       uint64

	arrived [frameBytes]int16 // of the packet being judged
	frame   [frameBytes]int16 // of the tick
	ring    *[inputFrames * frameBytes]byte
	count   int64 // frames ever put into the ring
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
		e.jitter.Reset()
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
		if e.jitter.Push(p.At, p.Sequence, p.Timestamp, p.Payload) != jitter.Duplicate {
			e.listen(p, f)
		}
	case p.PayloadType == e.events && e.events != 0:
		var err error
		if e.told, err = e.digits.Push(p.At, p.Timestamp, p.Marker, p.Payload, e.told[:0]); err != nil {
			e.refused++
		}
		e.tell(p.At, f)
	}
}

// listen asks the VAD, 20 ms at a time whatever the packet's length.
func (e *ears) listen(p *rtp.Packet, f *facts) {
	for payload := p.Payload; len(payload) > 0; {
		n := min(frameBytes, len(payload))
		e.law.Decode(e.arrived[:n], payload[:n])
		e.voice(p.At, e.vad.Push(e.arrived[:n]), f)
		payload = payload[n:]
	}
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

// tick takes the next frame from the jitter buffer into frame and ring. It
// reports whether there was any sound.
func (e *ears) tick(now time.Time, f *facts) bool {
	e.told = e.digits.Tick(now, e.told[:0])
	e.tell(now, f)
	if e.flowing && now.Sub(e.lastPacket) >= silentAfter {
		e.stop(now, f)
		f.add(actors.Fact{Kind: actors.FactNoPackets, At: now})
	}
	slot := e.ring[e.count%inputFrames*frameBytes:][:frameBytes]
	e.count++
	payload, status := e.jitter.Pop(now)
	if status == jitter.Frame {
		e.law.Decode(e.frame[:], payload)
		e.plc.Good(e.frame[:])
		if e.whole {
			copy(slot, payload)
			return true
		}
		e.whole = true // its beginning was blended with what was invented
	} else {
		e.whole = false
		e.plc.Lost(e.frame[:])
		if status == jitter.Lost {
			e.concealed++
		}
	}
	e.law.Encode(slot, e.frame[:])
	return status != jitter.Empty
}

// stop is the end of the stream of packets: whatever speech was under way is
// over (voice.md 2, rule e), and what comes next is another beginning.
func (e *ears) stop(now time.Time, f *facts) {
	e.flowing = false
	e.voice(now, e.vad.Drop(), f)
}

// renegotiate goes on under other terms.
func (e *ears) renegotiate(now time.Time, t Terms, f *facts) {
	if t.Codec != e.law {
		e.law.Convert(e.ring[:], t.Codec)
		e.law = t.Codec
		e.jitter.Reset()
	}
	e.audio, e.events = t.PayloadType, t.DTMFType
	receive := t.Direction == SendRecv || t.Direction == RecvOnly
	if e.receive && !receive && e.flowing {
		e.stop(now, f)
		e.jitter.Reset()
	}
	e.receive = receive
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
	copy(dst, e.ring[n%inputFrames*frameBytes:][:frameBytes])
	return n, e.law, true
}
