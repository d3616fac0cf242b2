package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// breath is the longest pause within one stretch of speech: what is longer is
// silence, and sound after it an answer of its own.
const breath = 300 * time.Millisecond

// forever stands for the end of what is not over.
const forever = time.Duration(1<<63 - 1)

// Judge compares a run with the scenario. The verdicts are in the order of the
// file. A step that never began meets none of its expectations.
func Judge(s *Scenario, o *Observed) Report {
	j := judge{s: s, o: o, speech: joined(o.Voice, breath)}
	for i, step := range s.Steps {
		j.step(i, step.Expect)
	}
	j.end(s.End)
	slices.SortStableFunc(j.verdicts, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(uint(a.Step-1), uint(b.Step-1)), cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Col, b.Place.Col))
	})
	r := Report{
		Scenario: s.Name, File: s.File, Agent: s.Agent, Seed: s.Seed, Fault: o.Fault, Ended: o.By, Length: o.Ended,
		Verdicts: j.verdicts, Facts: o.Facts, Answers: j.answers(), Breaks: j.breaks(),
	}
	if o.Facts != nil {
		r.Session, r.Status = o.Facts.Session, o.Facts.Status
	}
	for i, d := range o.Steps {
		if step := s.Steps[i]; loud(step.Act) || step.Act == HangUp {
			r.Caller = append(r.Caller, Span{From: d.First, To: d.Last, Text: Label(step)})
		}
	}
	r.Speaks = j.spoken()
	r.Passed = o.Fault == "" && !slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return !v.Met })
	return r
}

// Label says in a few words what a step does.
func Label(s Step) string {
	switch s.Act {
	case Say:
		return s.Text
	case Play:
		return "[" + s.Text + "]"
	case Sound:
		return "[" + s.Text + "]"
	case Press:
		return "[keys " + s.Text + "]"
	case Wait:
		return fmt.Sprintf("[waits %v]", s.For)
	case Await:
		return "[waits for the agent to hang up]"
	case HangUp:
		return "[hangs up]"
	case Listen:
	}
	return "[listens]"
}

// loud acts are heard at the other end.
func loud(a Act) bool { return a == Say || a == Play || a == Sound || a == Press }

// joined joins stretches that are nearer to each other than a gap.
func joined(in []Span, gap time.Duration) []Span {
	var out []Span
	for _, s := range in {
		if n := len(out); n > 0 && s.From-out[n-1].To < gap {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

type judge struct {
	s        *Scenario
	o        *Observed
	speech   []Span
	verdicts []Verdict
	at       int // the step that is judged, from 1; 0 = the whole call
}

func (j *judge) say(p Place, key, want, got string, met bool) {
	j.verdicts = append(j.verdicts, Verdict{Step: j.at, Place: p, Key: key, Want: want, Got: got, Met: met})
}

// window is the time from the beginning of a step to that of the next one that
// is heard, and where the last sound of the caller before or in it was.
type window struct {
	from, to    time.Duration
	first, last time.Duration // of the caller's sound that delays count from
	sound       bool
}

func (j *judge) window(i int) window {
	w := window{from: j.o.Steps[i].First, to: forever}
	if i == 0 && j.s.Steps[0].Act == Listen {
		w.from = 0 // the greeting may be heard before anybody waits for it
	}
	for k := i; k >= 0 && !w.sound; k-- {
		if loud(j.s.Steps[k].Act) {
			w.first, w.last, w.sound = j.o.Steps[k].First, j.o.Steps[k].Last, true
		}
	}
	for k := i + 1; k < len(j.o.Steps); k++ {
		if a := j.s.Steps[k].Act; loud(a) || a == HangUp {
			w.to = j.o.Steps[k].First
			break
		}
	}
	return w
}

func (j *judge) step(i int, e Expect) {
	j.at = i + 1
	if i >= len(j.o.Steps) {
		j.missed(e)
		return
	}
	w := j.window(i)
	j.words(e, w)
	j.delays(e, w)
	j.facts(e, w)
}

// missed tells that a step never began.
func (j *judge) missed(e Expect) {
	probe := judge{s: j.s, o: &Observed{Facts: &Facts{}}, at: j.at}
	probe.words(e, window{})
	probe.delays(e, window{sound: true})
	probe.facts(e, window{})
	for _, v := range probe.verdicts {
		v.Met, v.Got = false, "the call did not come to this step"
		j.verdicts = append(j.verdicts, v)
	}
}

func (j *judge) end(e Expect) {
	j.at = 0
	w := window{to: forever}
	j.words(e, w)
	j.facts(e, w)
	if e.Status.Text != "" {
		j.inside(e.Status.Place, "status", e.Status.Text, func(f *Facts) (string, bool) {
			got := f.Status
			if got == "" {
				got = "open"
			}
			return got, got == e.Status.Text
		})
	}
	if e.Recording != nil {
		j.inside(e.Recording.Place, "recording", yes(e.Recording.On), func(f *Facts) (string, bool) {
			return yes(f.Recording), f.Recording == e.Recording.On
		})
	}
	if e.Every.Of > 0 {
		worst := Answer{}
		for _, a := range j.answers() {
			if a.Took > worst.Took {
				worst = a
			}
		}
		got := "no answer was heard"
		if worst.Step > 0 {
			got = fmt.Sprintf("the slowest took %s, to step %d", show(worst.Took), worst.Step)
		}
		j.say(e.Every.Place, "every_answer_within", show(e.Every.Of), got, worst.Step > 0 && worst.Took <= e.Every.Of)
	}
	if e.Lasts.Of > 0 {
		j.say(e.Lasts.Place, "lasts_at_most", show(e.Lasts.Of), show(j.o.Ended), j.o.Ended <= e.Lasts.Of)
	}
}

// words judges what was recognised.
func (j *judge) words(e Expect, w window) {
	var said []string
	for _, x := range j.o.Words {
		if x.At >= w.from && x.At < w.to {
			said = append(said, words(x.Text)...)
		}
	}
	got := quote(strings.Join(said, " "))
	for _, t := range e.Says {
		share := heard(t.Text, said)
		j.say(t.Place, "says", j.wanted(t.Text), j.share(share, got), share >= j.s.Right)
	}
	if len(e.SaysAny) > 0 {
		best, all := 0.0, make([]string, len(e.SaysAny))
		for i, t := range e.SaysAny {
			best, all[i] = max(best, heard(t.Text, said)), t.Text
		}
		j.say(e.SaysAny[0].Place, "says_any", j.wanted(all...), j.share(best, got), best >= j.s.Right)
	}
	for _, t := range e.SaysNot {
		share := heard(t.Text, said)
		j.say(t.Place, "says_not", quote(t.Text)+" is not heard", j.share(share, got), share < j.s.Right)
	}
}

func (j *judge) wanted(phrases ...string) string {
	for i, p := range phrases {
		phrases[i] = quote(p)
	}
	return fmt.Sprintf("%s, %.0f %% of the words", strings.Join(phrases, " or "), 100*j.s.Right)
}

func (j *judge) share(share float64, got string) string {
	return fmt.Sprintf("%.0f %% in %s", 100*share, got)
}

func quote(s string) string {
	if s == "" {
		return "no word"
	}
	return "“" + clip(s, 300) + "”"
}

func show(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func yes(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}
