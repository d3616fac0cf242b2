package turn

import "time"

// This file opens, ends and speculates on the caller's turn.

// openTurn gives the caller the floor.
func (m *Machine) openTurn() {
	if m.alive {
		m.abandon("superseded", AgentIdle)
	}
	m.turn++
	m.open, m.waiting = true, false
	m.byText = !m.voice && m.length == 0
	m.t[opened] = m.now
	switch {
	case m.voice:
		m.caller = CallerSpeaking
	case m.byText:
		m.caller, m.t[trail] = CallerTrailing, m.now
	default: // its voice is over already: the wait began then
		m.caller, m.t[trail] = CallerTrailing, m.t[ended]
	}
	m.length, m.ventures, m.speculated = 0, 0, ""
	m.dialled, m.dialEnd = 0, ""
	m.emit(Output{Kind: OpenTurn, Turn: m.turn})
}

// closingDue is the end of the turn (rules a, b, d and f).
func (m *Machine) closingDue() time.Duration {
	switch {
	case m.caller != CallerTrailing:
		return never
	case m.raw: // rule b: it may be voice, so only the watchdog may close
		return m.t[rawSince] + m.cfg.Watchdog
	case m.words() == 0 && m.dialled == 0:
		return m.unheardDue()
	}
	due := m.t[trail]
	switch {
	case m.dialEnd != "":
		due = m.t[digitAt]
	case m.dialled > 0:
		due = m.t[digitAt] + m.cfg.DTMFGap
	}
	if m.words() > 0 {
		wait, _ := m.patience()
		due = max(due, m.t[trail]+wait)
	}
	if m.asked > 0 {
		due = max(due, min(m.t[askedAt]+m.cfg.STTFinalWait, m.t[trail]+m.cfg.EOTCap))
	}
	return due
}

// unheardDue is when voice without words becomes a request to repeat: soon
// when the recogniser said that there are none, else at its timeout, which a
// restarted stream begins anew, though not for ever.
func (m *Machine) unheardDue() time.Duration {
	if m.asked == 0 {
		return m.t[trail] + m.cfg.EOT
	}
	last := m.t[trail] + max(m.cfg.Watchdog, m.cfg.STTTimeout)
	return min(last, max(m.t[trail], m.t[restartedAt])+m.cfg.STTTimeout)
}

// askLastWordsDue is for a hypothesis that no VAD stop has settled: it must be
// settled before the turn closes, or its words come back in the next one.
func (m *Machine) askLastWordsDue() time.Duration {
	if m.caller != CallerTrailing || m.raw || m.asked > 0 || m.deaf || m.partial == "" {
		return never
	}
	wait, _ := m.patience()
	return m.t[trail] + wait
}

// stuckDue bounds a voice: one that shows no sign of life, and one that goes
// on for as long as a silent caller would be waited for, without a word.
func (m *Machine) stuckDue() time.Duration {
	if m.caller != CallerSpeaking {
		return never
	}
	due := m.t[callerSign] + m.cfg.Watchdog
	if m.words() == 0 && m.dialled == 0 && m.cfg.NoInputTimeout > 0 {
		due = min(due, m.t[opened]+max(m.cfg.NoInputTimeout, m.cfg.Watchdog))
	}
	return due
}

// setAside closes the turn of a voice that does not end. The voice counts for
// nothing more until the leg calls it over.
func (m *Machine) setAside() {
	m.voice, m.raw = false, false
	m.t[ended], m.t[trail] = m.now, m.now
	m.finalize()
	m.note("watchdog", m.now-m.t[callerSign])
	m.closeTurn("watchdog")
}

