package turn

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flametree/engine/event"
)

// recorded drives a machine through steps and returns what the journal would hold.
func recorded(cfg Config, seed uint64, steps []step) []event.TurnInput {
	m := New(cfg, seed)
	var recs []event.TurnInput
	for _, s := range steps {
		at := time.Duration(s.ms) * time.Millisecond
		for due, ok := m.Deadline(); ok && due < at; due, ok = m.Deadline() {
			recs = append(recs, Record(due, Input{}, m.Step(due, Input{})))
		}
		recs = append(recs, Record(at, s.in, m.Step(at, s.in)))
	}
	return recs
}

func asked(hint Hint) []step {
	return []step{
		{0, is(Packets), ""},
		{1120, is(VoiceOn), ""},
		{1800, is(VoiceOff), ""},
		{1820, final("block my card"), ""},
		{1830, Input{Kind: EndOfTurnHint, Hint: hint}, ""},
		{9000, is(Tick), ""},
	}
}

// withPause leaves a pause of ms after VAD stop within one turn.
func withPause(ms int) []step {
	return []step{
		{0, is(Packets), ""},
		{120, is(VoiceOn), ""},
		{500, is(VoiceOff), ""},
		{510, final("thank you"), ""},
		{510, Input{Kind: EndOfTurnHint, Hint: HintUnfinished}, ""},
		{620 + ms, is(VoiceOn), ""},
		{4000, is(VoiceOff), ""},
		{4010, final("thank you"), ""},
		{9000, is(Tick), ""},
	}
}

