package turn

import (
	"strings"
	"time"
)

const maxDigits = 64

// callerSide is the caller's dimension: voice, words, digits, the turn.
type callerSide struct {
	caller Caller
	turn   uint64
	open   bool // turn is open

	vad     bool // the leg's last word on debounced voice
	voice   bool // the same as far as it counts: not on hold, lost or set aside
	raw     bool // undebounced
	cut     bool // NoPackets ended the voice, not the leg
	echo    bool // the present or last voice may be our own
	suspect bool // and the leg says it resembles what we play
	length  time.Duration

	settled, partial           string // finals of this turn, and the hypothesis after them
	settledWords, partialWords int
	hint, verdict              Hint // from outside; of the words themselves
	asked, owed                int  // finals that are to come for this turn, for closed ones
	byText                     bool // no voice led to this turn

	digits  [maxDigits]byte
	dialled int
	dialEnd string // why the row of digits is complete, "" while it is not

	learned, strays time.Duration // mean pause, and mean deviation from it; 0 before the first pause

	speculated string // the text that is being speculated on, "" for none
	ventures   int    // speculations in this turn
}

func (m *Machine) words() int { return m.settledWords + m.partialWords }

// text joins what was heard; it allocates only when both parts are there.
func (m *Machine) text() string {
	switch {
	case m.settled == "":
		return m.partial
	case m.partial == "":
		return m.settled
	}
	return m.settled + " " + m.partial
}

func (m *Machine) clear() {
	m.settled, m.partial, m.settledWords, m.partialWords = "", "", 0, 0
	m.hint, m.verdict, m.length = HintUnknown, HintUnknown, 0
}

// hear is the table of voice.
func (m *Machine) hear(in Input) {
	m.t[callerSign] = m.now
	if in.Kind == RawOn || in.Kind == VoiceOn {
		m.arrive()
	}
	aside := m.vad && !m.voice // noise that was set aside stays so until the leg calls it over
	if in.Kind == VoiceOn || in.Kind == VoiceOff {
		m.vad = in.Kind == VoiceOn
	}
	switch k := in.Kind; {
	case m.suspended(): // music on hold is nobody's voice
	case k == RawOn && !m.raw && !aside:
		m.raw, m.t[rawSince] = true, m.now
		if m.caller == CallerSilent || m.caller == CallerCommitted {
			m.caller = CallerMaybe
		}
	case k == RawOff && m.raw:
		m.raw = false
		if !m.voice {
			m.rest()
		}
	case k == VoiceOn && !m.voice && !aside:
		m.voiceOn()
	case k == VoiceOff:
		m.hush()

	case k == EchoSuspect && m.voice && !m.open:
		m.echo, m.suspect = true, true
	}
}

func (m *Machine) voiceOn() {
	m.voice, m.suspect, m.hint = true, false, HintUnknown
	m.t[onset] = max(0, m.now-m.cfg.VADStart)
	if !m.raw {
		m.raw, m.t[rawSince] = true, m.t[onset]
	}
	m.echo = m.audible() && m.t[onset] < m.t[guardEnd]
	switch {
	case m.caller == CallerTrailing: // a breath, not an end
		m.learn()
		m.caller, m.byText = CallerSpeaking, false
	case m.claims():
		if m.waiting { // the turn was closed too early
			m.learn()
		}
		m.caller = CallerMaybe
	default:
		m.openTurn()
	}
}

// hush ends the voice: the VAD stopped, the packets did, or the line is held.
func (m *Machine) hush() {
	m.raw, m.suspect = false, false
	if !m.voice {
		m.rest()
		return
	}
	m.voice = false
	m.t[ended] = m.now
	m.length = max(0, m.now-m.cfg.VADStop-m.t[onset])
	m.finalize()
	if m.open {
		m.caller, m.t[trail] = CallerTrailing, m.now
		return
	}
	m.judge(false)
	m.rest()
}

// rest is where a caller without turn and voice is. An agent that was lowered
// for a noise speaks up at once.
func (m *Machine) rest() {
	if m.open || m.voice {
		return
	}
	if m.caller = CallerSilent; m.raw {
		m.caller = CallerMaybe
	} else if m.waiting {
		m.caller = CallerCommitted
	}
	if m.agent == AgentDucked && !m.raw {
		m.unduck()
		m.agent = AgentSpeaking
	}
}

