package turn

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// step is one input and what is expected since the step before, deadlines in
// between included: "open_turn", "close_turn:eot=block my card", "yield:words".
// An output that was due before the step carries its own time: "pause@300".
// Notes are left out; TestNotes has them.
type step struct {
	ms   int
	in   Input
	want string
}

func play(t *testing.T, cfg Config, steps []step) *Machine {
	t.Helper()
	m := New(cfg, 1)
	for i, s := range steps {
		at := time.Duration(s.ms) * time.Millisecond
		got := strings.Join(drive(m, at, s.in), " ")
		if got != s.want {
			t.Fatalf("step %d, %v at %d ms:\n got %q\nwant %q\n(caller %d, agent %d, line %d)", i, s.in.Kind, s.ms, got, s.want, m.Caller(), m.Agent(), m.Line())
		}
	}
	return m
}

// drive ticks at each deadline before at, then feeds in.
func drive(m *Machine, at time.Duration, in Input) []string {
	var said []string
	for {
		due, ok := m.Deadline()
		if !ok || due > at {
			break
		}
		said = told(said, m.Step(due, Input{}), at)
	}
	return told(said, m.Step(at, in), at)
}

func told(said []string, outs []Output, at time.Duration) []string {
	for _, o := range outs {
		if o.Kind == Note {
			continue
		}
		s := o.Kind.String()
		switch k := o.Kind; {
		case k == CloseTurn:
			s += ":" + o.Why
			if o.Text != "" {
				s += "=" + o.Text
			}
			if o.Digits != "" {
				s += "#" + o.Digits
			}
			if o.Unheard {
				s += "!"
			}
		case k == Yield || k == HangUp:
			s += ":" + o.Why
		case k == PromptNoInput || k == Filler:
			s += fmt.Sprintf(":%d", o.N)
		case k == RestartSTT:
			s += ":" + o.Replay.String()
		}
		if o.At != at {
			s += fmt.Sprintf("@%d", o.At.Milliseconds())
		}
		said = append(said, s)
	}
	return said
}

// plain is the default without what most rules do not speak of.
func plain() Config {
	c := before() // its numbers are those of the table, without what each caller's habits add
	c.Speculate = false
	c.EchoGuard = 0
	return c
}

func is(k InputKind) Input      { return Input{Kind: k} }
func partial(text string) Input { return Input{Kind: Partial, Gen: 1, Text: text} }
func final(text string) Input   { return Input{Kind: Final, Gen: 1, Text: text} }
func say(gen, clause uint64, t string) Input {
	return Input{Kind: SayQueued, Gen: gen, Clause: clause, Text: t}
}
func of(k InputKind, gen uint64) Input { return Input{Kind: k, Gen: gen} }
func press(d byte) Input               { return Input{Kind: Digit, Digit: d} }
func heard(gen, clause uint64) Input {
	return Input{Kind: PlayoutReached, Gen: gen, Clause: clause, Whole: true}
}
func going(gen uint64) Input { return Input{Kind: PlayoutReached, Gen: gen} }

// speaking is an agent in the middle of its first utterance: audio since 100 ms.
func speaking(rest ...step) []step {
	return append([]step{
		{0, is(Packets), ""},
		{0, say(1, 1, "Debit cards are free for the first year."), ""},
		{100, of(AudioStarted, 1), ""},
	}, rest...)
}

