package twilio

import (
	"math"
	"time"

	"flametree/actors"
	"flametree/media/g711"
	"flametree/media/pcm"
)

// Sizes of the playout in samples, which are bytes of µ-law.
const (
	wireHz     = g711.RateHz
	frameBytes = wireHz / 50
	hardLimit  = 2 * wireHz     // Play waits while more than this is unsent
	refill     = hardLimit / 5  // a waiting Play goes on when 400 ms fit again
	rewind     = 3 * wireHz     // kept of what was sent, for Resume
	ringBytes  = 40640          // both, and some frames
	markBytes  = 2 * frameBytes // markEvery
	remembered = 8              // finished generations whose length is known
)

// How far ahead of the ear may be sent.
const (
	lead       = 100 * time.Millisecond // of the clock
	window     = 200 * time.Millisecond // of the last mark that came back
	markEvery  = 40 * time.Millisecond
	stallAfter = 5 * time.Second // without a mark that is due
)

const windowBytes = int64(window/pcm.FrameTime) * frameBytes

// playout is what is to be sent, what was sent lately, to which generation it
// belongs and how far it was heard. It has no clock and no lock.
//
// Places count samples of an endless stream; the wire counts bytes that were
// sent, and goes on when a place is sent again.
type playout struct {
	ring                 []byte
	written, sent, heard int64
	segments             []segment // of generations, in the order they began
	newest               uint64
	begun                bool // newest is meaningful
	flushedBelow         uint64
	paused               bool
	pausedUpTo           uint64
	past                 [remembered]played
	pastNext             int
	facts                *facts

	wire, acked int64     // bytes sent, and of them surely played or cleared
	dirty       bool      // something was sent since the last clear of a flush
	marks       []waymark // on their way, the oldest first
	named       uint64    // the last mark's
	ends        time.Time // when all that was sent will have been played, by the clock
}

// segment is one generation's part of the stream.
type segment struct {
	gen              uint64
	start, end, high int64 // high is the furthest place ever heard
	ended, talked    bool
	ready            time.Time
	marks            []mark
}

type mark struct {
	id uint64
	at int64
}

// waymark is a mark that Twilio will send back.
type waymark struct {
	name        uint64
	wire, place int64
	due         time.Time
}

type played struct {
	gen     uint64
	samples int64
}

func length(samples int64) time.Duration { return pcm.Length(samples, wireHz) }

func (p *playout) pending() int64 { return p.written - p.sent }
func (p *playout) full() bool     { return p.pending() > hardLimit }
func (p *playout) drained() bool  { return p.pending() <= hardLimit-refill }

// dead says that nothing of gen may be played any more.
func (p *playout) dead(gen uint64) bool {
	switch {
	case gen < p.flushedBelow:
		return true
	case !p.begun || gen > p.newest:
		return false
	}
	s := p.segment(gen)
	return gen < p.newest || s == nil || s.ended
}

// begin makes gen the one that is written to. The one before it has ended.
func (p *playout) begin(gen uint64) {
	if p.begun && gen == p.newest {
		return
	}
	if n := len(p.segments); n > 0 {
		p.segments[n-1].ended = true
	}
	p.newest, p.begun = gen, true
	p.segments = append(p.segments, segment{gen: gen, start: p.written, end: p.written, high: p.written})
}

func (p *playout) segment(gen uint64) *segment {
	for i := range p.segments {
		if p.segments[i].gen == gen {
			return &p.segments[i]
		}
	}
	return nil
}

// write appends samples to the newest generation, which is not dead.
func (p *playout) write(now time.Time, samples []int16) {
	s := &p.segments[len(p.segments)-1]
	for len(samples) > 0 {
		at := p.written % int64(len(p.ring))
		n := min(int64(len(samples)), int64(len(p.ring))-at)
		g711.MuLaw.Encode(p.ring[at:at+n], samples[:n])
		samples = samples[n:]
		p.written += n
	}
	s.end = p.written
	if s.ready.IsZero() && s.end-s.start >= frameBytes {
		s.ready = now
	}
}

// sending finds the segment of the next sample to send, nil if there is none.
func (p *playout) sending() *segment {
	for i := range p.segments {
		s := &p.segments[i]
		if p.sent < s.end || !s.ended {
			return s
		}
	}
	return nil
}

