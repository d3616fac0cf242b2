package turn

import (
	"time"

	"flametree/engine/event"
)

const (
	replayMost  = 5 * time.Second // rule g; the input ring holds 6 s
	restartPace = time.Second     // so that a recogniser that fails at once is not asked in a loop
)

// lineSide is the line's dimension. Its facts may hold together.
type lineSide struct {
	deaf, draining, held, transferring, over bool

	stream  uint64 // generation of the STT stream
	restart bool   // it is to be restarted
	everOn  bool   // packets came once
	lost    bool   // and do not any more
	prompts int    // since the caller was last heard
}

// Line reports how the call stands; of several facts the weightiest.
func (m *Machine) Line() Line {
	switch {
	case m.over:
		return Over
	case m.held:
		return Held
	case m.transferring:
		return Transferring
	case m.deaf:
		return Deaf
	case m.draining:
		return Draining
	}
	return Up
}

// suspended reports whether nobody talks to the agent: its timers stand still.
func (m *Machine) suspended() bool { return m.held || m.transferring }

// wire is the table of the line.
func (m *Machine) wire(in Input) {
	was, back := m.suspended(), false
	switch k := in.Kind; {
	case k == Packets:
		m.arrive()
	case k == NoPackets && !m.lost: // rule e
		m.lost, m.cut, m.t[lostAt] = true, m.voice, m.now
		m.hush()
	case k == LineUp:
		m.t[idleSince] = m.now
	case k == LineDraining:
		m.draining = true
	case k == LineEnded:
		m.end("line_ended")

	case k == LineHeld:
		m.held = true
	case k == LineTransferring:
		m.transferring, m.t[transferAt] = true, m.now
	case k == LineResumed:
		m.held = false
	case k == LineTransferFailed && m.transferring:
		m.transferring, back = false, true
	}
	switch now := m.suspended(); {
	case m.over:
	case now && !was:
		m.suspend()
	case was && !now:
		m.restore()
	}
	if back && !m.over {
		m.returned(in.Reason)
	}
}

// returned gives the floor to the agent, who has to say that nobody took the
// call. Over the caller it is not said: with Gen 0 the next reply begins with it.
func (m *Machine) returned(why string) {
	if m.open || m.held {
		m.emit(Output{Kind: PromptTransfer, Why: why})
		return
	}
	if m.alive {
		m.abandon("superseded", AgentIdle)
	}
	m.begin(m.gen + 1)
	m.phrase = true
	m.emit(Output{Kind: PromptTransfer, Gen: m.gen, Why: why})
}

// suspend ends the voice, because what comes now is music, and keeps what the
// agent has left to say.
func (m *Machine) suspend() {
	m.t[suspendedAt] = m.now
	if m.voice || m.raw {
		m.hush()
	}
	if m.audible() || m.agent == AgentStarting {
		m.pause()
	}
}

// restore goes on as if no time had passed.
func (m *Machine) restore() {
	away := m.now - m.t[suspendedAt]
	for c := range clocks {
		runsOn := c == lostAt || c == restartedAt || c == settledAt
		if !runsOn && m.t[c] <= m.t[suspendedAt] {
			m.t[c] += away
		}
	}
	m.vad, m.cut = false, false
	if m.agent == AgentPaused && (m.words() == 0 || m.protected()) {
		m.resume()
	}
}

// arrive notes that packets come. A voice that only the loss of packets ended
// goes on.
func (m *Machine) arrive() {
	m.everOn = true
	if !m.lost {
		return
	}
	m.lost = false
	if m.cut && m.vad && !m.voice && !m.suspended() {
		m.voiceOn()
	}
	m.cut = false
}

// recogniser is the table of the STT stream (rule g).
func (m *Machine) recogniser(in Input) {
	if in.Gen < m.stream {
		return
	}
	m.stream = in.Gen
	if m.deaf = in.Kind == STTFailed; m.deaf {
		m.restart = true
		return
	}
	m.restart = false
	if m.asked > 0 { // the last words are asked for anew: the old stream took the question along
		m.asked = 0
		if !m.voice {
			m.finalize()
		}
	}
}

// rewire opens the next stream on the audio that no final has settled.
func (m *Machine) rewire() {
	m.restart, m.owed = false, 0
	m.stream++
	m.t[restartedAt] = m.now
	m.emit(Output{Kind: RestartSTT, Gen: m.stream, Replay: min(replayMost, m.now-m.t[settledAt])})
}

func (m *Machine) lineDue(t timer) time.Duration {
	switch {
	case t == noInput && m.agent == AgentIdle && !m.alive && !m.open && !m.voice && m.cfg.NoInputTimeout > 0:
		return m.t[idleSince] + m.cfg.NoInputTimeout
	case t == restarting && m.restart:
		return m.t[restartedAt] + restartPace
	case t == maxCall && m.cfg.MaxCall > 0:
		return m.cfg.MaxCall
	case t == mediaLost && m.lost:
		return m.t[lostAt] + m.cfg.MediaLost
	case t == mediaLost && !m.everOn:
		return m.cfg.MediaStart
	case t == transferLost && m.transferring:
		return m.t[transferAt] + m.cfg.TransferTimeout
	}
	return never
}

func (m *Machine) lineLate(t timer) {
	switch {
	case t == noInput && (m.prompts >= m.cfg.NoInputPrompts || m.draining):
		m.hangUp(event.UserTimeout, "no_input")
	case t == noInput:
		m.prompts++
		m.begin(m.gen + 1)
		m.phrase = true
		m.emit(Output{Kind: PromptNoInput, Gen: m.gen, N: m.prompts, Pick: m.draw()})
	case t == restarting:
		m.rewire()
	case t == maxCall:
		m.hangUp(event.Timeout, "max_call")
	case t == mediaLost:
		m.hangUp(event.Failed, "media_lost")
	case t == transferLost:
		m.wire(Input{Kind: LineTransferFailed, Reason: "timeout"})
	}
}

func (m *Machine) hangUp(status event.Status, why string) {
	m.end("hang_up")
	m.emit(Output{Kind: HangUp, Status: status, Why: why})
}

// end closes what is open, so that no words are lost, and stops for good.
func (m *Machine) end(why string) {
	if m.voice {
		m.t[ended], m.t[trail] = m.now, m.now
	}
	m.over, m.voice, m.raw = true, false, false
	if m.alive {
		m.abandon(why, AgentIdle)
	}
	if !m.open && m.words() > 0 {
		m.openTurn()
	}
	if m.open {
		m.closeTurn(why)
	}
	m.alive, m.waiting, m.agent, m.caller = false, false, AgentIdle, CallerSilent
}
