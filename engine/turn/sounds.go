package turn

import (
	"cmp"
	"strings"
	"time"

	"flametree/engine/turn/eot"
)

// This file asks how the caller's turn sounds, and turns the answer, and this
// caller's habits, into a wait.

// modelWords is the model of the first calls: Verdict, for English, on the last
// stretch of a turn. It is kept so that their recordings are decided as they were.
const modelWords = "words"

// models are the names that Config.EOTModel may have.
const models = eot.NameRules + " " + eot.NameFirstRules + " " + eot.NameNone + " " + modelWords

// sounds asks the model how the words so far sound.
func (m *Machine) sounds() Hint {
	if m.model == nil {
		return Verdict(m.cfg.Language, cmp.Or(m.partial, m.settled), m.expect)
	}
	switch m.model.Judge(eot.Heard{
		Language: m.cfg.Language, Expect: m.wants, Digits: m.wantsDigits, Fewest: m.wantsFewest, Before: m.settled, Text: m.partial,
	}) {
	case eot.Finished:
		return HintFinished
	case eot.Unfinished:
		return HintUnfinished
	case eot.Open:
		return HintOpen
	case eot.Unknown:
	}
	return HintUnknown
}

// appendix is how many words may follow a question within its sentence.
const appendix = 3

// asking notes what a clause asks for. One that asks for nothing leaves what
// was asked before it in force.
func (m *Machine) asking(in Input) {
	asked := in.Text
	want, digits := eot.Asks(m.cfg.Language, asked)
	appended := m.unended != "" && strings.ContainsAny(asked, "?\u061f") && countWords(asked) <= appendix
	if want == eot.ExpectAny && appended && m.cfg.EOTModel == eot.NameRules {
		asked = m.unended + " " + asked // "May I have your name," asks once "please?" has followed
		want, digits = eot.Asks(m.cfg.Language, asked)
	}
	if m.unended = in.Text; strings.ContainsAny(in.Text, ".!?\u061f\u0964") {
		m.unended = ""
	}
	switch in.Expect {
	case ExpectYesNo:
		want = eot.ExpectYesNo
	case ExpectNumber:
		if want != eot.ExpectNumber {
			want, digits = eot.ExpectNumber, 0
		}
	case ExpectAny, expects:
	}
	if want != eot.ExpectAny {
		m.wants, m.wantsDigits, m.wantedBy = want, digits, in.Clause
		m.wantsFewest = eot.Fewest(m.cfg.Language, asked)
	}
}

// unasked forgets a question that the caller interrupted before it was begun.
func (m *Machine) unasked() {
	if m.wantedBy > m.reached+1 {
		m.wants, m.wantsDigits, m.wantsFewest = eot.ExpectAny, 0, 0
	}
}

// patience is how long after VAD stop a turn with words is waited for.
func (m *Machine) patience() (time.Duration, string) {
	sounds := m.hint
	if sounds == HintUnknown {
		sounds = m.verdict
	}
	wait, why := m.cfg.EOT, "eot"
	switch sounds {
	case HintFinished:
		wait, why = m.cfg.EOTFinished, "eot_finished"
		if m.cfg.EOTAhead > wait && m.ahead() {
			wait, why = m.cfg.EOTAhead, "eot_ahead"
		}
	case HintUnfinished:
		wait, why = m.cfg.EOTUnfinished, "eot_unfinished"
	case HintOpen:
		wait, why = m.cfg.EOTOpen, "eot_open"
	case HintUnknown, hints:
	}
	if floor, by := m.habit(sounds); floor > wait {
		wait, why = floor, by
	}
	if sounds != HintUnfinished && wait > m.cfg.EOTUnready && m.spent() {
		wait, why = m.cfg.EOTUnready, "eot_unready"
	}
	if wait > m.cfg.EOTCap {
		wait, why = m.cfg.EOTCap, "eot_cap"
	}
	return wait, why
}

// ahead reports whether the reply to these very words is being thought out, or
// will be in a moment.
func (m *Machine) ahead() bool { return m.speculated != "" || m.speculable() }

// spent reports whether the reply to these words will have to be thought out
// after the turn has ended, because too many were for nothing. Whoever waited
// long for the end of the turn then would hear nothing for too long.
func (m *Machine) spent() bool {
	return m.cfg.Speculate && m.speculated == "" && m.ventures >= m.cfg.SpeculateMax
}

// habit is the wait that this caller's own pauses ask for. Before the first of
// them, a usual one is taken. What sounds finished is waited for as long as the
// caller usually pauses, and no deviations longer.
func (m *Machine) habit(sounds Hint) (time.Duration, string) {
	mean, strays, why := m.learned, m.strays, "learned"
	if mean == 0 {
		mean, strays, why = m.cfg.EOTPrior, priorStrays(m.cfg.EOTPrior), "eot_prior"
		if sounds == HintFinished {
			return 0, why
		}
	}
	if !m.cfg.EOTLearn || mean == 0 {
		return 0, why
	}
	if sounds != HintFinished {
		mean += time.Duration(m.cfg.EOTDeviations) * strays
	}
	return m.bounded(mean), why
}

// priorStrays is how far people's pauses stray from a usual one, on average.
func priorStrays(pause time.Duration) time.Duration { return pause * 3 / 5 }

// learn takes a pause of this caller: from VAD stop to the voice after it,
// which is what the wait for the end of the turn runs against. Mean and
// deviation move as the round-trip time of RFC 6298 does: one long pause is
// remembered at once, and forgotten slowly.
func (m *Machine) learn() {
	pause := m.bounded(m.now - m.cfg.VADStart - m.t[trail])
	if m.learned == 0 {
		m.learned = pause
		if m.cfg.EOTPrior > 0 {
			m.learned, m.strays = m.cfg.EOTPrior, priorStrays(m.cfg.EOTPrior)
		}
	}
	m.strays = (3*m.strays + (pause - m.learned).Abs()) / 4
	m.learned = (9*m.learned + pause) / 10
}

func (m *Machine) bounded(d time.Duration) time.Duration {
	return max(m.cfg.EOTFloor, min(d, m.cfg.EOTCeiling))
}
