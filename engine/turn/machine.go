package turn

import (
	"math"
	"time"

	"flametree/engine/turn/eot"
)

// Caller is where the caller's turn is.
type Caller uint8

// The states of a caller.
const (
	CallerSilent    Caller = iota
	CallerMaybe            // sound that has no turn: too short yet, or over the agent
	CallerSpeaking         // a turn is open, the VAD says voice
	CallerTrailing         // a turn is open, the VAD says none
	CallerCommitted        // the turn is closed, its answer cannot be heard yet
)

// Agent is what the agent does with the floor.
type Agent uint8

// The states of an agent.
const (
	AgentIdle        Agent = iota
	AgentSpeculating       // thinks ahead while the caller's turn is open
	AgentThinking          // nothing of the reply is left to play
	AgentStarting          // a clause is queued, no audio went out yet
	AgentSpeaking
	AgentDucked
	AgentPaused
	AgentYielded // gave the floor away; the caller's turn is open
)

// Line is how the call itself stands.
type Line uint8

// The states of a line, the weightiest last.
const (
	Up Line = iota
	Draining
	Deaf
	Transferring
	Held
	Over
)

// never is later than any deadline; offsets stay below horizon so that sums do
// not overflow.
const (
	never   = time.Duration(math.MaxInt64)
	horizon = time.Duration(1) << 61
)

// clock names an instant that deadlines count from.
type clock uint8

const (
	rawSince    clock = iota
	onset             // the present or last voice began
	ended             // the last voice ended
	changed           // the words changed
	finalAt           // the last Final came
	askedAt           // the last FinalizeSTT
	owedAt            // a turn was closed without its last words
	settledAt         // audio before this needs no recogniser any more
	opened            // the turn was opened
	trail             // the wait for the end of the turn counts from here
	digitAt           // the last digit
	callerSign        // the caller's side showed a sign of life
	agentSign         // the reply showed a sign of life
	committedAt       // the turn was closed
	idleSince         // both are silent
	guardEnd          // the echo guard of the first utterance ends
	lostAt            // packets stopped
	suspendedAt       // hold or transfer began
	transferAt        // a transfer began
	restartedAt       // the STT stream was restarted
	reachedAt         // the clause that is being played began

	clocks
)

// timer names a deadline. Of those due at one instant the first is fired first.
type timer uint8

const (
	askLastWords timer = iota
	closing
	stuck
	speculating
	ducking
	pausing
	yielding
	settling
	filling
	slow
	overdue
	stalled
	noInput
	restarting
	maxCall // the timers from here on run while the line is suspended
	mediaLost
	transferLost

	timers
)

// Machine is the floor of one call. Make it with New. It is not safe for
// concurrent use.
type Machine struct {
	cfg    Config
	model  eot.Model // nil: Verdict
	chance uint64
	now    time.Duration
	due    time.Duration // the earliest deadline, never when none
	t      [clocks]time.Duration
	outs   []Output

	callerSide
	agentSide
	lineSide
}

// New returns the machine of a call that was answered at offset 0. Seed
// decides whatever is left to chance: the choice among equal phrases.
func New(cfg Config, seed uint64) *Machine {
	m := &Machine{cfg: cfg, chance: seed, outs: make([]Output, 0, 16)}
	m.model, _ = eot.Named(cfg.EOTModel)
	m.stream = 1
	m.t[restartedAt] = -restartPace
	m.advance(0)
	return m
}

// Step feeds one input that happened at an offset since the call was answered
// and returns what to do, in order. The slice is the machine's own and valid
// until the next Step. An offset before the last one counts as the last one:
// inputs are never reordered. Deadlines that passed take effect first, each at
// its own instant.
func (m *Machine) Step(at time.Duration, in Input) []Output {
	m.outs = m.outs[:0]
	if at = max(m.now, min(at, horizon)); at >= m.due {
		m.advance(at)
	}
	if m.now = at; !m.over && in.Kind != Tick {
		m.take(in)
		m.advance(at)
	}
	return m.outs
}

