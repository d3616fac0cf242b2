package turn

import (
	"slices"
	"strings"
	"time"

	"flametree/engine/turn/eot"
)

// agentSide is the agent's dimension: one generation of speech at a time.
type agentSide struct {
	agent  Agent
	before Agent // to return to when a speculation is dropped

	gen      uint64
	alive    bool // gen may still speak
	done     bool // nothing more will be queued for it
	said     bool // a clause of the reply itself was queued
	started  bool // its audio went out
	unplayed bool // something queued has not been played
	phrase   bool // it is a phrase the machine asked for
	waiting  bool // it answers a turn and cannot be heard yet
	timing   bool // it answers a turn, and its latency counts
	ducked   bool

	clause  uint64 // newest queued, newest played whole
	reached uint64
	asks    bool // the newest clause is a question
	expect  Expect
	wants   eot.Expect // what its newest question asks for, how many digits, and by which clause

	wantsDigits int
	wantsFewest int    // digits that such a number has at least
	unended     string // the newest clause, when its sentence goes on
	askWords    int    // of the newest clause
	wantedBy    uint64

	own     [8]string // the newest clauses of gen, against echo
	clauses int

	guarded bool // the first utterance has had its echo guard
	fillers int
	replies [8]time.Duration // from commit to first clause, the newest
	replied int
}

// begin starts a generation of speech that is to come.
func (m *Machine) begin(gen uint64) {
	m.gen, m.alive, m.agent = gen, true, AgentThinking
	m.done, m.said, m.started, m.unplayed = false, false, false, false
	m.phrase, m.waiting, m.timing = false, false, false
	m.clause, m.reached, m.asks, m.expect = 0, 0, false, ExpectAny
	m.wants, m.wantsDigits, m.wantsFewest, m.wantedBy, m.unended = eot.ExpectAny, 0, 0, 0, ""
	m.own, m.clauses, m.fillers = [8]string{}, 0, 0
	m.t[agentSign] = m.now
}

// abandon ends the generation before its time: the yielding order.
func (m *Machine) abandon(why string, next Agent) {
	m.emit(Output{Kind: Yield, Gen: m.gen, Why: why})
	m.unasked()
	m.retire(next)
}

// retire takes the floor from the generation; it never comes back.
func (m *Machine) retire(next Agent) {
	m.unduck()
	m.alive, m.waiting, m.agent = false, false, next
	m.t[idleSince] = m.now
}

// free gives the floor to whoever waits for it.
func (m *Machine) free() {
	if !m.open && (m.voice || m.words() > 0) {
		m.openTurn()
		return
	}
	m.rest()
}

// queued is the table of clauses.
func (m *Machine) queued(in Input) {
	switch {
	case in.Gen < m.gen, in.Gen == m.gen && (!m.alive || m.done):
		return // of a generation that is over
	case in.Gen > m.gen && m.open: // nobody announces anything over the caller
		m.gen = in.Gen
		m.emit(Output{Kind: Yield, Gen: in.Gen, Why: "caller_has_floor"})
		return
	case in.Gen > m.gen:
		if m.alive {
			m.abandon("superseded", AgentIdle)
		}
		m.begin(in.Gen)
	}
	m.append(in)
	if m.agent != AgentThinking && m.agent != AgentIdle {
		return
	}
	if m.agent = AgentStarting; m.started {
		m.agent = AgentSpeaking
	}
	if m.suspended() {
		m.pause()
	}
}

// append takes a clause into the generation.
func (m *Machine) append(in Input) {
	if in.Clause > 0 && !m.said {
		m.said = true
		if m.timing {
			m.replies[m.replied%len(m.replies)] = m.now - m.t[committedAt]
			m.replied++
		}
	}
	m.own[m.clauses%len(m.own)] = strings.ToValidUTF8(in.Text, "\uFFFD")
	m.clauses++
	m.clause, m.unplayed, m.asks = in.Clause, true, strings.HasSuffix(in.Text, "?")
	if in.Expect != ExpectAny && in.Expect < expects {
		m.expect = in.Expect
	}
	m.asking(in)
	m.askWords = countWords(in.Text)
	m.t[agentSign] = m.now
}