// ready reports the segment a whole frame can be sent of, or the rest of it.
func (p *playout) ready() *segment {
	s := p.sending()
	if s == nil || p.paused && s.gen <= p.pausedUpTo {
		return nil
	}
	left := s.end - p.sent
	if left >= frameBytes || s.ended && left > 0 {
		return s
	}
	return nil
}

// room says that the ear is near enough for another frame.
func (p *playout) room(now time.Time) bool {
	return p.wire-p.acked+frameBytes <= windowBytes && p.ahead(now)+pcm.FrameTime <= lead
}

func (p *playout) ahead(now time.Time) time.Duration { return max(0, p.ends.Sub(now)) }

// take copies the next frame to dst and says how much of it there is; the rest
// is silence. The caller tells gone when it was sent.
func (p *playout) take(dst []byte) int {
	s := p.ready()
	if s == nil {
		return 0
	}
	n := min(s.end-p.sent, frameBytes)
	at := p.sent % int64(len(p.ring))
	m := copy(dst[:n], p.ring[at:])
	copy(dst[m:n], p.ring)
	for i := n; i < frameBytes; i++ {
		dst[i] = g711.MuLaw.Idle()
	}
	return int(n)
}

// gone notes that a frame from take went out.
func (p *playout) gone(now time.Time, n int) {
	s := p.sending()
	if !s.talked {
		s.talked = true
		wait := time.Duration(0)
		if !s.ready.IsZero() {
			wait = min(max(now.Sub(s.ready), 0), pcm.FrameTime)
		}
		p.facts.add(actors.Fact{Kind: actors.FactTalking, At: now, Gen: s.gen, Wait: wait})
	}
	p.sent += int64(n)
	p.spent(now)
}

// spent counts a frame on the wire, of a generation or of a filler.
func (p *playout) spent(now time.Time) {
	p.wire += frameBytes
	p.dirty = true
	if p.ends.Before(now) {
		p.ends = now
	}
	p.ends = p.ends.Add(pcm.FrameTime)
}

// markDue says that a mark is to follow: enough was sent since the last, or
// nothing more is there to be sent.
func (p *playout) markDue() bool {
	last := p.acked
	if n := len(p.marks); n > 0 {
		last = p.marks[n-1].wire
	}
	return p.wire-last >= markBytes || p.wire > last && p.ready() == nil
}

// put notes that a mark goes out now, and gives its name.
func (p *playout) put() uint64 {
	p.named++
	p.marks = append(p.marks, waymark{name: p.named, wire: p.wire, place: p.sent, due: p.ends})
	return p.named
}

// reachedMark takes a mark that came back. One that is not awaited is of sound that
// was cleared, or nobody's: it tells nothing. It reports whether it was awaited.
func (p *playout) reachedMark(now time.Time, name uint64) bool {
	for i, m := range p.marks {
		if m.name != name {
			continue
		}
		p.acked = m.wire
		p.marks = append(p.marks[:0], p.marks[i+1:]...)
		p.hear(m.place)
		p.settle(now)
		return true
	}
	return false
}

// stalled says that a mark is long overdue.
func (p *playout) stalled(now time.Time) bool {
	return len(p.marks) > 0 && now.Sub(p.marks[0].due) > stallAfter
}

// hear moves the place of the ear.
func (p *playout) hear(place int64) {
	p.heard = max(p.heard, place)
	for i := range p.segments {
		s := &p.segments[i]
		s.high = max(s.high, min(place, s.end), s.start)
	}
}

// settle tells the marks and ends that the ear has reached.
func (p *playout) settle(now time.Time) {
	for len(p.segments) > 0 {
		s := &p.segments[0]
		n := 0
		for _, m := range s.marks {
			if m.at > p.heard {
				break
			}
			p.facts.add(actors.Fact{Kind: actors.FactMark, At: now, Gen: s.gen, Mark: m.id, Played: length(m.at - s.start)})
			n++
		}
		s.marks = append(s.marks[:0], s.marks[n:]...)
		if !s.ended || p.heard < s.end {
			return
		}
		p.facts.add(actors.Fact{Kind: actors.FactDrained, At: now, Gen: s.gen, Played: length(s.end - s.start)})
		p.drop(1)
	}
}

