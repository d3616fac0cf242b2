package scenario

import (
	"slices"
	"strings"
	"time"
)

// delays judges when the agent was heard and when not.
func (j *judge) delays(e Expect, w window) {
	if e.Answers.Of > 0 {
		got, met := "no answer was heard", false
		if took, ok := j.answer(w); ok {
			got, met = show(took), took <= e.Answers.Of
		}
		j.say(e.Answers.Place, "answers_within", show(e.Answers.Of), got, met)
	}
	if e.Silences.Of > 0 {
		got, met := "the agent was not speaking when the caller began", false
		if s, ok := j.during(w.first); ok && w.sound {
			took := s.To - w.first
			got, met = show(took), took <= e.Silences.Of
		}
		j.say(e.Silences.Place, "silent_within", show(e.Silences.Of), got, met)
	}
	if e.GoesOn.Of > 0 {
		got, met := "the agent was not speaking when the caller began", false
		if s, ok := j.kept(w.first); ok && w.sound {
			on := max(0, s.To-w.last)
			got, met = show(on), on >= e.GoesOn.Of
			if j.brokenOff(w) {
				got, met = "the agent broke off what it was saying", false
			}
		}
		j.say(e.GoesOn.Place, "goes_on_for", show(e.GoesOn.Of), got, met)
	}
	if e.NoAnswer.Of > 0 {
		from := w.from
		if w.sound {
			from = w.last
		}
		quiet := min(j.o.Ended, w.to) - from
		if took, ok := j.answer(window{last: from, to: w.to, sound: true}); ok {
			quiet = took
		}
		j.say(e.NoAnswer.Place, "no_answer_for", show(e.NoAnswer.Of), show(max(0, quiet)), quiet >= e.NoAnswer.Of)
	}
}

// answer is how long after the caller's last sound the agent began to speak.
// Speech that was going on is none; one that begins while the caller's last
// syllable fades comes at once.
func (j *judge) answer(w window) (time.Duration, bool) {
	if !w.sound {
		return 0, false
	}
	for _, s := range j.speech {
		if s.From >= w.last && s.From < w.to {
			return s.From - w.last, true
		}
	}
	return 0, false
}

// during finds the speech that went on at an instant.
func (j *judge) during(at time.Duration) (Span, bool) { return within(j.speech, at) }

// pausing is the longest gap of an agent that hesitates and still goes on with
// what it was saying: it resumes 1,200 ms after a noise that was no interruption.
const pausing = 2 * time.Second

// brokenOff reports whether the engine says that the agent gave up an answer for
// the caller's sound: what it says afterwards is another one.
func (j *judge) brokenOff(w window) bool {
	return j.o.Facts != nil && slices.ContainsFunc(j.o.Facts.Said, func(s Fact) bool {
		return s.Fault != "" && s.At >= w.first && s.At < min(w.to, w.last+pausing)
	})
}

// kept is like during for speech that may hesitate.
func (j *judge) kept(at time.Duration) (Span, bool) {
	s, ok := j.during(at)
	if !ok {
		return s, false
	}
	for _, k := range joined(j.o.Voice, pausing) {
		if k.From <= s.From && k.To >= s.To {
			return k, true
		}
	}
	return s, true
}

func within(in []Span, at time.Duration) (Span, bool) {
	for _, s := range in {
		if s.From <= at && s.To > at {
			return s, true
		}
	}
	return Span{}, false
}

// answers are the delays of all answers that were heard.
func (j *judge) answers() []Answer {
	var out []Answer
	for i := range j.o.Steps {
		if !loud(j.s.Steps[i].Act) {
			continue
		}
		w := j.window(i)
		if took, ok := j.answer(w); ok {
			out = append(out, Answer{Step: i + 1, From: w.last, Took: took})
		}
	}
	return out
}

// breaks are the instants at which the caller made the agent fall silent.
func (j *judge) breaks() []time.Duration {
	var out []time.Duration
	for i, d := range j.o.Steps {
		if !loud(j.s.Steps[i].Act) {
			continue
		}
		s, ok := j.during(d.First)
		if k, _ := j.kept(d.First); ok && (k.To == s.To && s.To < d.Last || j.brokenOff(j.window(i))) {
			out = append(out, s.To)
		}
	}
	return out
}

// spoken gives each stretch of the agent's speech the words recognised in it.
func (j *judge) spoken() []Span {
	out := joined(j.o.Voice, j.s.Quiet)
	for i := range out {
		until := forever
		if i+1 < len(out) {
			until = out[i+1].From
		}
		var said []string
		for _, w := range j.o.Words {
			if (w.At >= out[i].From || i == 0) && w.At < until {
				said = append(said, w.Text)
			}
		}
		out[i].Text = strings.Join(said, " ")
	}
	return out
}