// TestEveryTimerMatters has, for each setting the machine decides by, a call in
// which another value decides otherwise; so a replay with it differs as well.
func TestEveryTimerMatters(t *testing.T) {
	over := func(off int, rest ...step) []step {
		steps := speaking(step{1000, is(RawOn), ""}, step{1120, is(VoiceOn), ""}, step{off, is(VoiceOff), ""})
		return append(slices.Concat(steps, rest), step{9000, is(Tick), ""})
	}
	late := []step{{0, is(Packets), ""}, {1000, final("thank you"), ""}, {12000, is(Tick), ""}}
	tests := map[string]struct {
		value string
		with  string // other settings, key=value
		steps []step
	}{
		"vad_start":      {"20ms", "", over(1420)},
		"vad_stop":       {"500ms", "", asked(HintUnknown)},
		"eot_finished":   {"151ms", "", asked(HintFinished)},
		"eot":            {"300ms", "", asked(HintUnknown)},
		"eot_unfinished": {"1700ms", "", asked(HintUnfinished)},
		"eot_cap":        {"900ms", "", asked(HintUnfinished)},
		"eot_learn":      {"False", "", withPause(800)},
		"eot_floor":      {"900ms", "", withPause(800)},
		"eot_ceiling":    {"700ms", "", withPause(800)},
		"eot_model":      {"none", "eot_model=rules", []step{{0, final("thank you bye"), ""}, {3000, is(Tick), ""}}},
		"eot_ahead":      {"400ms", "eot_model=rules", []step{{0, final("thank you bye"), ""}, {3000, is(Tick), ""}}},
		"eot_open":       {"900ms", "", asked(HintOpen)},
		"eot_unready": {"300ms", "speculate_max=1", []step{
			{0, is(VoiceOn), ""}, {100, partial("block"), ""}, {500, partial("block my"), ""}, {700, is(VoiceOff), ""}, {710, final("block it"), ""}, {5000, is(Tick), ""},
		}},
		"eot_prior":        {"800ms", "", asked(HintUnknown)},
		"eot_deviations":   {"3", "eot_prior=300ms", asked(HintUnknown)},
		"speculate_voiced": {"False", "", []step{{0, is(VoiceOn), ""}, {100, partial("block my card"), ""}, {5000, is(Tick), ""}}},
		"speculate_lead": {"100ms", "speculate_voiced=False speculate_lead=300ms", []step{
			{0, is(VoiceOn), ""}, {100, partial("block my card"), ""}, {700, is(VoiceOff), ""}, {710, final("block my card"), ""}, {5000, is(Tick), ""},
		}},
		"question_heard": {"100", "question_heard=0", []step{
			{0, is(Packets), ""},
			{10, say(1, 1, "May I send you the card that you have asked me for?"), ""},
			{100, of(AudioStarted, 1), ""},
			{300, is(RawOn), ""},
			{420, is(VoiceOn), ""},
			{900, is(VoiceOff), ""},
			{920, final("okay"), ""},
			{3000, is(Tick), ""},
		}},
		"stt_final_wait":        {"700ms", "", []step{{0, is(VoiceOn), ""}, {500, partial("block my card"), ""}, {900, is(VoiceOff), ""}, {5000, is(Tick), ""}}},
		"stt_timeout":           {"2900ms", "", []step{{0, is(VoiceOn), ""}, {900, is(VoiceOff), ""}, {5000, is(Tick), ""}}},
		"dtmf":                  {"False", "", []step{{0, press('1'), ""}}},
		"dtmf_terminator":       {"*", "", []step{{0, press('1'), ""}, {10, press('#'), ""}}},
		"dtmf_gap":              {"2400ms", "", []step{{0, press('1'), ""}, {3000, is(Tick), ""}}},
		"dtmf_max":              {"2", "", []step{{0, press('1'), ""}, {10, press('2'), ""}}},
		"language":              {"kk", "", []step{{0, final("yes"), ""}, {3000, is(Tick), ""}}},
		"barge_in":              {"False", "", over(3000)},
		"duck":                  {"70ms", "", over(3000)},
		"duck_db":               {"-20", "", over(3000)},
		"pause":                 {"210ms", "", over(3000)},
		"yield":                 {"510ms", "", speaking(step{1120, is(VoiceOn), ""}, step{1300, partial("hello"), ""}, step{3000, is(Tick), ""})},
		"yield_words":           {"1", "", speaking(step{1120, is(VoiceOn), ""}, step{1200, partial("hello"), ""}, step{1400, is(Tick), ""})},
		"yield_no_words":        {"910ms", "", over(3000)},
		"backchannel":           {"300ms", "", over(1700, step{1710, final("uh-huh"), ""})},
		"backchannel_words":     {"0", "", over(1700, step{1710, final("uh-huh"), ""})},
		"false_interruption":    {"1100ms", "", over(1600)},
		"echo_guard":            {"0s", "", speaking(step{220, is(VoiceOn), ""}, step{500, is(VoiceOff), ""}, step{3000, is(Tick), ""})},
		"speculate":             {"False", "", asked(HintUnknown)},
		"speculate_stable":      {"210ms", "", asked(HintUnknown)},
		"speculate_max":         {"0", "", asked(HintUnknown)},
		"enable_filler_phrases": {"True", "", late},
		"filler_after":          {"800ms", "enable_filler_phrases=True", late},
		"filler_repeat":         {"5s", "enable_filler_phrases=True", late},
		"filler_off_below": {"2s", "enable_filler_phrases=True", []step{
			{0, final("thank you"), ""},
			{1150, say(1, 1, "Hi."), ""},
			{1200, of(AudioStarted, 1), ""},
			{1300, of(ReplyEnded, 1), ""},
			{1400, heard(1, 1), ""},
			{2000, final("thank you"), ""},
			{4000, is(Tick), ""},
		}},
		"llm_timeout":      {"8s", "", []step{{0, is(Packets), ""}, {0, final("thank you"), ""}, {30000, is(Tick), ""}}},
		"watchdog":         {"4s", "", late},
		"no_input_timeout": {"10", "", []step{{0, is(Packets), ""}, {16000, is(Tick), ""}}},
		"no_input_prompts": {"0", "", []step{{0, is(Packets), ""}, {16000, is(Tick), ""}}},
		"max_call":         {"60", "no_input_timeout=0", []step{{0, is(Packets), ""}, {70000, is(Tick), ""}}},
		"media_start":      {"20", "no_input_timeout=0", []step{{31000, is(Tick), ""}}},
		"media_lost":       {"10", "no_input_timeout=0", []step{{0, is(Packets), ""}, {10, is(NoPackets), ""}, {31000, is(Tick), ""}}},
		"transfer_timeout": {"20", "", []step{{0, is(Packets), ""}, {10, is(LineTransferring), ""}, {60000, is(Tick), ""}}},
	}
	for _, timer := range Timers() {
		tt, ok := tests[timer.Key]
		if ok != (timer.Owner == "turn") {
			t.Errorf("%s belongs to %s: is there a call for it here? %v", timer.Key, timer.Owner, ok)
		}
		if !ok {
			continue
		}
		t.Run(timer.Key, func(t *testing.T) {
			cfg := before()
			for pair := range strings.FieldsSeq(tt.with) {
				k, v, _ := strings.Cut(pair, "=")
				if err := cfg.Set(k, v); err != nil {
					t.Fatal(err)
				}
			}
			recs := recorded(cfg, 1, tt.steps)
			if diff := Rerun(cfg, 1, recs); len(diff) > 0 {
				t.Fatalf("the same machine decided otherwise: %+v", diff)
			}
			if err := cfg.Set(timer.Key, tt.value); err != nil {
				t.Fatal(err)
			}
			if len(Rerun(cfg, 1, recs)) == 0 {
				t.Errorf("%s=%s changes nothing in\n%s", timer.Key, tt.value, tell(recs))
			}
		})
	}
}

