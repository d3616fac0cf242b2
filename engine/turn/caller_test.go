package turn

import (
	"slices"
	"testing"
	"time"
)

func TestAShortWordOverAudibleSpeechIsLetGo(t *testing.T) {
	c := plain()
	c.FalseInterruption = time.Second
	play(t, c, speaking(
		step{1000, is(RawOn), ""}, step{1120, is(VoiceOn), "duck@1060"}, step{1150, is(RawOff), ""}, step{1350, is(VoiceOff), "finalize_stt unduck"},
		step{1400, final("no"), ""},
		step{2500, final("hello"), ""}, // the first was let go at 2,400 ms, so these are not two words
		step{2600, final("hello"), "yield:words open_turn"},
	))
}

func TestWithoutBargeInTheCallerWaits(t *testing.T) {
	c := plain()
	c.BargeIn = false
	playAll(t, c, map[string][]step{
		"and is answered afterwards": speaking(
			step{1120, is(VoiceOn), ""}, step{1400, partial("wait stop"), ""}, step{1600, is(VoiceOff), "finalize_stt"}, step{1650, final("wait stop please"), ""},
			step{3900, of(ReplyEnded, 1), ""}, step{4000, heard(1, 1), "open_turn close_turn:eot=wait stop please"},
		),
		"or goes on speaking": speaking(
			step{3900, of(ReplyEnded, 1), ""}, step{3950, is(VoiceOn), ""}, step{4000, heard(1, 1), "open_turn"}, step{4500, is(VoiceOff), "finalize_stt"},
		),
		"but is not kept from adding to a turn": {
			{0, final("block my card"), "open_turn"}, {800, is(VoiceOn), "close_turn:eot=block my card@500"}, {1000, partial("and account"), "yield:words open_turn"},
		},
	})
}

// TestLearnedFloor: an average of this caller's pauses, nine parts old and one
// part new, within its bounds.
func TestLearnedFloor(t *testing.T) {
	tests := map[string]struct {
		pauses []int // between VAD stop and voice, in ms
		want   int   // wait before a turn that sounds finished is closed
	}{
		"none":             {nil, 150},
		"one":              {[]int{400}, 400},
		"two":              {[]int{400, 1000}, 460},
		"three":            {[]int{400, 1000, 1000}, 514},
		"short ones":       {[]int{20, 20}, 150},
		"very long ones":   {[]int{1700, 1700}, 1000},
		"a long one fades": {[]int{1700, 200, 200}, 848},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := New(plain(), 1)
			at := 120
			step := func(ms int, in Input) []string {
				at += ms
				return drive(m, time.Duration(at)*time.Millisecond, in)
			}
			step(0, is(VoiceOn))
			for _, pause := range tt.pauses {
				step(500, is(VoiceOff))
				step(0, final("and"))
				step(pause+120, is(VoiceOn))
			}
			step(500, is(VoiceOff))
			step(0, final("thank you"))
			step(0, Input{Kind: EndOfTurnHint, Hint: HintFinished})
			if early := step(tt.want-1, is(Tick)); len(early) > 0 {
				t.Errorf("sooner than after %d ms: %q", tt.want, early)
			}
			if due := step(1, is(Tick)); len(due) != 1 {
				t.Errorf("after %d ms: %q, want the turn closed", tt.want, due)
			}
		})
	}
}

func TestLine(t *testing.T) {
	m := New(plain(), 1)
	for i, s := range []struct {
		in   Input
		want Line
	}{
		{is(LineUp), Up},
		{is(LineDraining), Draining},
		{of(STTFailed, 1), Deaf},
		{is(LineTransferring), Transferring},
		{is(LineHeld), Held},
		{is(LineResumed), Transferring},
		{is(LineTransferFailed), Deaf},
		{of(STTRestored, 2), Draining},
		{is(LineEnded), Over},
		{is(LineUp), Over},
	} {
		if m.Step(0, s.in); m.Line() != s.want {
			t.Errorf("step %d: line %d, want %d", i, m.Line(), s.want)
		}
	}
	if due, ok := m.Deadline(); ok {
		t.Errorf("over, and still a deadline at %v", due)
	}
}

func TestGenerations(t *testing.T) {
	m := New(plain(), 1)
	greeting := m.Gen() + 1
	m.Step(0, say(greeting, 1, "Hello."))
	m.Step(0, of(AudioStarted, greeting))
	m.Step(0, of(ReplyEnded, greeting))
	m.Step(0, heard(greeting, 1))
	drive(m, 0, final("thank you"))
	drive(m, time.Second, is(Tick))
	if m.Gen() != greeting+1 || m.Turn() != 1 || m.Agent() != AgentThinking || m.Caller() != CallerCommitted {
		t.Errorf("gen %d, turn %d, agent %d, caller %d", m.Gen(), m.Turn(), m.Agent(), m.Caller())
	}
}

// TestALateTickChangesNothing: a process that slept through every deadline
// decides what one that kept them does, and says when each was due.
func TestALateTickChangesNothing(t *testing.T) {
	m := New(plain(), 1)
	m.Step(0, is(Packets))
	m.Step(0, final("thank you"))
	got := told(nil, m.Step(40*time.Second, is(Tick)), 0)
	want := []string{"close_turn:eot_finished=thank you@150", "yield:llm_timeout@25150"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
