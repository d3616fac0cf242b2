package voice

import (
	"fmt"
	"math"
	"time"

	"flametree/bench/report"
	"flametree/bench/rig"
	"flametree/engine/event"
)

// figures is everything measured about the calls of a run, in milliseconds.
type figures struct {
	overhead, silence, afterYield, interrupt, pacing, setup, answer, pacerWait []float64
	stages                                                                     map[string][]float64

	turnsSaid, turnsClosed          int
	understood, answered            int
	guesses, ahead                  int
	refused                         int // dials, before they were taken
	interruptions, yields           int
	sent, received, legSent, legSaw float64
	lost                            int
	talked, recorded                time.Duration
	onLine, voiced                  time.Duration
	faults                          []string
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// judge compares what the callers saw with what the journal tells.
func judge(calls []called, journal map[string]*history, s rig.Script) figures {
	f := figures{stages: map[string][]float64{}}
	for _, c := range calls {
		if c.Fault != "" {
			f.faults = append(f.faults, c.Fault)
		}
		if c.ID == "" {
			continue
		}
		f.caller(c)
		h := journal[c.ID]
		if h == nil {
			f.faults = append(f.faults, fmt.Sprintf("call %s is not in the journal", c.ID))
			continue
		}
		f.leg(h)
		f.turns(c, h, s)
		f.silences(c, h)
	}
	return f
}

// caller adds what one caller counted.
func (f *figures) caller(c called) {
	f.setup = append(f.setup, millis(c.Setup))
	f.refused += c.Refused
	f.answer = append(f.answer, millis(c.Answer))
	f.turnsSaid += c.Turns
	f.interruptions += len(c.Interruptions)
	f.sent += float64(c.Sent)
	f.received += float64(c.Received)
	f.lost += c.Lost
	f.onLine += c.Talked
	f.voiced += c.Voiced
	for _, gap := range c.Gaps {
		f.pacing = append(f.pacing, math.Abs(float64(gap)/1000-20))
	}
}

// leg adds what the server counted.
func (f *figures) leg(h *history) {
	f.recorded += h.recorded
	if h.ended == nil {
		f.faults = append(f.faults, fmt.Sprintf("call %s has no end in the journal", h.sipID))
		return
	}
	f.legSaw += float64(h.ended.Received + h.ended.Lost)
	f.legSent += float64(h.ended.Sent)
	f.lost += int(h.ended.Lost)
	f.talked += h.ended.Talked
}

// turns measures the overhead of each turn that was committed.
func (f *figures) turns(c called, h *history, s rig.Script) {
	for _, d := range h.decisions {
		if d.kind == "speculate" {
			f.guesses++
		}
	}
	commits := h.commits()
	f.turnsClosed += len(commits)
	for i, d := range commits {
		from, to := h.began+int64(d.at), int64(math.MaxInt64)
		if i+1 < len(commits) {
			to = h.began + int64(commits[i+1].at)
		}
		first, ok := firstSound(c.Spurts, from, to)
		stages := h.stages[h.turns[d.end]]
		if !ok || stages == nil {
			continue
		}
		f.answered++
		if d.deaf { // its answer needs no model
			continue
		}
		f.understood++
		if d.ahead > 0 {
			f.ahead++
		}
		wait := took(stages, "pacer")
		over := time.Duration(first-from) - max(0, s.FirstToken-d.ahead) - s.FirstByte - wait
		f.overhead = append(f.overhead, millis(over))
		f.pacerWait = append(f.pacerWait, millis(wait))
		for _, st := range stages {
			f.stages[st.Name] = append(f.stages[st.Name], millis(st.Took))
		}
	}
}

// commit is a turn that was closed.
type commit struct {
	decision
	ahead time.Duration // by how much the model was asked before it, on words that proved right
}

// commits lists the turns that were closed. A model that was asked ahead has
// had that much of its scripted delay before the commit.
func (h *history) commits() []commit {
	var out []commit
	var asked time.Duration
	adopted := false
	for _, d := range h.decisions {
		switch d.kind {
		case "speculate":
			asked = d.at
		case "adopt_speculation":
			adopted = true
		case "close_turn":
			c := commit{decision: d}
			if adopted {
				c.ahead = d.at - asked
			}
			out, adopted = append(out, c), false
		}
	}
	return out
}

func took(stages []event.Stage, name string) time.Duration {
	for _, s := range stages {
		if s.Name == name {
			return s.Took
		}
	}
	return 0
}

// firstSound is the arrival of the first packet with sound in [from, to).
func firstSound(spurts []spurt, from, to int64) (int64, bool) {
	for _, s := range spurts {
		if s.First >= from {
			return s.First, s.First < to
		}
	}
	return 0, false
}

// silences measures, for each yield, how long the agent was still heard.
func (f *figures) silences(c called, h *history) {
	var paused time.Duration
	isPaused, n := false, 0
	for i, d := range h.decisions {
		switch d.kind {
		case "pause":
			paused, isPaused = d.at, true
		case "resume":
			isPaused = false
		case "yield":
			f.yields++
			decided := d.at
			if isPaused {
				decided = paused
			}
			isPaused = false
			last := lastSound(c.Spurts, h.began+int64(nextCommit(h.decisions[i:])))
			f.silence = append(f.silence, since(last, h.began+int64(decided)))
			f.afterYield = append(f.afterYield, since(last, h.began+int64(d.at)))
			if n < len(c.Interruptions) {
				f.interrupt = append(f.interrupt, since(last, c.Interruptions[n]))
			}
			n++
		}
	}
}

// since is in milliseconds; what was over before it was decided took no time.
func since(last, decided int64) float64 { return millis(time.Duration(max(0, last-decided))) }

// nextCommit is when the next turn is closed: what sounds after that is another
// reply.
func nextCommit(decisions []decision) time.Duration {
	for _, d := range decisions {
		if d.kind == "close_turn" {
			return d.at
		}
	}
	return math.MaxInt64 / 4
}

// lastSound is the arrival of the last packet with sound before to; 0 for none.
func lastSound(spurts []spurt, to int64) int64 {
	last := int64(0)
	for _, s := range spurts {
		if s.First < to {
			last = min(s.Last, to)
		}
	}
	return last
}

// checks are the sums that must come out.
func (f *figures) checks() []report.Check {
	return []report.Check{
		{Name: "packets: callers sent, legs received or missed", Left: f.sent, Right: f.legSaw},
		{Name: "packets: legs sent, callers received", Left: f.legSent, Right: f.received},
		{Name: "seconds: recorded, talked", Left: f.recorded.Seconds(), Right: f.talked.Seconds()},
		{Name: "turns: said, closed", Left: float64(f.turnsSaid), Right: float64(f.turnsClosed)},
		{Name: "turns: closed, answered", Left: float64(f.turnsClosed), Right: float64(f.answered)},
		{Name: "turns: answered, understood", Left: float64(f.answered), Right: float64(f.understood)},
		{Name: "yields: interruptions, yields", Left: float64(f.interruptions), Right: float64(f.yields)},
	}
}