func TestTurnTaking(t *testing.T) {
	tests := map[string][]step{
		"a question is heard and answered": {
			{0, is(Packets), ""},
			{1000, is(RawOn), ""},
			{1120, is(VoiceOn), "open_turn"},
			{1500, partial("block my"), ""},
			{1900, partial("block my card"), ""},
			{2000, is(RawOff), ""},
			{2200, is(VoiceOff), "finalize_stt"},
			{2250, final("block my card"), ""},
			{2700, is(Tick), "close_turn:eot=block my card"},
			{2800, say(1, 1, "Done."), ""},
			{2900, of(AudioStarted, 1), ""},
			{2950, of(ReplyEnded, 1), ""},
			{3400, heard(1, 1), ""},
			{3420, of(Drained, 1), ""},
			{18399, is(Tick), ""},
			{18400, is(Tick), "prompt_no_input:1"},
		},
		"a breath does not end the turn": {
			{0, is(VoiceOn), "open_turn"},
			{400, partial("block my card please"), ""},
			{500, is(VoiceOff), "finalize_stt"},
			{550, final("block my card please"), ""},
			{900, is(VoiceOn), ""},
			{1400, is(VoiceOff), "finalize_stt"},
			{1450, final("and my account"), ""},
			{1930, is(Tick), "close_turn:eot=block my card please and my account@1900"},
		},
		"an early tick is ignored, a second one too": {
			{0, is(VoiceOn), "open_turn"},
			{400, is(VoiceOff), "finalize_stt"},
			{420, final("block my card"), ""},
			{899, is(Tick), ""},
			{900, is(Tick), "close_turn:eot=block my card"},
			{900, is(Tick), ""},
			{901, is(Tick), ""},
		},
		"a cough lowers the agent and no more": speaking(
			step{1000, is(RawOn), ""}, step{1060, is(Tick), "duck"}, step{1110, is(RawOff), "unduck"},
			step{3000, is(Tick), ""},
		),
		"a longer noise pauses the agent, who resumes": speaking(
			step{1000, is(RawOn), ""}, step{1120, is(VoiceOn), "duck@1060"}, step{1300, is(RawOff), "pause@1200"},
			step{1500, is(VoiceOff), "finalize_stt"}, step{1520, final(""), ""}, step{2700, is(Tick), "unduck resume"},
		),
		"the voice has gaps: the duck holds, the pause waits for sound": speaking(
			step{1000, is(RawOn), ""}, step{1120, is(VoiceOn), "duck@1060"}, step{1180, is(RawOff), ""}, step{1240, is(RawOn), "pause"},
		),
		"two words take the floor at once": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1420, partial("wait stop"), "pause@1200 yield:words unduck open_turn"},
		),
		"one word takes it after 500 ms": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1420, partial("hello"), "pause@1200"},
			step{1500, is(Tick), "yield:words unduck open_turn"},
		),
		"a voice without words takes it after 900 ms": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1899, is(Tick), "pause@1200"},
			step{1900, is(Tick), "yield:voice unduck open_turn"},
		),
		"uh-huh is not an interruption": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1300, partial("uh-huh"), "pause@1200"}, step{1600, is(Tick), ""},
			step{1620, is(VoiceOff), "finalize_stt unduck resume"}, step{1640, final("uh-huh"), ""}, step{4000, is(Tick), ""},
		),
		"a final of backchannels resumes while the voice goes on": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1400, final("okay"), "pause@1200 unduck resume"},
			step{1460, is(Tick), "duck"}, step{1600, is(Tick), "pause"},
		),
		"a backchannel that does not end is an interruption": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1400, partial("okay right"), "pause@1200"}, step{1799, is(Tick), ""},
			step{1800, is(Tick), "yield:words unduck open_turn"},
		),
		"okay answers a question": {
			{0, say(1, 1, "Shall I block it?"), ""},
			{100, of(AudioStarted, 1), ""},
			{1120, is(VoiceOn), "duck"},
			{1400, is(VoiceOff), "pause@1200 finalize_stt"},
			{1450, final("okay"), "yield:final unduck open_turn"},
			{1550, is(Tick), "close_turn:eot_finished=okay"},
		},
		"the turn that was closed too early goes on": {
			{0, is(VoiceOn), "open_turn"},
			{500, is(VoiceOff), "finalize_stt"},
			{510, final("block my card"), ""},
			{1000, is(Tick), "close_turn:eot=block my card"},
			{1300, is(VoiceOn), ""},
			{1500, say(1, 1, "Which card?"), "pause"},
			{1600, partial("the blue one"), "yield:words open_turn"},
			{1700, is(VoiceOff), "finalize_stt"},
			{1720, final("the blue one"), ""},
			{2500, say(1, 2, "Stale."), "close_turn:learned=the blue one@2380"},
			{2600, say(2, 1, "Done."), ""},
		},
		"a cough while the agent thinks costs no reply": {
			{0, is(VoiceOn), "open_turn"},
			{500, is(VoiceOff), "finalize_stt"},
			{510, final("block my card"), ""},
			{1100, is(RawOn), "close_turn:eot=block my card@1000"},
			{1220, is(VoiceOn), ""},
			{1300, is(RawOff), ""},
			{1500, is(VoiceOff), "finalize_stt"},
			{1510, final(""), ""},
			{1600, say(1, 1, "Which card?"), ""},
			{1700, of(AudioStarted, 1), ""},
			{4000, is(Tick), ""},
		},
		"an announcement does not interrupt the caller": {
			{0, is(VoiceOn), "open_turn"}, {300, say(1, 1, "Hello?"), "yield:caller_has_floor"}, {400, say(1, 2, "Hello?"), ""},
		},
		"a newer reply replaces an older one": speaking(
			step{1000, say(2, 1, "An operator takes over."), "yield:superseded"}, step{1100, of(ReplyEnded, 1), ""}, step{1120, of(Drained, 1), ""}, step{1150, of(AudioStarted, 2), ""}, step{1300, is(VoiceOn), "duck"},
		),
		"stale speech and stale streams are nobody's": speaking(
			step{1000, Input{Kind: Digit, Digit: '1'}, "yield:digit open_turn"},
			step{1010, say(1, 2, "And"), ""}, step{1020, of(AudioStarted, 1), ""}, step{1030, heard(1, 1), ""}, step{1040, of(Drained, 1), ""},
			step{1050, Input{Kind: Final, Gen: 0, Text: "ghost"}, ""}, step{1060, of(STTFailed, 0), ""},
			step{3500, is(Tick), "close_turn:dtmf_gap#1"},
		),
		"a reply without words ends at once": {
			{0, is(VoiceOn), "open_turn"},
			{500, is(VoiceOff), "finalize_stt"},
			{510, final("thank you"), ""},
			{700, of(ReplyEnded, 1), "close_turn:eot_finished=thank you@650"},
			{15699, is(Tick), ""},
			{15700, is(Tick), "prompt_no_input:1"},
		},
		"a reply that fails becomes a request to repeat, once": {
			{0, is(VoiceOn), "open_turn"},
			{500, is(VoiceOff), "finalize_stt"},
			{510, final("thank you"), ""},
			{700, of(ReplyFailed, 1), "close_turn:eot_finished=thank you@650 yield:reply_failed ask_repeat"},
			{800, of(ReplyFailed, 2), ""},
		},
		"a voice that dies frees the floor": speaking(
			step{1000, of(TTSFailed, 1), "yield:tts_failed"}, step{16000, is(Tick), "prompt_no_input:1"},
		),
		"a gap between clauses is no end": speaking(
			step{1000, heard(1, 1), ""}, step{1500, say(1, 2, "Then 5 dollars."), ""}, step{1600, of(ReplyEnded, 1), ""},
			step{2500, heard(1, 2), ""}, step{17499, is(Tick), ""}, step{17500, is(Tick), "prompt_no_input:1"},
		),
		"hold keeps reply and caller, and no timer runs": speaking(
			step{1000, is(LineHeld), "pause"}, step{1500, is(VoiceOn), ""}, step{2000, partial("la la la"), ""},
			step{900000, is(VoiceOff), ""}, step{901000, is(LineResumed), "resume"}, step{902000, heard(1, 1), ""},
		),
		"hold ends the voice but not the turn": {
			{0, is(Packets), ""},
			{100, is(VoiceOn), "open_turn"},
			{900, is(LineHeld), "finalize_stt"},
			{950, final("block my card"), ""},
			{60000, is(LineResumed), ""},
			{60499, is(Tick), ""},
			{60500, is(Tick), "close_turn:eot=block my card"},
		},
		"a transfer that fails gives the call back": {
			{0, is(Packets), ""},
			{1000, is(LineTransferring), ""},
			{31000, is(Tick), "prompt_transfer"},
			{31100, Input{Kind: SayQueued, Gen: 1, Clause: 1, Text: "Nobody is there."}, ""},
			{31200, Input{Kind: AudioStarted, Gen: 1}, ""},
		},
		"a transfer that fails over the caller's words waits for the next reply": {
			{0, is(Packets), ""},
			{100, is(VoiceOn), "open_turn"},
			{900, is(LineTransferring), "finalize_stt"},
			{950, final("block my card"), ""},
			{2000, Input{Kind: LineTransferFailed, Reason: "busy"}, "prompt_transfer"},
			{2500, is(Tick), "close_turn:eot=block my card"},
		},
		"the end of the call loses no words": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1300, partial("hello"), "pause@1200"},
			step{1400, Input{Kind: LineEnded, Reason: "hangup"}, "yield:line_ended unduck open_turn close_turn:line_ended=hello"},
			step{99000, is(VoiceOn), ""},
		),
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) { play(t, plain(), steps) })
	}
}