// TestTimersOfOthersDoNotMatter guards the column Owner.
func TestTimersOfOthersDoNotMatter(t *testing.T) {
	steps := slices.Concat(asked(HintUnknown), []step{{9500, final("wait please"), ""}, {60000, is(Tick), ""}})
	recs := recorded(Default(), 1, steps)
	for _, timer := range Timers() {
		if timer.Owner == "turn" {
			continue
		}
		cfg := Default()
		if err := cfg.Set(timer.Key, "1s"); err != nil {
			t.Fatal(err)
		}
		if diff := Rerun(cfg, 1, recs); len(diff) > 0 {
			t.Errorf("%s belongs to %s and changed a decision: %+v", timer.Key, timer.Owner, diff)
		}
	}
}

func tell(recs []event.TurnInput) string {
	var b strings.Builder
	for _, r := range recs {
		b.WriteString(r.Offset.String() + " " + r.Kind + " → " + strings.Join(r.Decisions, ", ") + "\n")
	}
	return b.String()
}

// TestNotes is the waterfall: why a turn was answered only then.
func TestNotes(t *testing.T) {
	tests := map[string]struct {
		steps []step
		want  []string
	}{
		"it sounds finished":   {asked(HintFinished), []string{"eot_finished 150ms"}},
		"nothing is known":     {asked(HintUnknown), []string{"eot 500ms"}},
		"it sounds unfinished": {asked(HintUnfinished), []string{"eot_unfinished 1.8s"}},
		"the caller pauses":    {withPause(800), []string{"learned 800ms"}},
		"the recogniser is slow": {
			[]step{{0, is(Packets), ""}, {0, is(VoiceOn), ""}, {500, partial("block"), ""}, {900, is(VoiceOff), ""}, {1600, final("block my card"), ""}},
			[]string{"eot 500ms", "stt_final 200ms"},
		},
		"the recogniser is slower": {
			[]step{{0, is(Packets), ""}, {0, is(VoiceOn), ""}, {500, partial("block"), ""}, {900, is(VoiceOff), ""}, {3000, is(Tick), ""}},
			[]string{"eot 500ms", "stt_final 300ms"},
		},
		"a sound": {
			[]step{{0, is(Packets), ""}, {0, is(VoiceOn), ""}, {500, final("block my card"), ""}, {900, is(VoiceOff), ""}, {910, final(""), ""}, {1390, is(RawOn), ""}, {1450, is(RawOff), ""}},
			[]string{"eot 500ms", "voice 50ms"},
		},
		"no words":     {[]step{{0, is(Packets), ""}, {0, is(VoiceOn), ""}, {900, is(VoiceOff), ""}, {4000, is(Tick), ""}}, []string{"stt_timeout 3s"}},
		"digits":       {[]step{{0, is(Packets), ""}, {0, press('1'), ""}, {4000, is(Tick), ""}}, []string{"dtmf_gap 2.5s"}},
		"the watchdog": {[]step{{0, is(Packets), ""}, {0, is(VoiceOn), ""}, {5000, is(Tick), ""}}, []string{"watchdog 5s"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := New(plain(), 1)
			var got []string
			for _, s := range tt.steps {
				for _, o := range m.Step(time.Duration(s.ms)*time.Millisecond, s.in) {
					if o.Kind == Note && o.Turn == m.Turn() {
						got = append(got, o.Why+" "+o.Wait.String())
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCloseTurnTellsTheUtterance(t *testing.T) {
	m := New(plain(), 1)
	for _, s := range asked(HintFinished) {
		for _, o := range m.Step(time.Duration(s.ms)*time.Millisecond, s.in) {
			if o.Kind != CloseTurn {
				continue
			}
			want := Output{
				Kind: CloseTurn, At: 1950 * time.Millisecond, Turn: 1, Gen: 1, Text: "block my card", Words: 3, Why: "eot_finished",
				Wait: 150 * time.Millisecond, Ended: 1600 * time.Millisecond,
			}
			if o != want {
				t.Errorf("got  %+v\nwant %+v", o, want)
			}
		}
	}
}

func TestSpeculation(t *testing.T) {
	c := plain()
	c.Speculate = true
	playAll(t, c, map[string][]step{
		"the same words are adopted": {
			{0, is(VoiceOn), "open_turn"},
			{400, partial("block my card"), ""},
			{600, is(VoiceOff), "speculate finalize_stt"},
			{650, final("block my card"), ""},
			{1100, is(Tick), "adopt_speculation close_turn:eot=block my card"},
		},
		"other words are not": {
			{0, is(VoiceOn), "open_turn"},
			{400, partial("block my car"), ""},
			{600, is(VoiceOff), "speculate finalize_stt"},
			{650, final("block my card"), "drop_speculation"},
			{1100, is(Tick), "speculate@850 adopt_speculation close_turn:eot=block my card"},
		},
		"three a turn": {
			{0, is(VoiceOn), "open_turn"},
			{100, partial("card"), ""},
			{400, partial("card one"), "speculate@300 drop_speculation"},
			{800, partial("card two"), "speculate@600 drop_speculation"},
			{1200, partial("card three"), "speculate@1000 drop_speculation"},
			{1900, is(Tick), ""},
			{2000, is(VoiceOff), "finalize_stt"},
			{2001, final("card three"), ""},
			{2500, is(Tick), "close_turn:eot=card three"},
		},
		"not on half a sentence": {
			{0, is(VoiceOn), "open_turn"}, {400, partial("block my"), ""}, {1000, is(Tick), ""},
		},
		"digits make it worthless": {
			{0, final("block my card"), "open_turn"}, {300, press('1'), "speculate@200"}, {400, press('#'), ""}, {900, is(Tick), "drop_speculation close_turn:dtmf_terminator=block my card#1"},
		},
	})
}

func TestEchoGuard(t *testing.T) {
	c := plain()
	c.EchoGuard = 500 * time.Millisecond
	playAll(t, c, map[string][]step{
		"the first utterance is lowered and not paused": speaking(
			step{300, is(RawOn), ""}, step{420, is(VoiceOn), "duck@360"}, step{799, is(Tick), ""}, step{800, is(Tick), "pause"},
		),
		"its own words are nobody's": speaking(
			step{300, is(RawOn), ""}, step{420, is(VoiceOn), "duck@360"}, step{550, partial("debit cards are"), ""},
			step{600, is(VoiceOff), "finalize_stt unduck"}, step{650, final("debit cards"), ""}, step{3000, is(Tick), ""},
		),
		"other words interrupt": speaking(
			step{300, is(RawOn), ""}, step{420, is(VoiceOn), "duck@360"}, step{500, partial("hello"), "pause"}, step{550, partial("hello debit"), "yield:words unduck open_turn"},
		),
		"a voice that resembles ours interrupts by words alone": speaking(
			step{1000, is(RawOn), ""}, step{1120, is(VoiceOn), "duck@1060"}, step{1130, is(EchoSuspect), ""}, step{2500, partial("the first year"), ""},
			step{2600, partial("the first no"), "yield:words unduck open_turn"},
		),
	})
}

func TestNoInput(t *testing.T) {
	quiet := []step{{0, is(Packets), ""}}
	for n, ms := 1, 15000; n <= 3; n++ {
		gen := uint64(n)
		quiet = append(quiet, step{ms, is(Tick), "prompt_no_input:" + string(rune('0'+n))},
			step{ms + 100, say(gen, 1, "Are you there?"), ""}, step{ms + 200, of(AudioStarted, gen), ""}, step{ms + 300, of(ReplyEnded, gen), ""}, step{ms + 1000, heard(gen, 1), ""})
		ms += 16000
	}
	playAll(t, plain(), map[string][]step{
		"three prompts, then the end":      append(slices.Clone(quiet), step{62999, is(Tick), ""}, step{63000, is(Tick), "hang_up:no_input"}, step{64000, is(VoiceOn), ""}),
		"an answer begins them anew":       append(slices.Clone(quiet), step{50000, final("yes"), "open_turn"}, step{50200, of(ReplyEnded, 4), "close_turn:eot_finished=yes@50150"}, step{65200, is(Tick), "prompt_no_input:1"}),
		"a process that drains waits once": {{0, is(Packets), ""}, {0, is(LineDraining), ""}, {15000, is(Tick), "hang_up:no_input"}},
		"an hour is enough":                append(speaking(), filled(3600000)...),
	})
}

// filled keeps the agent talking until the call has lasted too long.
func filled(ms int) []step {
	var steps []step
	for at := 2000; at < ms; at += 2000 {
		steps = append(steps, step{at, going(1), ""})
	}
	return append(steps, step{ms, is(Tick), "yield:hang_up hang_up:max_call"})
}

func TestFillers(t *testing.T) {
	c := plain()
	c.Fillers = true
	playAll(t, c, map[string][]step{
		"a late reply is bridged twice": {
			{0, is(Packets), ""},
			{0, final("yes"), "open_turn"},
			{1050, is(Tick), "close_turn:eot_finished=yes@150 filler:1"},
			{1060, say(1, 0, "One moment."), ""},
			{1100, of(AudioStarted, 1), ""},
			{2000, heard(1, 0), ""},
			{6150, is(Tick), "filler:2"},
			{6160, say(1, 0, "Still looking."), ""},
			{7000, heard(1, 0), ""},
			{8000, say(1, 1, "Found it."), ""},
			{8500, of(ReplyEnded, 1), ""},
			{9000, heard(1, 1), ""},
			{23999, is(Tick), ""},
		},
		"a prompt one is not": {
			{0, is(Packets), ""}, {0, final("yes"), "open_turn"}, {1000, say(1, 1, "Good."), "close_turn:eot_finished=yes@150"}, {5000, of(ReplyEnded, 1), ""},
		},
	})
}

func TestTheWatchdogFreesTheFloor(t *testing.T) {
	playAll(t, plain(), map[string][]step{
		"from a voice that never starts": {{0, say(1, 1, "Hello."), ""}, {4999, is(Tick), ""}, {5000, is(Tick), "yield:watchdog"}},
		"from an agent that never ends":  speaking(step{5099, is(Tick), ""}, step{5100, is(Tick), "yield:watchdog"}),
		"and hears who waited":           speaking(step{5000, is(VoiceOn), "duck"}, step{5050, is(RawOff), ""}, step{5100, is(Tick), "yield:watchdog unduck open_turn"}),
		"not from a slow reply": {
			{0, final("yes"), "open_turn"}, {9000, say(1, 1, "Found it."), "close_turn:eot_finished=yes@150"},
		},
		"whoever speaks meanwhile is heard": {
			{0, is(Packets), ""}, {0, final("yes"), "open_turn"}, {9000, is(VoiceOn), "close_turn:eot_finished=yes@150 yield:superseded open_turn"}, {9100, say(1, 1, "Found it."), ""},
		},
		"a tool that runs is a sign of life": {
			{0, is(Packets), ""}, {0, final("yes"), "open_turn"}, {20000, of(ReplyWorking, 1), "close_turn:eot_finished=yes@150"}, {44999, is(Tick), ""}, {45000, is(Tick), "yield:llm_timeout"},
		},
	})
}
