package turns

import (
	"fmt"
	"time"
)

// tally is what one agent did with all its calls.
type tally struct {
	calls, turns  int
	cut           int // turns in which the agent began to speak or committed before the caller had finished
	dead          int // turns after which the agent was not heard for 1.5 s
	falseResumes  int // times the agent went on over a caller who had taken the floor
	interruptions int
	missed        int // interruptions that did not silence the agent
	asides        int // murmurs and coughs over the agent
	stops         int // of them, those for which it gave up its reply
	pauses        int // of them, those for which it paused and went on
	response      []float64
	byClass       map[string][]float64 // response
	stop          []float64            // from an interruption to the agent's last packet
	pausing       int                  // turns with a pause that the fixed rule does not outlast
	committed     map[string]int       // why turns were committed
	lost          int
	cases         []string // what went wrong, for people
}

const (
	deadAir = 1500 * time.Millisecond
	// reaction is what an agent may take to notice a caller who begins with it.
	reaction = 400 * time.Millisecond
	// silenced is how long an interruption may take to be noticed.
	silenced = 1500 * time.Millisecond
	// resumed is how long before a sound its decision was.
	resumed = 150 * time.Millisecond
)

// judge takes one call into the tally.
func (t *tally) judge(s *seen, h *history) {
	t.calls++
	t.lost += s.lost
	for i := range s.turns {
		t.turn(s, h, i)
	}
	for _, a := range s.asides {
		t.aside(a, h)
	}
	for _, d := range h.decisions {
		if d.kind == "close_turn" {
			if t.committed == nil {
				t.committed = map[string]int{}
			}
			t.committed[d.why]++
		}
	}
}

func (t *tally) turn(s *seen, h *history, i int) {
	said := s.turns[i]
	t.turns++
	for _, g := range said.says {
		if g.pause > 700*time.Millisecond {
			t.pausing++
			break
		}
	}
	if why, at := cutOff(said, s.agent, h); why != "" {
		t.cut++
		t.tell("cut off by %s at %d ms: %s", why, at.Sub(said.from).Milliseconds(), dialogue{steps: []step{said.step}})
	}
	t.falseResumes += resumes(said, h)
	if said.begins == interrupts {
		t.interruption(said, s.agent)
	}
	t.answer(said, s, i)
}

// cutOff looks for a commit within a turn, or for the agent's first sound in it.
func cutOff(said uttered, agent []span, h *history) (why string, at time.Time) {
	for _, d := range h.decisions {
		if d.kind == "close_turn" && d.at.After(said.from) && d.at.Before(said.to) && d.ended.After(said.from) {
			return "a commit (" + d.why + ")", d.at
		}
	}
	from := said.from
	if said.begins != answers {
		from = from.Add(reaction)
	}
	for _, a := range agent {
		if a.from.After(from) && a.from.Before(said.to) && !h.near("resume", a.from) {
			return "a sound", a.from
		}
	}
	return "", time.Time{}
}

// near reports whether a decision was taken just before at.
func (h *history) near(kind string, at time.Time) bool {
	for _, d := range h.decisions {
		if d.kind == kind && !d.at.After(at) && at.Sub(d.at) < resumed {
			return true
		}
	}
	return false
}

// resumes counts how often the agent went on within a turn.
func resumes(said uttered, h *history) int {
	n := 0
	for _, d := range h.decisions {
		if d.kind == "resume" && d.at.After(said.from) && d.at.Before(said.to) {
			n++
		}
	}
	return n
}

func (t *tally) interruption(said uttered, agent []span) {
	for _, a := range agent {
		if a.from.Before(said.from) && a.to.After(said.from) {
			t.interruptions++
			took := a.to.Sub(said.from)
			t.stop = append(t.stop, float64(took)/float64(time.Millisecond))
			if took > silenced {
				t.missed++
				t.tell("not silenced: %s", dialogue{steps: []step{said.step}})
			}
			return
		}
	}
}

// answer times the response: the agent's first sound after the turn.
func (t *tally) answer(said uttered, s *seen, i int) {
	for _, a := range s.agent {
		switch {
		case a.from.Before(said.to) && a.to.After(said.to):
			return // it speaks already: a cut-off, or not silenced
		case a.from.Before(said.to):
			continue
		case i+1 < len(s.turns) && a.from.After(s.turns[i+1].from):
			// It was silent until the caller went on.
		default:
			took := a.from.Sub(said.to)
			ms := float64(took) / float64(time.Millisecond)
			t.response = append(t.response, ms)
			if t.byClass == nil {
				t.byClass = map[string][]float64{}
			}
			t.byClass[said.class] = append(t.byClass[said.class], ms)
			if took > deadAir {
				t.dead++
				t.tell("dead air of %d ms: %s", took.Milliseconds(), dialogue{steps: []step{said.step}})
			}
			return
		}
		break
	}
	t.dead++
	t.tell("no answer: %s", dialogue{steps: []step{said.step}})
}

// aside judges what a murmur or a cough did.
func (t *tally) aside(a made, h *history) {
	t.asides++
	paused := false
	for _, d := range h.decisions {
		if d.at.Before(a.from) || d.at.After(a.to.Add(deadAir)) {
			continue
		}
		switch d.kind {
		case "yield":
			t.stops++
			t.tell("gave up (%s) for %q", d.why, a.text)
			return
		case "pause":
			paused = true
		}
	}
	if paused {
		t.pauses++
	}
}

// tell keeps a case for people.
func (t *tally) tell(format string, args ...any) {
	t.cases = append(t.cases, fmt.Sprintf(format, args...))
}