// told is the table of what becomes of a reply. Stale generations are nobody's.
func (m *Machine) told(in Input) {
	if in.Gen != m.gen || !m.alive {
		return
	}
	m.t[agentSign] = m.now
	switch k := in.Kind; {
	case k == AudioStarted:
		m.begun()
	case k == PlayoutReached:
		m.begun()
		if in.Whole {
			m.t[reachedAt] = m.now
			m.reached = max(m.reached, in.Clause)
			m.unplayed = m.unplayed && in.Clause != m.clause
		}
		m.played()
	case k == Drained:
		m.unplayed = false
		m.played()
	case k == ReplyWorking && m.agent == AgentIdle:
		m.agent = AgentThinking

	case k == ReplyFailed && !m.said && !m.phrase: // never silence
		m.abandon("reply_failed", AgentIdle)
		m.begin(m.gen + 1)
		m.phrase = true
		m.emit(Output{Kind: AskRepeat, Turn: m.turn, Gen: m.gen, Pick: m.draw(), Why: "reply_failed"})
	case k == ReplyEnded, k == ReplyFailed:
		m.done = true
		m.played()
	case k == TTSFailed:
		m.abandon("tts_failed", AgentIdle)
		m.free()
	}
}

// begun notes that the generation can be heard.
func (m *Machine) begun() {
	if !m.started {
		m.started, m.waiting, m.t[reachedAt] = true, false, m.now
		if !m.guarded {
			m.guarded, m.t[guardEnd] = true, m.now+m.cfg.EchoGuard
		}
		m.rest()
	}
	if m.agent == AgentStarting {
		m.agent = AgentSpeaking
	}
}

// played looks whether anything is left to hear, now or later.
func (m *Machine) played() {
	switch {
	case m.unplayed:
	case m.done:
		m.retire(AgentIdle)
		m.free()
	case m.audible() || m.agent == AgentStarting:
		m.unduck()
		m.agent = AgentThinking
	}
}

// fillingDue is when a late reply is bridged: twice a turn at most, and not
// while replies usually come at once.
func (m *Machine) fillingDue() time.Duration {
	silent := m.agent == AgentThinking || m.agent == AgentIdle
	if !m.cfg.Fillers || !m.alive || !m.timing || m.said || m.done || !silent || m.voice || m.draining || m.fillers > 1 || m.quick() {
		return never
	}
	if m.fillers == 0 {
		return m.t[committedAt] + m.cfg.FillerAfter
	}
	return m.t[committedAt] + max(m.cfg.FillerRepeat, m.cfg.FillerAfter)
}

// quick compares the median of the newest replies.
func (m *Machine) quick() bool {
	n := min(m.replied, len(m.replies))
	if n == 0 {
		return false
	}
	sorted := m.replies
	slices.Sort(sorted[:n])
	return sorted[n/2] < m.cfg.FillerOffBelow
}

func (m *Machine) fill() {
	m.fillers++
	m.agent, m.t[agentSign] = AgentThinking, m.now
	m.emit(Output{Kind: Filler, Turn: m.turn, Gen: m.gen, N: m.fillers, Pick: m.draw()})
}

// agentDue is the watchdog over the agent. A reply that nobody hears yet keeps
// nobody from speaking: it may come late, up to the model's own limit.
func (m *Machine) agentDue(t timer) time.Duration {
	since := m.t[agentSign]
	switch m.agent {
	case AgentThinking:
		if t == slow {
			return since + m.cfg.Watchdog
		}
	case AgentIdle:
		if t == overdue && m.alive {
			return since + m.cfg.LLMTimeout + m.cfg.Watchdog
		}
	case AgentStarting, AgentSpeaking, AgentDucked, AgentPaused:
		if t == stalled {
			return since + m.cfg.Watchdog
		}
	case AgentSpeculating, AgentYielded:
	}
	return never
}

func (m *Machine) agentLate(t timer) {
	switch {
	case t == slow:
		m.emit(Output{Kind: Note, Gen: m.gen, Why: "watchdog", Wait: m.now - m.t[agentSign]})
		m.agent = AgentIdle
		m.waiting = false
	case t == overdue:
		m.abandon("llm_timeout", AgentIdle)
	default:
		m.abandon("watchdog", AgentIdle)
	}
	m.free()
}
