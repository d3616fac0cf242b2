package leg

import (
	"math"
	"time"

	"flametree/actors"
	"flametree/media/g711"
	"flametree/media/pcm"
)

// Sizes of the playout's reel at 8 kHz, in samples, which are bytes. Inside a leg
// that runs at 16 kHz all are twice as large.
const (
	frameBytes = 160
	hardLimit  = 2 * g711.RateHz // Play waits while more than this is unsent
	refill     = hardLimit / 5   // a waiting Play goes on when 400 ms fit again
	rewind     = 3 * g711.RateHz // kept of what was sent, for Resume
	reelBytes  = 40640           // both, and some frames
	remembered = 8               // finished generations whose length is known
)

// playout is what is to be sent, what was sent lately, and to which generation
// it belongs. It is in µ-law or A-law, the wire's own in G.711. It has no clock and no lock: the leg's
// mutex guards it.
type playout struct {
	law           g711.Law
	scale         int64     // of 8 kHz
	reel          reel      // from what Resume may go back to up to what is written
	written, sent int64     // places in the endless stream of which the reel is a part
	segments      []segment // of generations, in the order they began
	newest        uint64
	begun         bool // newest is meaningful
	flushedBelow  uint64
	paused        bool
	pausedUpTo    uint64
	past          [remembered]played
	pastNext      int
	facts         *facts
}

// segment is one generation's part of the stream.
type segment struct {
	gen        uint64
	start, end int64
	high       int64 // the furthest place ever sent
	ended      bool  // nothing more comes
	talked     bool  // its first packet went out
	ready      time.Time
	marks      []mark
}

type mark struct {
	id uint64
	at int64
}

type played struct {
	gen     uint64
	samples int64
}

func (p *playout) length(samples int64) time.Duration { return pcm.Length(samples, p.rateHz()) }

func (p *playout) rateHz() int { return int(p.scale) * g711.RateHz }

// frame is how many samples last 20 ms.
func (p *playout) frame() int64 { return p.scale * frameBytes }

// full says that Play has to wait, drained that it may go on.
func (p *playout) full() bool { return p.pending() > hardLimit*p.scale }

func (p *playout) drained() bool { return p.pending() <= (hardLimit-refill)*p.scale }

// dead says that nothing of gen may be played any more: it was flushed or
// ended, or a later one has begun.
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

// segment finds a generation that is still in the reel.
func (p *playout) segment(gen uint64) *segment {
	for i := range p.segments {
		if p.segments[i].gen == gen {
			return &p.segments[i]
		}
	}
	return nil
}

// pending is how much is unsent.
func (p *playout) pending() int64 { return p.written - p.sent }

// write appends encoded samples to the newest generation, which is not dead. The
// caller keeps pending at the hard limit and a frame.
func (p *playout) write(now time.Time, samples []int16) {
	s := &p.segments[len(p.segments)-1]
	for len(samples) > 0 {
		room := p.reel.room(p.written, len(samples))
		p.law.Encode(room, samples[:len(room)])
		samples = samples[len(room):]
		p.written += int64(len(room))
	}
	s.end = p.written
	if s.ready.IsZero() && s.end-s.start >= p.frame() {
		s.ready = now
	}
}

// held says that the head of the reel may not be sent now.
func (p *playout) held() bool {
	return p.paused && len(p.segments) > 0 && p.segments[0].gen <= p.pausedUpTo
}

// ready says that take would give a frame.
func (p *playout) ready() bool {
	if len(p.segments) == 0 || p.held() {
		return false
	}
	s := &p.segments[0]
	left := s.end - p.sent
	return left >= p.frame() || s.ended && left > 0
}

// take copies the next frame to dst and reports how many of its samples are
// sound; the rest is silence. None means that there is nothing to send. The
// caller tells sent when the packet is out.
func (p *playout) take(dst []byte) int {
	if !p.ready() {
		return 0
	}
	n := min(p.segments[0].end-p.sent, p.frame())
	p.reel.copy(dst[:n], p.sent)
	for i := n; i < p.frame(); i++ {
		dst[i] = p.law.Idle()
	}
	return int(n)
}

// gone notes that a frame from take went out, and tells what follows from it.
func (p *playout) gone(now time.Time, n int) {
	s := &p.segments[0]
	if !s.talked {
		s.talked = true
		wait := min(max(now.Sub(s.ready), 0), pcm.FrameTime)
		if s.ready.IsZero() {
			wait = 0
		}
		p.facts.add(actors.Fact{Kind: actors.FactTalking, At: now, Gen: s.gen, Wait: wait})
	}
	p.sent += int64(n)
	s.high = max(s.high, p.sent)
	p.reel.forget(p.wanted())
	p.settle(now)
}