// commit closes the turn that has come to its end, and says why it came only now.
func (m *Machine) commit() {
	since := m.now - m.t[trail]
	wait, why := m.patience()
	switch {
	case m.raw:
		why = "watchdog"
		m.note(why, m.now-m.t[rawSince])
		m.raw = false
	case m.words() == 0 && m.dialled == 0:
		why = "stt_timeout"
		if m.asked == 0 {
			why = "stt_empty"
		}
		m.note(why, since)
	case m.dialled > 0:
		if why = m.dialEnd; why == "" {
			why = "dtmf_gap"
		}
		m.note(why, m.now-m.t[digitAt])
	default:
		m.note(why, min(wait, since))
		if since > wait {
			late := "voice"
			if m.asked > 0 || m.t[finalAt] > m.t[trail]+wait {
				late = "stt_final"
			}
			m.note(late, since-wait)
		}
	}
	m.closeTurn(why)
}

func (m *Machine) note(why string, wait time.Duration) {
	m.emit(Output{Kind: Note, Turn: m.turn, Why: why, Wait: wait})
}

// closeTurn commits the utterance and makes the reply to it the agent's next
// generation. Voice without words is answered all the same (rule d).
func (m *Machine) closeTurn(why string) {
	out := Output{
		Kind: CloseTurn, Turn: m.turn, Gen: m.gen + 1, Text: m.text(), Words: m.words(), Why: why,
		Wait: m.now - m.t[trail], Ended: m.t[trail],
	}
	if out.Unheard = out.Words == 0 && m.dialled == 0; !out.Unheard {
		m.prompts = 0
	}
	if !m.byText {
		out.Ended = max(0, out.Ended-m.cfg.VADStop)
	}
	if m.dialled > 0 {
		out.Digits = string(m.digits[:m.dialled])
	}
	switch {
	case m.speculated == "":
	case m.speculated == out.Text && m.dialled == 0:
		m.speculated = ""
		m.emit(Output{Kind: AdoptSpeculation, Turn: m.turn})
	default:
		m.dropSpeculation()
	}
	m.emit(out)
	if m.asked > 0 {
		m.owed, m.asked, m.t[owedAt] = m.owed+m.asked, 0, m.now
	}
	m.t[settledAt] = m.now
	m.clear()
	m.open, m.dialled, m.dialEnd = false, 0, ""
	m.begin(out.Gen)
	m.caller, m.waiting, m.timing = CallerCommitted, true, !out.Unheard
	m.t[committedAt] = m.now
	if out.Unheard && !m.over {
		m.phrase = true
		m.emit(Output{Kind: AskRepeat, Turn: m.turn, Gen: m.gen, Pick: m.draw(), Why: why})
	}
}

// speculable reports whether a reply to what was heard may be thought ahead.
func (m *Machine) speculable() bool {
	idle := m.agent == AgentIdle || m.agent == AgentYielded
	if !m.cfg.Speculate || !m.open || !idle || m.draining || m.ventures >= m.cfg.SpeculateMax ||
		m.words() == 0 || m.dialled > 0 || m.verdict == HintUnfinished {
		return false
	}
	// Between two words a hypothesis is as stable as after the last one.
	return m.cfg.SpeculateVoiced || m.caller == CallerTrailing && !m.raw
}

func (m *Machine) speculatingDue() time.Duration {
	if !m.speculable() {
		return never
	}
	due := m.t[changed] + m.cfg.SpeculateStable
	if !m.cfg.SpeculateVoiced && m.verdict != HintFinished { // sooner, a pause for breath would spend one for nothing
		wait, _ := m.patience()
		due = max(due, m.t[trail]+wait-m.cfg.SpeculateLead)
	}
	return due
}

func (m *Machine) speculate() {
	m.ventures++
	m.speculated = m.text()
	m.before, m.agent = m.agent, AgentSpeculating
	m.emit(Output{Kind: Speculate, Turn: m.turn, Text: m.speculated, Words: m.words(), N: m.ventures})
}

func (m *Machine) dropSpeculation() {
	m.speculated = ""
	m.agent = m.before
	m.emit(Output{Kind: DropSpeculation, Turn: m.turn})
}