// finalize asks the recogniser for its last words. A deaf one is asked when it
// hears again.
func (m *Machine) finalize() {
	m.asked++
	m.t[askedAt] = m.now
	if !m.deaf {
		m.emit(Output{Kind: FinalizeSTT, Gen: m.stream})
	}
}

// transcribed is the table of words.
func (m *Machine) transcribed(in Input) {
	if in.Gen < m.stream {
		return // a stream that was given up
	}
	if m.deaf && !m.restart { // whoever speaks of words hears again
		m.recogniser(Input{Kind: STTRestored, Gen: in.Gen})
	}
	m.stream, m.t[callerSign] = in.Gen, m.now
	final := in.Kind == Final
	if m.belated(final) {
		return
	}
	in.Text = strings.ToValidUTF8(in.Text, "\uFFFD")
	switch {
	case !m.open && m.suspended(): // songs have words too
		return
	case !m.open && m.ourOwn(in.Text):
		m.partial, m.partialWords = "", 0
		return
	}
	m.absorb(in, final)
	switch {
	case m.open && m.byText && m.words() > 0:
		m.t[trail] = m.t[changed]
	case m.open:
	case m.claims():
		m.judge(final)
	case m.words() > 0:
		m.openTurn()
	}
}

// belated keeps count of the finals that were asked for, and reports whether
// this transcript belongs to a turn that was closed without it.
func (m *Machine) belated(final bool) bool {
	late := m.owed > 0 && m.now-m.t[owedAt] <= m.cfg.STTTimeout
	if !late {
		m.owed = 0
	}
	if !final {
		return late
	}
	if late {
		m.owed--
		return true
	}
	m.t[settledAt], m.t[finalAt] = m.now, m.now
	if m.asked > 0 { // it covers the audio up to the question
		m.asked--
		m.t[settledAt] = m.t[askedAt]
	}
	return false
}

func (m *Machine) absorb(in Input, final bool) {
	words := int(in.Words)
	if in.Text == "" {
		words = 0
	} else if words == 0 {
		words = countWords(in.Text)
	}
	if in.Text != m.partial {
		m.t[changed] = m.now
		m.hint = HintUnknown
	}
	m.partial, m.partialWords = in.Text, words
	if final && words > 0 {
		if m.settled == "" {
			m.settled = in.Text
		} else {
			m.settled += " " + in.Text
		}
		m.settledWords += words
	}
	if final {
		m.partial, m.partialWords = "", 0
	}
	m.verdict = m.sounds()
	if m.speculated != "" && m.text() != m.speculated {
		m.dropSpeculation()
	}
}

func (m *Machine) hinted(h Hint) {
	if m.open && h < hints {
		m.hint = h
		m.t[callerSign] = m.now
	}
}

// dial is the table of digits: an utterance with the right to interrupt.
func (m *Machine) dial(d byte) {
	if d >= 'a' && d <= 'd' {
		d -= 'a' - 'A'
	}
	if !m.cfg.DTMF || !isKey(d) {
		return
	}
	m.arrive()
	if !m.open {
		if m.claims() {
			m.abandon("digit", AgentYielded)
		}
		m.openTurn()
	}
	m.t[digitAt], m.t[callerSign] = m.now, m.now
	if m.byText && m.caller == CallerTrailing {
		m.t[trail] = m.now
	}
	switch {
	case m.dialEnd != "": // complete; it waits for the voice to end
	case m.cfg.DTMFTerminator == string(rune(d)) && m.dialled > 0:
		m.dialEnd = "dtmf_terminator"
	case m.cfg.DTMFTerminator == string(rune(d)): // alone it is a choice of a menu
		m.digits[0], m.dialled, m.dialEnd = d, 1, "dtmf_terminator"
	default:
		m.digits[m.dialled] = d
		if m.dialled++; m.dialled >= min(max(m.cfg.DTMFMax, 1), maxDigits) {
			m.dialEnd = "dtmf_max"
		}
	}
}

func isKey(d byte) bool {
	return d >= '0' && d <= '9' || d == '*' || d == '#' || d >= 'A' && d <= 'D'
}
