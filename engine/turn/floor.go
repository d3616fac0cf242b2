package turn

import "time"

// This file judges sound and words that meet an agent who holds or claims the
// floor: noise, "go on", or an interruption.

// claims reports whether the agent has the floor, or something to say next.
func (m *Machine) claims() bool {
	switch m.agent {
	case AgentThinking, AgentStarting, AgentSpeaking, AgentDucked, AgentPaused:
		return m.alive
	case AgentIdle, AgentSpeculating, AgentYielded:
	}
	return false
}

func (m *Machine) audible() bool { return m.agent == AgentSpeaking || m.agent == AgentDucked }

// protected reports whether the agent may not be interrupted by voice.
func (m *Machine) protected() bool {
	return !m.cfg.BargeIn && m.claims() && m.agent != AgentThinking
}

// spoken is how long the present voice lasts, or the last one did.
func (m *Machine) spoken() time.Duration {
	if m.voice {
		return m.now - m.t[onset]
	}
	return m.length
}

// backchannel reports whether all that was heard means "go on".
func (m *Machine) backchannel() bool {
	return m.spoken() < m.cfg.Backchannel && m.noises()
}

// noises reports whether all words are backchannels. While the agent asks a
// question there are none: "okay" is then an answer.
func (m *Machine) noises() bool {
	limit := m.cfg.BackchannelWords
	return m.words() > 0 && m.words() <= limit && !m.questioned() &&
		allBackchannel(m.cfg.Language, m.settled, limit) && allBackchannel(m.cfg.Language, m.partial, limit)
}

// wordTime is about how long a spoken word lasts.
const wordTime = 300 * time.Millisecond

// questioned reports whether the caller has heard enough of the agent's question to
// answer it.
func (m *Machine) questioned() bool {
	if !m.asks || m.reached+1 < m.clause {
		return false
	}
	begun := m.t[reachedAt]
	heard := time.Duration(m.cfg.QuestionHeard*m.askWords) * wordTime / 100
	return !m.started || m.t[onset]-begun >= heard
}

// ourOwn reports whether text, heard where an echo is likely, holds nothing but
// words of the agent's own utterance.
func (m *Machine) ourOwn(text string) bool {
	if !m.claims() || !m.echo && m.now >= m.t[guardEnd] {
		return false
	}
	heard := 0
	for word, rest := nextWord(text); word != ""; word, rest = nextWord(rest) {
		own := false
		for i := range m.own {
			own = own || containsWord(m.own[i], word)
		}
		if !own {
			return false
		}
		heard++
	}
	return heard > 0
}

// judge looks at words as they come, and again when the voice ends.
func (m *Machine) judge(final bool) {
	switch {
	case m.words() == 0:
	case m.backchannel():
		if final || !m.voice {
			m.forgive()
		}
	case m.protected(): // kept for when the agent has finished
	case final && !m.audible():
		m.yield("final")
	}
}

// forgive forgets a noise that means "go on".
func (m *Machine) forgive() {
	m.clear()
	if m.voice {
		m.t[onset], m.t[rawSince] = m.now, m.now
	}
	if m.agent == AgentPaused {
		m.resume()
	}
}

func (m *Machine) duckingDue() time.Duration {
	since := never
	if m.raw {
		since = m.t[rawSince]
	}
	if m.voice {
		since = min(since, m.t[onset])
	}
	if m.agent != AgentSpeaking || !m.cfg.BargeIn || since == never {
		return never
	}
	return since + m.cfg.Duck
}

func (m *Machine) pausingDue() time.Duration {
	since := m.interrupting()
	if m.agent == AgentThinking || m.agent == AgentPaused || !m.cfg.BargeIn || since == never {
		return never
	}
	return since + m.cfg.Pause
}

// interrupting is since when the present voice counts against the agent; never
// when it does not, or pauses for breath just now. Where it may be an echo,
// only words prove that it is not.
func (m *Machine) interrupting() time.Duration {
	switch {
	case !m.claims() || !m.voice || !m.raw:
		return never
	case m.words() > 0:
		return m.t[onset]
	case m.suspect:
		return never
	}
	return max(m.t[onset], m.t[guardEnd])
}

func (m *Machine) yieldingDue() time.Duration {
	if !m.claims() || m.protected() {
		return never
	}
	if m.words() == 0 {
		since := m.interrupting()
		if since == never {
			return never
		}
		return since + m.cfg.YieldNoWords
	}
	need := m.cfg.Yield
	if m.words() >= m.cfg.YieldWords || m.words() == 1 && saysStop(m.cfg.Language, m.text()) {
		need = 0
	}
	if m.noises() {
		need = max(need, m.cfg.Backchannel)
	}
	switch {
	case m.voice && need > 0 && !m.raw, !m.voice && m.length < need:
		return never
	case m.voice:
		return m.t[onset] + need
	}
	return m.t[changed]
}

// settlingDue is when a noise turns out to have been none of our business.
func (m *Machine) settlingDue() time.Duration {
	if !m.claims() || m.protected() || m.voice || m.raw || m.agent != AgentPaused && m.words() == 0 {
		return never
	}
	return max(m.t[ended], m.t[changed]) + m.cfg.FalseInterruption
}

// settle resumes. Words that did not suffice to interrupt are lost only over
// audible speech.
func (m *Machine) settle() {
	switch {
	case m.words() > 0 && !m.audible():
		m.yield("words")
	case m.agent == AgentPaused:
		m.resume()
	default:
		m.clear()
	}
}

func (m *Machine) duck() {
	m.agent, m.ducked = AgentDucked, true
	m.emit(Output{Kind: Duck, DB: m.cfg.DuckDB})
}

func (m *Machine) unduck() {
	if m.ducked {
		m.ducked = false
		m.emit(Output{Kind: Unduck})
	}
}

func (m *Machine) pause() {
	m.agent, m.t[agentSign] = AgentPaused, m.now
	m.emit(Output{Kind: Pause, Gen: m.gen})
}

func (m *Machine) resume() {
	m.clear()
	m.unduck()
	m.t[agentSign] = m.now
	if m.agent = AgentStarting; m.started {
		m.agent = AgentSpeaking
	}
	m.emit(Output{Kind: Resume, Gen: m.gen})
}

// yield gives the floor to the caller, with all that was heard so far.
func (m *Machine) yield(why string) {
	if why == "" {
		if why = "voice"; m.words() > 0 {
			why = "words"
		}
	}
	m.abandon(why, AgentYielded)
	m.openTurn()
}
