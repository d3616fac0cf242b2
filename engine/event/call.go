package event

import "time"

// CallOffered says that somebody calls (or is being called).
type CallOffered struct {
	Session   string
	Agent     string
	Direction string // inbound outbound
	From      Private
	To        Private
	SIPCallID string
	Transport string // udp tcp
}

// CallAnswered holds all that a replay of the call needs besides its inputs.
type CallAnswered struct {
	Codec   string
	BandHz  uint32
	Machine []Pair // configuration of the turn machine, every key, in its canonical spelling
	Seed    uint64 // drawn once, for whatever the machine decides by chance
	// Began is offset 0 of the call in Unix nanoseconds: what was measured at the
	// other end's socket is compared with it.
	Began int64
}

// CallHeld says that the peer put us on hold.
type CallHeld struct{ Offset time.Duration }

// CallResumed says that the peer took us off hold.
type CallResumed struct{ Offset time.Duration }

// CallDigit says that the caller pressed a key.
type CallDigit struct {
	Digit  Private
	Offset time.Duration
}

// CallEnded closes a call's stream.
type CallEnded struct {
	Reason   string // hangup canceled failed media_lost completed …
	By       string // peer agent system
	Received uint64 // packets
	Lost     uint64
	Sent     uint64
	Jitter   time.Duration
	Talked   time.Duration // from answer to end
	Quality  float64       `json:",omitzero"` // estimated mean opinion score of what we received, 1 to 4.5; 0 = nothing to judge by
}

// CallInputs are inputs of the turn machine, in order, with what it answered.
type CallInputs struct {
	Inputs []TurnInput
}

// TurnInput is one input of the turn machine. Offset is monotonic since the
// call was answered. Kind and Decisions are in the machine's canonical spelling.
type TurnInput struct {
	Offset    time.Duration
	Kind      string
	Gen       uint64
	Turn      uint64
	Text      Private // transcript or digit
	Words     uint32
	Final     bool
	Played    time.Duration
	Extra     string // anything else the kind needs, canonical
	Decisions []string
}

// CallSpeechChanged says that who hears or speaks on a call failed, and who took
// over. A call that nobody takes over ends after it.
type CallSpeechChanged struct {
	Role   string // stt tts
	From   string // who failed; the vendors' names, "" = the built-in one
	To     string // who took over, "" = nobody
	Fault  string // kind and text, without keys and words
	Offset time.Duration
}

// CallReplaced says that somebody else is on the call in place of who was: the
// agent and its conversation stay.
type CallReplaced struct {
	How       string // replaces: he took the place (RFC 3891); refer: we called him because we were asked to (RFC 3515)
	From      Private
	SIPCallID string
	Transport string // udp tcp
	Codec     string
	BandHz    uint32
	Offset    time.Duration
}

// RecordingClosed says where the recording of a call is.
type RecordingClosed struct {
	Blob   string // sha256 of the sealed file, hex
	RateHz uint32
	Length time.Duration
	Bytes  uint64
	Cut    bool
	Peaks  string        `json:",omitzero"` // sha256 of the sealed peaks for a waveform, "" = none
	Paused time.Duration `json:",omitzero"` // of Length: silent because nothing was to be recorded
}

// Kind implements Event.
func (CallOffered) Kind() Kind { return "call.offered.v1" }

// Kind implements Event.
func (CallAnswered) Kind() Kind { return "call.answered.v1" }

// Kind implements Event.
func (CallHeld) Kind() Kind { return "call.held.v1" }

// Kind implements Event.
func (CallResumed) Kind() Kind { return "call.resumed.v1" }

// Kind implements Event.
func (CallDigit) Kind() Kind { return "call.digit.v1" }

// Kind implements Event.
func (CallEnded) Kind() Kind { return "call.ended.v1" }

// Kind implements Event.
func (CallInputs) Kind() Kind { return "call.inputs.v1" }

// Kind implements Event.
func (CallSpeechChanged) Kind() Kind { return "call.speech_changed.v1" }

// Kind implements Event.
func (CallReplaced) Kind() Kind { return "call.replaced.v1" }

// Kind implements Event.
func (RecordingClosed) Kind() Kind { return "recording.closed.v1" }