// wanted is the first place that Resume may go back to.
func (p *playout) wanted() int64 {
	if len(p.segments) == 0 {
		return p.written
	}
	s := &p.segments[0]
	return max(s.start, s.high-rewind*p.scale, p.written-reelBytes*p.scale)
}

// settle tells the marks and ends that the place of sending has reached.
func (p *playout) settle(now time.Time) {
	for len(p.segments) > 0 {
		s := &p.segments[0]
		reached := 0
		for _, m := range s.marks {
			if m.at > p.sent {
				break
			}
			p.facts.add(actors.Fact{Kind: actors.FactMark, At: now, Gen: s.gen, Mark: m.id, Played: p.length(m.at - s.start)})
			reached++
		}
		s.marks = append(s.marks[:0], s.marks[reached:]...)
		if !s.ended || p.sent < s.end {
			return
		}
		p.facts.add(actors.Fact{Kind: actors.FactDrained, At: now, Gen: s.gen, Played: p.length(s.end - s.start)})
		p.drop(1)
	}
}

// drop forgets the first n segments, but not how much of them was sent. With the
// last of them goes all their sound.
func (p *playout) drop(n int) {
	for _, s := range p.segments[:n] {
		p.past[p.pastNext] = played{s.gen, s.high - s.start}
		p.pastNext = (p.pastNext + 1) % remembered
	}
	p.segments = append(p.segments[:0], p.segments[n:]...)
	if len(p.segments) > 0 {
		p.sent = max(p.sent, p.segments[0].start)
	} else {
		p.sent = p.written
		p.reel.clear(p.written)
	}
}

// mark asks for a fact when all that gen holds so far is sent.
func (p *playout) mark(now time.Time, gen, id uint64) {
	if gen < p.flushedBelow {
		return
	}
	if !p.begun || gen > p.newest {
		p.begin(gen)
	}
	s := p.segment(gen)
	if s == nil { // sent to its end before
		p.facts.add(actors.Fact{Kind: actors.FactMark, At: now, Gen: gen, Mark: id, Played: p.length(p.reached(gen))})
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

func (p *playout) pause(gen uint64) {
	if gen < p.flushedBelow {
		return
	}
	p.paused, p.pausedUpTo = true, gen
}

// resume goes on with gen at a place, as near to it as the reel still holds.
func (p *playout) resume(now time.Time, gen uint64, from time.Duration) {
	if !p.paused || gen < p.flushedBelow || gen < p.pausedUpTo {
		return
	}
	p.paused = false
	for i := range p.segments {
		s := &p.segments[i]
		if s.gen != gen {
			continue
		}
		at := s.start + int64(pcm.Samples(from, p.rateHz()))
		at = max(at, s.start, s.high-rewind*p.scale, p.written-reelBytes*p.scale)
		at = min(at, s.end)
		p.drop(i)
		p.sent = at
		break
	}
	p.settle(now)
}

// flush drops every generation up to gen and says how many samples of gen
// itself were sent, or of the newest before it when gen never began.
func (p *playout) flush(gen uint64) int64 {
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
	return p.reached(last)
}

// reached is how many samples of gen were ever sent.
func (p *playout) reached(gen uint64) int64 {
	if s := p.segment(gen); s != nil {
		return s.high - s.start
	}
	for i := range p.past {
		// Newest first, for a generation number that was used again.
		if g := p.past[(p.pastNext+remembered-1-i)%remembered]; g.gen == gen {
			return g.samples
		}
	}
	return 0
}

// reshape rewrites the reel in another law and at another rate. Every place in
// it keeps its time.
func (p *playout) reshape(law g711.Law, to int64) {
	from := p.scale
	begin := max(p.wanted(), p.reel.oldest()) &^ 1 // pieces begin at even places
	coded := make([]byte, (p.written-begin)&^1)
	p.reel.copy(coded, begin)
	coded = reshape(coded, shape{p.law, int(from)}, shape{law, int(to)})
	p.reel = newReel(reelBytes * int(to))
	p.reel.clear(begin * to / from)
	p.reel.write(begin*to/from, coded)
	p.law, p.scale = law, to
	if from == to {
		return
	}
	place := func(at int64) int64 { return at * to / from }
	p.written, p.sent = place(p.written), place(p.sent)
	for i := range p.segments {
		s := &p.segments[i]
		s.start, s.end, s.high = place(s.start), place(s.end), place(s.high)
		for j := range s.marks {
			s.marks[j].at = place(s.marks[j].at)
		}
	}
	for i := range p.past {
		p.past[i].samples = place(p.past[i].samples)
	}
}