// drop forgets the first n segments, but not how much of them was heard.
func (p *playout) drop(n int) {
	for _, s := range p.segments[:n] {
		p.past[p.pastNext] = played{s.gen, s.high - s.start}
		p.pastNext = (p.pastNext + 1) % remembered
	}
	p.segments = append(p.segments[:0], p.segments[n:]...)
	first := p.written
	if len(p.segments) > 0 {
		first = p.segments[0].start
	}
	p.sent, p.heard = max(p.sent, first), max(p.heard, first)
}

func (p *playout) mark(now time.Time, gen, id uint64) {
	if gen < p.flushedBelow {
		return
	}
	if !p.begun || gen > p.newest {
		p.begin(gen)
	}
	s := p.segment(gen)
	if s == nil { // heard to its end before
		p.facts.add(actors.Fact{Kind: actors.FactMark, At: now, Gen: gen, Mark: id, Played: length(p.reached(gen))})
		return
	}
	s.marks = append(s.marks, mark{id, s.end})
	p.settle(now)
}

func (p *playout) end(now time.Time, gen uint64) {
	if gen < p.flushedBelow {
		return
	}
	if !p.begun || gen > p.newest {
		p.begin(gen)
	}
	if s := p.segment(gen); s != nil {
		s.ended = true
		if s.ready.IsZero() {
			s.ready = now
		}
	}
	p.settle(now)
}

// cleared notes that Twilio was told to drop its buffer: what was on the way
// will not be heard, and marks that come back now tell nothing.
func (p *playout) cleared(now time.Time) {
	p.acked, p.marks, p.ends = p.wire, p.marks[:0], now
}

// pause reports whether the buffer is to be cleared.
func (p *playout) pause(now time.Time, gen uint64) bool {
	if gen < p.flushedBelow {
		return false
	}
	p.paused, p.pausedUpTo = true, gen
	if p.wire == p.acked {
		return false
	}
	p.sent = p.heard
	p.cleared(now)
	return true
}

// resume goes on with gen at a place, as near to it as the ring still holds. It
// reports whether the buffer is to be cleared, for what is in it stands elsewhere.
func (p *playout) resume(now time.Time, gen uint64, from time.Duration) (wipe bool) {
	if !p.paused || gen < p.flushedBelow || gen < p.pausedUpTo {
		return false
	}
	p.paused = false
	for i := range p.segments {
		s := &p.segments[i]
		if s.gen != gen {
			continue
		}
		at := s.start + int64(pcm.Samples(from, wireHz))
		at = max(at, s.start, s.high-rewind, p.written-int64(len(p.ring)))
		at = min(at, s.end)
		p.drop(i)
		if wipe = p.sent != at && p.wire != p.acked; wipe {
			p.cleared(now)
		}
		if p.sent != at {
			p.sent, p.heard = at, at
		}
		break
	}
	p.settle(now)
	return wipe
}

// flush drops every generation up to gen, says how many samples of the newest of
// them were heard, and whether the buffer is to be cleared.
func (p *playout) flush(now time.Time, gen uint64) (samples int64, wipe bool) {
	if gen == math.MaxUint64 {
		gen--
	}
	p.flushedBelow = max(p.flushedBelow, gen+1)
	n := 0
	for n < len(p.segments) && p.segments[n].gen <= gen {
		n++
	}
	last := gen
	if n > 0 {
		last = p.segments[n-1].gen
	}
	p.drop(n)
	if p.paused && p.pausedUpTo <= gen {
		p.paused = false
	}
	if !p.begun || gen > p.newest {
		p.newest, p.begun = gen, true
	}
	wipe = p.dirty
	if wipe {
		p.dirty = false
		p.sent = p.heard // of what follows, what went out before is sent again
		p.cleared(now)
	}
	return p.reached(last), wipe
}

// reached is how many samples of gen were ever heard.
func (p *playout) reached(gen uint64) int64 {
	if s := p.segment(gen); s != nil {
		return s.high - s.start
	}
	for i := range p.past {
		if g := p.past[(p.pastNext+remembered-1-i)%remembered]; g.gen == gen {
			return g.samples
		}
	}
	return 0
}

// due is when a mark should have been played.
func (p *playout) due(name uint64) (time.Time, bool) {
	for _, m := range p.marks {
		if m.name == name {
			return m.due, true
		}
	}
	return time.Time{}, false
}
