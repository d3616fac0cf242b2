package actorstest

import (
	"time"

	"flametree/actors"
)

// Sent is one frame of speech as it went out.
type Sent struct {
	At  time.Time
	Gen uint64
	Pos int // of the frame in its generation
	sound
}

// playout is the sending half of a Phone, as actors.Leg describes it.
type playout struct {
	segs   []*segment
	newest uint64
	dead   uint64 // generations up to this one were flushed
	hold   uint64 // generations up to this one are paused
	high   map[uint64]int
	sent   []Sent
	room   chan struct{} // closed when there may be room again
}

// segment is one generation's audio.
type segment struct {
	gen           uint64
	frames        []sound
	at, high      int
	ended, talked bool
	ready         time.Time
	marks         []markAt
}

type markAt struct {
	id uint64
	at int
}

const hardLimit = int(2 * time.Second / FrameTime)

func (p *playout) refuses(gen uint64) bool {
	s := p.segment(gen)
	return gen <= p.dead || gen < p.newest || gen == p.newest && s == nil || s != nil && s.ended
}

func (p *playout) segment(gen uint64) *segment {
	for _, s := range p.segs {
		if s.gen == gen {
			return s
		}
	}
	return nil
}

// begin makes gen the newest, if it is not.
func (p *playout) begin(gen uint64) *segment {
	if s := p.segment(gen); s != nil {
		return s
	}
	if gen <= p.newest {
		return nil
	}
	for _, s := range p.segs {
		s.ended = true
	}
	p.newest = gen
	s := &segment{gen: gen}
	p.segs = append(p.segs, s)
	return s
}

func (p *playout) pending() int {
	n := 0
	for _, s := range p.segs {
		n += len(s.frames) - s.at
	}
	return n
}

// tick sends one frame, if there is one, and returns it with what follows.
func (p *playout) tick(now time.Time) (sound, []actors.Fact) {
	var facts []actors.Fact
	var out sound
	if len(p.segs) > 0 && p.segs[0].gen > p.hold {
		s := p.segs[0]
		if s.at < len(s.frames) {
			if !s.talked {
				s.talked = true
				facts = append(facts, actors.Fact{Kind: actors.FactTalking, At: now, Gen: s.gen, Wait: now.Sub(s.ready)})
			}
			out = s.frames[s.at]
			p.sent = append(p.sent, Sent{At: now, Gen: s.gen, Pos: s.at, sound: out})
			s.at++
			s.high = max(s.high, s.at)
			p.wake()
		}
	}
	return out, append(facts, p.settle(now)...)
}

// settle tells the marks and ends that were reached.
func (p *playout) settle(now time.Time) []actors.Fact {
	var facts []actors.Fact
	for len(p.segs) > 0 {
		s := p.segs[0]
		for len(s.marks) > 0 && s.marks[0].at <= s.at {
			facts = append(facts, actors.Fact{
				Kind: actors.FactMark, At: now, Gen: s.gen, Mark: s.marks[0].id, Played: time.Duration(s.marks[0].at) * FrameTime,
			})
			s.marks = s.marks[1:]
		}
		if !s.ended || s.at < len(s.frames) {
			break
		}
		facts = append(facts, actors.Fact{Kind: actors.FactDrained, At: now, Gen: s.gen, Played: time.Duration(len(s.frames)) * FrameTime})
		p.drop()
	}
	return facts
}

// drop forgets the oldest segment, but not how much of it was sent.
func (p *playout) drop() {
	p.high[p.segs[0].gen] = p.segs[0].high
	p.segs = p.segs[1:]
}

func (p *playout) flush(gen uint64) time.Duration {
	p.dead = max(p.dead, gen)
	last := gen
	for len(p.segs) > 0 && p.segs[0].gen <= gen {
		last = p.segs[0].gen
		p.drop()
	}
	if p.hold <= gen {
		p.hold = 0
	}
	p.newest = max(p.newest, gen)
	p.wake()
	return p.reached(last)
}

func (p *playout) resume(gen uint64, from time.Duration) {
	if p.hold == 0 || gen < p.hold {
		return
	}
	p.hold = 0
	if s := p.segment(gen); s != nil {
		back := s.high - int(3*time.Second/FrameTime)
		s.at = min(max(int(from/FrameTime), back, 0), len(s.frames))
	}
}

func (p *playout) reached(gen uint64) time.Duration {
	if s := p.segment(gen); s != nil {
		return time.Duration(s.high) * FrameTime
	}
	return time.Duration(p.high[gen]) * FrameTime
}

// wake lets a waiting Play look again.
func (p *playout) wake() {
	if p.room != nil {
		close(p.room)
		p.room = nil
	}
}
