package twilio

import (
	"strings"
	"time"
	"unicode/utf8"

	"flametree/actors"
	"flametree/engine/provider"
)

// perRune is how long a character takes to be spoken, about: Twilio does not say
// where it is, only where it was interrupted.
const perRune = 65 * time.Millisecond

// timed gives the words of a clause times from its start, and their end.
func timed(text string) (words []provider.Word, length time.Duration) {
	for w := range strings.FieldsSeq(text) {
		end := length + time.Duration(utf8.RuneCountInString(w)+1)*perRune
		words = append(words, provider.Word{Text: w, Start: length, End: end})
		length = end
	}
	return words, length
}

// script is what is being spoken by somebody else, by the clock: which words of
// which generation are at which time. It has no clock and no lock.
type script struct {
	parts        []part
	newest       uint64
	begun        bool
	flushedBelow uint64
	past         map[uint64]time.Duration // what was heard of generations that are over
	facts        *facts
}

// part is one generation.
type part struct {
	gen            uint64
	words          []provider.Word // from the start of the generation
	length, at     time.Duration   // in all, and spoken so far
	base           int             // words before the talk cycle that Twilio counts from
	ended, talked  bool
	paused, broken bool // broken: Twilio has dropped what is behind at
	marks          []timeMark
}

type timeMark struct {
	id uint64
	at time.Duration
}

func (s *script) part(gen uint64) *part {
	for i := range s.parts {
		if s.parts[i].gen == gen {
			return &s.parts[i]
		}
	}
	return nil
}

func (s *script) dead(gen uint64) bool {
	if gen < s.flushedBelow || s.begun && gen < s.newest {
		return true
	}
	p := s.part(gen)
	return s.begun && gen == s.newest && (p == nil || p.ended)
}

func (s *script) begin(gen uint64) *part {
	if !s.begun || gen > s.newest {
		for i := range s.parts {
			s.parts[i].ended = true
		}
		s.newest, s.begun = gen, true
		s.parts = append(s.parts, part{gen: gen})
	}
	return s.part(gen)
}

// add appends a clause to gen, which is not dead.
func (s *script) add(gen uint64, words []provider.Word, length time.Duration) {
	p := s.begin(gen)
	for _, w := range words {
		w.Start += p.length
		w.End += p.length
		p.words = append(p.words, w)
	}
	p.length += length
}

// tick goes on by d.
func (s *script) tick(now time.Time, d time.Duration) {
	for len(s.parts) > 0 {
		p := &s.parts[0]
		if p.paused || p.broken {
			return
		}
		if p.length > 0 && !p.talked {
			p.talked = true
			s.facts.add(actors.Fact{Kind: actors.FactTalking, At: now, Gen: p.gen})
		}
		step := min(d, p.length-p.at)
		p.at += step
		d -= step
		s.tell(now, p)
		if !p.ended || p.at < p.length {
			return
		}
		s.facts.add(actors.Fact{Kind: actors.FactDrained, At: now, Gen: p.gen, Played: p.length})
		s.drop(1)
	}
}

func (s *script) tell(now time.Time, p *part) {
	n := 0
	for _, m := range p.marks {
		if m.at > p.at {
			break
		}
		s.facts.add(actors.Fact{Kind: actors.FactMark, At: now, Gen: p.gen, Mark: m.id, Played: m.at})
		n++
	}
	p.marks = p.marks[n:]
}

func (s *script) drop(n int) {
	if s.past == nil || len(s.past) > remembered {
		s.past = make(map[uint64]time.Duration)
	}
	for _, p := range s.parts[:n] {
		s.past[p.gen] = p.at
	}
	s.parts = append([]part(nil), s.parts[n:]...)
}

// interrupt stops where Twilio stopped: behind the words it names, else at the
// time it names, else where the clock is.
func (s *script) interrupt(c *cut) {
	if len(s.parts) == 0 {
		return
	}
	p := &s.parts[0]
	n := len(strings.Fields(c.until))
	switch {
	case n > 0:
		p.at = p.wordEnd(p.base + n)
	case c.until == "" && c.after > 0:
		p.at = min(p.wordEnd(p.base)+c.after, p.length)
	}
	p.broken = true
}

// wordEnd is where the first n words end.
func (p *part) wordEnd(n int) time.Duration {
	if n <= 0 || len(p.words) == 0 {
		return 0
	}
	return p.words[min(n, len(p.words))-1].End
}

// again goes on with gen from a place and gives the words Twilio is to be told
// once more.
func (s *script) again(gen uint64, from time.Duration) (text string) {
	p := s.part(gen)
	if p == nil {
		return ""
	}
	if p.broken {
		from = min(max(from, 0), p.length)
		var words []string
		for i, w := range p.words {
			if w.End <= from {
				p.base = i + 1
				continue
			}
			words = append(words, w.Text)
		}
		p.at, text = p.wordEnd(p.base), strings.Join(words, " ")
	}
	p.paused, p.broken = false, false
	return text
}

func (s *script) flush(gen uint64) time.Duration {
	s.flushedBelow = max(s.flushedBelow, gen+1)
	n := 0
	for n < len(s.parts) && s.parts[n].gen <= gen {
		n++
	}
	last := gen
	if n > 0 {
		last = s.parts[n-1].gen
	}
	s.drop(n)
	if !s.begun || gen > s.newest {
		s.newest, s.begun = gen, true
	}
	return s.heard(last)
}

func (s *script) heard(gen uint64) time.Duration {
	if p := s.part(gen); p != nil {
		return p.at
	}
	return s.past[gen]
}
