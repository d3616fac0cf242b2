package turn

import (
	"slices"
	"testing"
	"time"
)

func playAll(t *testing.T, cfg Config, tests map[string][]step) {
	t.Helper()
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) { play(t, cfg, steps) })
	}
}

func TestRuleA_WhatCanStartATurnCanEndIt(t *testing.T) {
	playAll(t, plain(), map[string][]step{
		"voice": {
			{0, is(VoiceOn), "open_turn"}, {300, is(VoiceOff), "finalize_stt"}, {320, final("yes"), ""}, {450, is(Tick), "close_turn:eot_finished=yes"},
		},
		"a final without voice": {
			{0, final("yes"), "open_turn"}, {150, is(Tick), "close_turn:eot_finished=yes"},
		},
		"a hypothesis without voice, settled before the turn closes": {
			{0, partial("yes"), "open_turn"},
			{100, partial("yes please"), ""},
			{250, is(Tick), "finalize_stt"},
			{300, final("yes please"), "close_turn:eot_finished=yes please"},
		},
		"a hypothesis that nobody settles": {
			{0, partial("yes please"), "open_turn"}, {2000, is(Tick), "finalize_stt@150 close_turn:eot_finished=yes please@950"},
		},
		"a digit": {
			{0, press('4'), "open_turn"}, {2500, is(Tick), "close_turn:dtmf_gap#4"},
		},
	})
}

func TestRuleB_NoTurnIsCommittedWhileTheVADSaysSpeech(t *testing.T) {
	playAll(t, plain(), map[string][]step{
		"words alone do not close it": {
			{0, is(VoiceOn), "open_turn"},
			{1000, final("thank you"), ""},
			{2000, Input{Kind: EndOfTurnHint, Hint: HintFinished}, ""},
			{5900, is(RawOff), ""},
			{6000, is(RawOn), ""},
			{9000, is(VoiceOff), "finalize_stt"},
			{9010, final(""), ""},
			{9150, is(Tick), "close_turn:eot_finished=thank you"},
		},
		"digits do not either": {
			{0, is(VoiceOn), "open_turn"},
			{100, press('4'), ""},
			{200, press('#'), ""},
			{3000, is(RawOff), ""},
			{3200, is(VoiceOff), "finalize_stt"},
			{3250, final(""), "close_turn:dtmf_terminator#4"},
		},
		"nor when the wait ends in a sound too short to be voice yet": {
			{0, is(VoiceOn), "open_turn"},
			{500, is(VoiceOff), "finalize_stt"},
			{520, final("block my card"), ""},
			{950, is(RawOn), ""},
			{1040, is(RawOff), "close_turn:eot=block my card"},
		},
		"which may become voice": {
			{0, is(VoiceOn), "open_turn"},
			{500, is(VoiceOff), "finalize_stt"},
			{520, final("block my card"), ""},
			{950, is(RawOn), ""},
			{1070, is(VoiceOn), ""},
			{1500, is(VoiceOff), "finalize_stt"},
		},
		"only the watchdog may": {
			{0, is(VoiceOn), "open_turn"}, {1000, final("thank you"), ""}, {5999, is(Tick), ""}, {6000, is(Tick), "finalize_stt close_turn:watchdog=thank you"},
		},
		"and a voice it has set aside counts for nothing until it ends": {
			{0, is(VoiceOn), "open_turn"},
			{5000, is(Tick), "finalize_stt close_turn:watchdog! ask_repeat"},
			{5100, say(1, 1, "Sorry?"), ""},
			{5200, of(AudioStarted, 1), ""},
			{5300, is(RawOn), ""},
			{5400, is(VoiceOn), ""},
			{6300, going(1), ""},
			{6400, is(VoiceOff), ""},
			{6500, is(RawOn), ""},
			{6560, is(Tick), "duck"},
		},
		"a noise without words ends as well, however lively": noise(),
	})
}

// noise flickers for 15 s without a word.
func noise() []step {
	steps := []step{{0, is(VoiceOn), "open_turn"}}
	for ms := 1000; ms < 15000; ms += 1000 {
		steps = append(steps, step{ms, is(RawOff), ""}, step{ms + 100, is(RawOn), ""})
	}
	return append(steps, step{15000, is(Tick), "finalize_stt close_turn:watchdog! ask_repeat"})
}

func TestRuleC_AFinalWhilePausedYieldsAndSilenceResumes(t *testing.T) {
	playAll(t, plain(), map[string][]step{
		"a final yields, be it one word": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1450, is(VoiceOff), "pause@1200 finalize_stt"}, step{1500, final("stop"), "yield:final unduck open_turn"},
			step{1600, is(Tick), "close_turn:eot_finished=stop"},
		),
		"a backchannel is tested before": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1450, is(VoiceOff), "pause@1200 finalize_stt"}, step{1500, final("right"), "unduck resume"},
		),
		"silence without words resumes": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1450, is(VoiceOff), "pause@1200 finalize_stt"}, step{1500, final(""), ""},
			step{2649, is(Tick), ""}, step{2650, is(Tick), "unduck resume"},
		),
		"words that nobody settled are not lost": speaking(
			step{1120, is(VoiceOn), "duck"}, step{1450, is(VoiceOff), "pause@1200 finalize_stt"}, step{1500, partial("cancel"), ""},
			step{2700, is(Tick), "yield:words unduck open_turn close_turn:eot_finished=cancel"},
		),
	})
}

