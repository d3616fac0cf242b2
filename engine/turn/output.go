package turn

import (
	"fmt"
	"strconv"
	"time"

	"flametree/engine/event"
)

// OutputKind says what an Output asks for. The set is closed.
type OutputKind uint8

// The outputs of a Machine, and the fields of Output that each sets besides At.
const (
	Note OutputKind = iota // Why, Wait: why the agent waited, for the waterfall; nothing to do

	OpenTurn    // Turn: the caller has the floor
	FinalizeSTT // Gen (stream): ask the recogniser for its last words
	CloseTurn   // Turn, Gen, Text, Words, Digits, Unheard, Why, Wait, Ended: commit; the reply speaks as Gen
	AskRepeat   // Turn, Gen, Pick, Why: say as Gen that nothing was understood

	Duck   // DB
	Unduck // back to 0 dB
	Pause  // Gen: stop sending, keep the audio
	Resume // Gen: go on from the last word boundary
	Yield  // Gen, Why: the yielding order; Gen and all before it are dead

	Speculate        // Turn, Text, Words, N: begin a reply that nobody hears yet
	AdoptSpeculation // Turn: the CloseTurn that follows has the very text that was speculated on
	DropSpeculation  // Turn: cancel it

	Filler        // Gen, N, Pick: say a filler as clause 0 of Gen
	PromptNoInput // Gen, N, Pick: ask as Gen whether somebody is there
	RestartSTT    // Gen (stream), Replay: open this stream, give it the last Replay of audio first
	HangUp        // Status, Why; nothing follows

	PromptTransfer // Gen, Why: say as Gen, with 0 in the next reply, that the transfer failed

	outputKinds
)

// String is the canonical spelling of k.
func (k OutputKind) String() string {
	names := [...]string{
		"note", "open_turn", "finalize_stt", "close_turn", "ask_repeat", "duck", "unduck", "pause", "resume", "yield",
		"speculate", "adopt_speculation", "drop_speculation", "filler", "prompt_no_input", "restart_stt", "hang_up",
		"prompt_transfer",
	}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Output is something the owner must do, in the order given.
//
// Why of CloseTurn and Note is one of eot_finished, eot, eot_unfinished,
// eot_cap, learned, stt_final, voice, stt_timeout, stt_empty, dtmf_terminator,
// dtmf_gap, dtmf_max, watchdog, reply_failed, hang_up, line_ended. Why of Yield
// is one of words, final, voice, digit, superseded, caller_has_floor,
// tts_failed, watchdog, llm_timeout, hang_up, line_ended.
type Output struct {
	Kind    OutputKind
	At      time.Duration // when this was due; before the offset of the Step if the Tick was late
	Turn    uint64
	Gen     uint64
	Text    string // personal: never in Spell
	Words   int
	Digits  string // personal: never in Spell
	Unheard bool   // there was voice and no words
	N       int
	Pick    uint64 // 0 to 255, drawn from the seed: chooses among phrases of the same meaning
	DB      float64
	Wait    time.Duration // Note: how long; CloseTurn: from the end of voice to the commit
	Ended   time.Duration // CloseTurn: offset of the end of speech
	Replay  time.Duration
	Why     string
	Status  event.Status
}

// Spell is the canonical spelling of o, as event.TurnInput.Decisions holds it:
// the instant, the kind, and what is set, in a fixed order. What was said is
// left out, because decisions are stored in the clear; it follows from the
// inputs, which are sealed.
func (o Output) Spell() string {
	b := make([]byte, 0, 96)
	b = append(append(append(b, o.At.String()...), ' '), o.Kind.String()...)
	b = number(b, "turn", o.Turn)
	b = number(b, "gen", o.Gen)
	b = number(b, "n", o.N)
	b = number(b, "pick", o.Pick)
	b = number(b, "words", o.Words)
	b = number(b, "digits", len(o.Digits))
	if o.Unheard {
		b = append(b, " unheard"...)
	}
	if o.DB != 0 {
		b = strconv.AppendFloat(append(b, " db="...), o.DB, 'g', -1, 64)
	}
	b = length(b, "wait", o.Wait)
	b = length(b, "ended", o.Ended)
	b = length(b, "replay", o.Replay)
	if o.Why != "" {
		b = append(append(b, " why="...), o.Why...)
	}
	if o.Status != "" {
		b = append(append(b, " status="...), o.Status...)
	}
	return string(b)
}

func number[N int | uint64](b []byte, key string, n N) []byte {
	if n == 0 {
		return b
	}
	return fmt.Appendf(b, " %s=%d", key, n)
}

func length(b []byte, key string, d time.Duration) []byte {
	if d == 0 {
		return b
	}
	b = append(append(append(b, ' '), key...), '=')
	return append(b, d.String()...)
}