// Deadline is the offset at which the owner owes the machine a Tick; false
// means that there is none.
func (m *Machine) Deadline() (time.Duration, bool) { return m.due, m.due != never }

// Caller reports the caller's state.
func (m *Machine) Caller() Caller { return m.caller }

// Agent reports the agent's state.
func (m *Machine) Agent() Agent { return m.agent }

// Turn is the number of the newest turn of the caller, 0 before the first.
func (m *Machine) Turn() uint64 { return m.turn }

// Gen is the newest generation of speech. Unprompted speech, such as a
// greeting, takes Gen()+1.
func (m *Machine) Gen() uint64 { return m.gen }

// Stream is the generation of the STT stream that is listened to; the first is 1.
func (m *Machine) Stream() uint64 { return m.stream }

func (m *Machine) take(in Input) {
	switch in.Kind {
	case RawOn, RawOff, VoiceOn, VoiceOff, EchoSuspect:
		m.hear(in)
	case Partial, Final:
		m.transcribed(in)
	case EndOfTurnHint:
		m.hinted(in.Hint)
	case Digit:
		m.dial(in.Digit)
	case SayQueued:
		m.queued(in)
	case AudioStarted, PlayoutReached, Drained, ReplyEnded, ReplyFailed, ReplyWorking, TTSFailed:
		m.told(in)
	case STTFailed, STTRestored:
		m.recogniser(in)
	case Packets, NoPackets, LineUp, LineHeld, LineResumed, LineTransferring, LineTransferFailed, LineDraining, LineEnded:
		m.wire(in)
	case Language:
		m.cfg.Language = in.Text
	case Tick, inputKinds: // a Tick is its offset
	}
}

// advance fires, in order, every deadline up to at.
func (m *Machine) advance(at time.Duration) {
	for range 1000 {
		t, due := m.earliest()
		if m.due = due; due > at {
			m.now = at
			return
		}
		m.now = max(m.now, due)
		m.fire(t)
	}
	panic("turn: a deadline sets itself off again") // every fire leaves the state that made it due
}

func (m *Machine) earliest() (timer, time.Duration) {
	first, due := timers, never
	if m.over {
		return first, due
	}
	from := askLastWords
	if m.suspended() {
		from = maxCall
	}
	for t := from; t < timers; t++ {
		if d := m.dueAt(t); d < due {
			first, due = t, d
		}
	}
	return first, due
}

func (m *Machine) dueAt(t timer) time.Duration {
	switch t {
	case askLastWords:
		return m.askLastWordsDue()
	case closing:
		return m.closingDue()
	case stuck:
		return m.stuckDue()
	case speculating:
		return m.speculatingDue()
	case ducking:
		return m.duckingDue()
	case pausing:
		return m.pausingDue()
	case yielding:
		return m.yieldingDue()
	case settling:
		return m.settlingDue()
	case filling:
		return m.fillingDue()
	case slow, overdue, stalled:
		return m.agentDue(t)
	case noInput, restarting, maxCall, mediaLost, transferLost:
		return m.lineDue(t)
	case timers:
	}
	return never
}

func (m *Machine) fire(t timer) {
	switch t {
	case askLastWords:
		m.finalize()
	case closing:
		m.commit()
	case stuck:
		m.setAside()
	case speculating:
		m.speculate()
	case ducking:
		m.duck()
	case pausing:
		m.pause()
	case yielding:
		m.yield("")
	case settling:
		m.settle()
	case filling:
		m.fill()
	case slow, overdue, stalled:
		m.agentLate(t)
	case noInput, restarting, maxCall, mediaLost, transferLost:
		m.lineLate(t)
	case timers:
	}
}

func (m *Machine) emit(o Output) {
	o.At = m.now
	m.outs = append(m.outs, o)
}

// draw is splitmix64: 256 choices are plenty for phrases.
func (m *Machine) draw() uint64 {
	m.chance += 0x9e3779b97f4a7c15
	z := m.chance
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) >> 56
}
