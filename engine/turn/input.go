package turn

import "time"

// InputKind says what an Input is about. The set is closed; its spelling in
// the journal is String.
type InputKind uint8

// The inputs of a Machine, and the fields of Input that each needs.
const (
	Tick InputKind = iota // Deadline has come; early or twice is harmless

	RawOn    // the undebounced VAD says speech
	RawOff   // the undebounced VAD says none
	VoiceOn  // the debounced VAD says speech, since VADStart ago
	VoiceOff // the debounced VAD says none, since VADStop ago

	Packets     // packets arrive: the first ever, or again after NoPackets
	NoPackets   // none arrived for 400 ms
	EchoSuspect // the present voice resembles what we play; forgotten when the voice ends

	Partial       // Gen (of the STT stream), Text, Words: the hypothesis since the last Final
	Final         // Gen (of the STT stream), Text, Words: no later hypothesis changes it
	EndOfTurnHint // Hint: what a vendor or a model thinks of the words so far
	Digit         // Digit: 0-9 * # A-D

	SayQueued      // Gen, Clause, Text, Expect: a clause went to the voice; Clause 0 is a filler
	AudioStarted   // Gen: its first packet went out
	PlayoutReached // Gen, Played, Clause, Whole: at least every 2 s while audio goes out
	Drained        // Gen: all that was queued for it has been sent
	ReplyEnded     // Gen: nothing more will be queued for it
	ReplyFailed    // Gen: nothing more will be queued, and the reply is not whole
	ReplyWorking   // Gen: the reply still comes, a tool runs

	STTFailed   // Gen (of the STT stream)
	STTRestored // Gen (of the STT stream): it hears again, the replayed audio is written
	TTSFailed   // Gen: its audio will not come, the fallback included

	LineUp             // the dialog is confirmed
	LineHeld           // the peer put us on hold
	LineResumed        // the peer took us off hold
	LineTransferring   // a transfer is under way
	LineTransferFailed // it failed; the agent goes on
	LineDraining       // the process wants to stop; this call may finish
	LineEnded          // Reason: the call is over

	Language // Text: the conversation goes on in this language (BCP 47), in place of Config.Language

	inputKinds
)

// String is the canonical spelling of k, as event.TurnInput.Kind holds it.
func (k InputKind) String() string {
	names := [...]string{
		"tick", "raw_on", "raw_off", "voice_on", "voice_off", "packets", "no_packets", "echo_suspect",
		"partial", "final", "end_of_turn_hint", "digit",
		"say_queued", "audio_started", "playout_reached", "drained", "reply_ended", "reply_failed", "reply_working",
		"stt_failed", "stt_restored", "tts_failed",
		"line_up", "line_held", "line_resumed", "line_transferring", "line_transfer_failed", "line_draining", "line_ended",
		"language",
	}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Input is something that happened. Fields that its Kind does not name stay zero.
type Input struct {
	Kind   InputKind
	Gen    uint64        // of speech, or of the STT stream: stale ones are ignored
	Clause uint64        // number of a clause within Gen, from 1 upwards; 0 is a filler
	Text   string        // transcript, or the clause that was queued
	Words  uint32        // in Text; 0 lets the machine count
	Whole  bool          // PlayoutReached: Clause has been sent to its end
	Played time.Duration // PlayoutReached, Drained: position in Gen's audio; recorded, not judged
	Digit  byte
	Hint   Hint
	Expect Expect // SayQueued: the answer that the clause asks for
	Reason string // LineEnded: hangup canceled failed media_lost
}

// Hint says whether a turn sounds finished.
type Hint uint8

// The hints.
const (
	HintUnknown Hint = iota
	HintFinished
	HintUnfinished
	HintOpen // may well go on

	hints
)

// String is the canonical spelling of h.
func (h Hint) String() string {
	return [...]string{"unknown", "finished", "unfinished", "open", "?"}[min(h, hints)]
}

// Expect is the kind of answer that the dialog waits for.
type Expect uint8

// What a dialog can wait for.
const (
	ExpectAny Expect = iota
	ExpectYesNo
	ExpectNumber

	expects
)

// String is the canonical spelling of e.
func (e Expect) String() string { return [...]string{"any", "yes_no", "number", "?"}[min(e, expects)] }