func TestRuleD_SpeechWithoutTranscriptAsksToRepeat(t *testing.T) {
	playAll(t, plain(), map[string][]step{
		"the recogniser says nothing": {
			{0, is(VoiceOn), "open_turn"}, {900, is(VoiceOff), "finalize_stt"}, {3899, is(Tick), ""}, {3900, is(Tick), "close_turn:stt_timeout! ask_repeat"},
		},
		"the recogniser says that there were no words": {
			{0, is(VoiceOn), "open_turn"}, {900, is(VoiceOff), "finalize_stt"}, {950, final(""), ""}, {1400, is(Tick), "close_turn:stt_empty! ask_repeat"},
		},
		"its final comes too late for the turn and for the next": {
			{0, is(VoiceOn), "open_turn"},
			{500, partial("block"), ""},
			{900, is(VoiceOff), "finalize_stt"},
			{1800, final("block my card"), "close_turn:eot=block@1700"},
			{1900, of(ReplyEnded, 1), ""},
			{2000, final("thank you"), "open_turn"},
		},
		"a late final is waited for no longer than for any words": {
			{0, is(VoiceOn), "open_turn"},
			{500, partial("block"), ""},
			{900, is(VoiceOff), "finalize_stt"},
			{1800, of(ReplyEnded, 1), "close_turn:eot=block@1700"},
			{4701, final("my card"), "open_turn"},
		},
	})
}

func TestRuleE_LostPacketsAreSilenceAndThenALostLeg(t *testing.T) {
	playAll(t, plain(), map[string][]step{
		"they end the voice": {
			{0, is(VoiceOn), "open_turn"},
			{900, is(NoPackets), "finalize_stt"},
			{950, final("block my card"), ""},
			{1400, is(Tick), "close_turn:eot=block my card"},
		},
		"the voice goes on with them": {
			{0, is(VoiceOn), "open_turn"},
			{900, is(NoPackets), "finalize_stt"},
			{1000, is(Packets), ""},
			{1200, final("block my card"), ""},
			{3000, is(VoiceOff), "finalize_stt"},
		},
		"a lost leg hangs up after 15 s": {
			{0, is(Packets), ""}, {1000, is(NoPackets), ""}, {15999, is(Tick), "prompt_no_input:1@15000"}, {16000, is(Tick), "yield:hang_up hang_up:media_lost"},
		},
		"packets in time do not": {
			{0, is(Packets), ""}, {1000, is(NoPackets), ""}, {2000, is(Packets), ""}, {16500, is(Tick), "prompt_no_input:1@15000"},
		},
		"before the first it is 30 s": {
			{15000, is(Tick), "prompt_no_input:1"},
			{15000, say(1, 1, "Hello?"), ""},
			{15100, of(AudioStarted, 1), ""},
			{15200, of(ReplyEnded, 1), ""},
			{16000, heard(1, 1), ""},
			{29999, is(Tick), ""},
			{30000, is(Tick), "hang_up:media_lost"},
		},
		"also on hold": {
			{0, is(Packets), ""}, {100, is(LineHeld), ""}, {1000, is(NoPackets), ""}, {16000, is(Tick), "hang_up:media_lost"},
		},
	})
}

func TestRuleF_ADigitIsAnUtteranceThatMayInterrupt(t *testing.T) {
	deafened := plain()
	deafened.BargeIn = false
	tests := map[string][]step{
		"it takes the floor": speaking(
			step{1000, press('1'), "yield:digit open_turn"}, step{1500, press('2'), ""}, step{1700, press('#'), "close_turn:dtmf_terminator#12"},
		),
		"a gap ends the row": {
			{0, press('1'), "open_turn"}, {2499, press('2'), ""}, {4998, is(Tick), ""}, {4999, is(Tick), "close_turn:dtmf_gap#12"},
		},
		"the terminator alone is a choice": {
			{0, press('#'), "open_turn close_turn:dtmf_terminator##"},
		},
		"what is no key is no digit": {
			{0, press('x'), ""}, {0, press(0), ""}, {0, press('d'), "open_turn"}, {2500, is(Tick), "close_turn:dtmf_gap#D"},
		},
		"words and digits are one utterance": {
			{0, is(VoiceOn), "open_turn"},
			{500, press('7'), ""},
			{600, is(VoiceOff), "finalize_stt"},
			{650, final("number"), ""},
			{3000, is(Tick), "close_turn:dtmf_gap=number#7"},
		},
	}
	playAll(t, plain(), tests)
	t.Run("also where voice may not", func(t *testing.T) {
		play(t, deafened, speaking(step{1000, is(VoiceOn), ""}, step{3000, partial("stop it now"), ""}, step{3100, press('1'), "yield:digit open_turn"}))
	})
	t.Run("32 end the row", func(t *testing.T) {
		m := New(plain(), 1)
		var got []string
		for i := range 32 {
			got = told(got, m.Step(time.Duration(i)*time.Second, press('9')), time.Duration(i)*time.Second)
		}
		want := []string{"open_turn", "close_turn:dtmf_max#99999999999999999999999999999999"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestRuleG_ADeadRecogniserIsReplacedAndHearsAgain(t *testing.T) {
	on := func(k InputKind, gen uint64, text string) Input { return Input{Kind: k, Gen: gen, Text: text} }
	playAll(t, plain(), map[string][]step{
		"the utterance is replayed to the next": {
			{0, is(VoiceOn), "open_turn"},
			{3000, of(STTFailed, 1), "restart_stt:3s"},
			{3200, of(STTRestored, 2), ""},
			{3250, on(Final, 1, "ghost"), ""},
			{3300, on(Partial, 2, "block my card"), ""},
			{3500, is(VoiceOff), "finalize_stt"},
			{3550, on(Final, 2, "block my card"), ""},
			{4000, is(Tick), "close_turn:eot=block my card"},
		},
		"not what is settled": {
			{0, is(VoiceOn), "open_turn"}, {1000, final("block my card"), ""}, {3000, of(STTFailed, 1), "restart_stt:2s"},
		},
		"and 5 s at most": {
			{9000, of(STTFailed, 1), "restart_stt:5s"},
		},
		"the last words are asked for anew": {
			{0, is(VoiceOn), "open_turn"},
			{1000, of(STTFailed, 1), "restart_stt:1s"},
			{1500, is(VoiceOff), ""},
			{2000, of(STTRestored, 2), "finalize_stt"},
			{2100, on(Final, 2, "block my card"), "close_turn:eot=block my card"},
		},
		"words prove that it hears": {
			{0, of(STTFailed, 1), "restart_stt:0s"}, {100, is(VoiceOn), "open_turn"}, {600, on(Partial, 2, "block my card"), ""}, {900, is(VoiceOff), "finalize_stt"},
		},
		"one that fails at once is not asked in a loop": {
			{0, of(STTFailed, 1), "restart_stt:0s"}, {10, of(STTFailed, 2), ""}, {1000, is(Tick), "restart_stt:1s"}, {1010, of(STTFailed, 3), ""}, {1020, of(STTFailed, 3), ""}, {2000, is(Tick), "restart_stt:2s"},
		},
		"who speaks to a deaf agent is asked to repeat": {
			{0, of(STTFailed, 1), "restart_stt:0s"}, {100, is(VoiceOn), "open_turn"}, {900, is(VoiceOff), ""}, {3900, is(Tick), "close_turn:stt_timeout! ask_repeat"},
		},
	})
	m := play(t, plain(), []step{{0, of(STTFailed, 1), "restart_stt:0s"}})
	if m.Line() != Deaf || m.Stream() != 2 {
		t.Errorf("line %d, stream %d after a failure, want %d, 2", m.Line(), m.Stream(), Deaf)
	}
	if m.Step(0, of(STTRestored, 2)); m.Line() != Up {
		t.Errorf("line %d after it was restored, want %d", m.Line(), Up)
	}
}

func TestRuleH_InputsKeepTheirOrder(t *testing.T) {
	playAll(t, plain(), map[string][]step{
		"the transcript, then the stop": {
			{0, is(VoiceOn), "open_turn"}, {500, final("thank you"), ""}, {500, is(VoiceOff), "finalize_stt"}, {500, final(""), ""}, {650, is(Tick), "close_turn:eot_finished=thank you"},
		},
		"the stop, then the transcript": {
			{0, is(VoiceOn), "open_turn"}, {500, is(VoiceOff), "finalize_stt"}, {500, final("thank you"), ""}, {650, is(Tick), "close_turn:eot_finished=thank you"},
		},
		"the floor goes to who came first": {
			{0, press('1'), "open_turn"}, {0, say(1, 1, "Hello."), "yield:caller_has_floor"},
		},
		"and not to who came second": {
			{0, say(1, 1, "Hello."), ""}, {0, press('1'), "yield:digit open_turn"},
		},
	})
	t.Run("a fact that comes late is not moved ahead", func(t *testing.T) {
		m := New(plain(), 1)
		m.Step(0, is(VoiceOn))
		m.Step(500*time.Millisecond, is(VoiceOff))
		m.Step(520*time.Millisecond, final("thank you"))
		outs := slices.Clone(m.Step(650*time.Millisecond, is(Tick)))
		outs = append(outs, m.Step(600*time.Millisecond, is(VoiceOn))...) // before the commit by its clock, after it by its coming
		var at time.Duration
		for _, o := range outs {
			if o.At < at {
				t.Errorf("%s comes after something at %v", o.Spell(), at)
			}
			at = o.At
		}
		if m.Caller() != CallerMaybe || m.Turn() != 1 {
			t.Errorf("caller %d in turn %d, want %d in turn 1", m.Caller(), m.Turn(), CallerMaybe)
		}
	})
}
