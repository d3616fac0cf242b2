package turn

import (
	"slices"
	"testing"
	"time"

	"flametree/engine/event"
	"flametree/engine/turn/eot"
)

// waited plays a caller to a machine with all defaults: the agent asks, the
// caller says texts with pauses of so many milliseconds between them, and the
// wait after the last one is returned with its reason. Each text lasts a second.
func waited(t *testing.T, cfg Config, question string, texts []string, pauses []int) (time.Duration, string) {
	t.Helper()
	m := New(cfg, 1)
	var at time.Duration
	var closed *Output
	note := func(outs []Output) {
		for _, o := range outs {
			if o.Kind == CloseTurn && closed == nil {
				closed = &o
			}
		}
	}
	feed := func(d time.Duration, in Input) {
		for due, ok := m.Deadline(); ok && due < at+d; due, ok = m.Deadline() {
			note(m.Step(due, Input{}))
		}
		at += d
		note(m.Step(at, in))
	}
	const ms = time.Millisecond
	feed(0, is(Packets))
	feed(10*ms, say(1, 1, question))
	feed(10*ms, of(ReplyEnded, 1))
	feed(100*ms, of(AudioStarted, 1))
	feed(2000*ms, heard(1, 1))
	feed(10*ms, of(Drained, 1))
	feed(600*ms, is(RawOn))
	for i, text := range texts {
		if closed != nil {
			t.Fatalf("cut off before %q: %s", text, closed.Spell())
		}
		if i > 0 {
			feed(time.Duration(pauses[i-1]-200-150)*ms, is(RawOn))
		}
		feed(120*ms, is(VoiceOn))
		feed(800*ms, partial(text))
		feed(80*ms, is(RawOff))
		feed(200*ms, is(VoiceOff))
		feed(150*ms, final(text))
	}
	feed(5*time.Second, is(Tick))
	if closed == nil {
		t.Fatal("the turn was never closed")
	}
	return closed.Wait, closed.Why
}

func TestTheWaitSuitsTheWordsTheQuestionAndTheCaller(t *testing.T) {
	tests := map[string]struct {
		question string
		texts    []string
		pauses   []int
		set      string // key=value
		wait     int    // milliseconds
		why      string
	}{
		"a yes to a question for it, thought ahead":   {question: "Is that correct?", texts: []string{"yes"}, wait: 500, why: "eot_ahead"},
		"the same without thinking ahead":             {question: "Is that correct?", texts: []string{"yes"}, set: "speculate=False", wait: 150, why: "eot_finished"},
		"a sentence of somebody unknown":              {texts: []string{"block my card"}, wait: 660, why: "eot_prior"},
		"the same where no habit is taken":            {texts: []string{"block my card"}, set: "eot_prior=0", wait: 500, why: "eot"},
		"or none is learned":                          {texts: []string{"block my card"}, set: "eot_learn=False", wait: 500, why: "eot"},
		"a caller who pauses long":                    {texts: []string{"block my card and", "the other one"}, pauses: []int{1300}, wait: 990, why: "learned"},
		"one who pauses very long, up to the ceiling": {texts: []string{"block my card and", "the", "other one"}, pauses: []int{1700, 1700}, wait: 1000, why: "learned"},
		"one who pauses shortly and evenly":           {texts: []string{"block it and", "the", "other and", "the", "blue one"}, pauses: []int{500, 500, 500, 500}, wait: 500, why: "eot"},
		"an unfinished sentence":                      {texts: []string{"block my card and"}, wait: 1800, why: "eot_unfinished"},
		"a number that was asked for":                 {question: "What is your order number?", texts: []string{"four two seven one"}, wait: 1050, why: "eot_open"},
		"the beginning of one":                        {question: "What is your order number?", texts: []string{"four two seven"}, wait: 1800, why: "eot_unfinished"},
		"a number that was not":                       {question: "Anything you like.", texts: []string{"the card four two seven"}, wait: 660, why: "eot_prior"},
		"digits that were counted":                    {question: "What are the last four digits?", texts: []string{"four two", "seven one"}, pauses: []int{1500}, wait: 500, why: "eot_ahead"},
		"the beginning of a story":                    {question: "How can I help you?", texts: []string{"hello my card is gone"}, wait: 1050, why: "eot_open"},
		"a question":                                  {texts: []string{"what is the daily limit of it"}, wait: 500, why: "eot_ahead"},
		"German":                                      {texts: []string{"meine Karte und"}, set: "language=de", wait: 1800, why: "eot_unfinished"},
		"without a model all is the same":             {question: "Is that correct?", texts: []string{"yes and"}, set: "eot_model=none", wait: 660, why: "eot_prior"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.EchoGuard = 0
			if key, value, ok := cutPair(tt.set); ok {
				if err := cfg.Set(key, value); err != nil {
					t.Fatal(err)
				}
			}
			wait, why := waited(t, cfg, tt.question, tt.texts, tt.pauses)
			if why != tt.why || (wait-time.Duration(tt.wait)*time.Millisecond).Abs() > 15*time.Millisecond {
				t.Errorf("waited %v for %s, want %dms for %s", wait, why, tt.wait, tt.why)
			}
		})
	}
}

func cutPair(s string) (key, value string, ok bool) {
	for i := range s {
		if s[i] == '=' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// TestAQuestionIsForgottenWhenItWasNotHeard: who interrupts before the question
// does not answer it.
func TestAQuestionIsForgottenWhenItWasNotHeard(t *testing.T) {
	for heardIt, want := range map[bool]string{true: "eot_open", false: "learned"} {
		m := New(Default(), 1)
		cfg := &m.cfg
		cfg.EchoGuard, cfg.EOTPrior, cfg.EOT = 0, 0, 100*time.Millisecond
		m.learned = 600 * time.Millisecond
		m.Step(0, is(Packets))
		m.Step(0, say(1, 1, "Here is a long story about our office."))
		m.Step(0, say(1, 2, "What is your order number?"))
		m.Step(100*time.Millisecond, of(AudioStarted, 1))
		if heardIt {
			m.Step(500*time.Millisecond, heard(1, 1))
		}
		m.Step(1000*time.Millisecond, is(VoiceOn))
		m.Step(1400*time.Millisecond, partial("four two seven one"))
		m.Step(1600*time.Millisecond, is(VoiceOff))
		m.Step(1700*time.Millisecond, final("four two seven one"))
		if _, why := m.patience(); why != want {
			t.Errorf("question heard: %v: waits by %s, want %s", heardIt, why, want)
		}
	}
}

// TestAQuestionIsHeardOverItsCommas: the voice is given clauses, and the last one
// may be no more than "please?". Recordings of the first rules took each by itself.
func TestAQuestionIsHeardOverItsCommas(t *testing.T) {
	tests := map[string]struct {
		clauses []string
		model   string
		want    eot.Expect
		fewest  int
	}{
		"a question with an appendix": {[]string{"Could I take down your surname,", "please?"}, eot.NameRules, eot.ExpectName, 0},
		"a number with one":           {[]string{"What is your account number,", "if I may?"}, eot.NameRules, eot.ExpectNumber, 4},
		"another sentence before it":  {[]string{"I have your name.", "Shall we begin, please?"}, eot.NameRules, eot.ExpectYesNo, 0},
		"an open question of its own": {[]string{"I have your account number,", "what would you like to know?"}, eot.NameRules, eot.ExpectAny, 0},
		"no question of that":         {[]string{"I have your name,", "thank you."}, eot.NameRules, eot.ExpectAny, 0},
		"an old recording":            {[]string{"Could I take down your surname,", "please?"}, eot.NameFirstRules, eot.ExpectAny, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.EOTModel = tt.model
			m := New(cfg, 1)
			m.Step(0, is(Packets))
			for i, c := range tt.clauses {
				m.Step(0, say(1, uint64(i+1), c))
			}
			if m.wants != tt.want || m.wantsFewest != tt.fewest {
				t.Errorf("wants %d of at least %d digits, want %d of %d", m.wants, m.wantsFewest, tt.want, tt.fewest)
			}
		})
	}
}

// TestThinkingAheadIsNotSpentOnPausesForBreath: with one guess a turn, it is
// the last pause that gets it.
func TestThinkingAheadIsNotSpentOnPausesForBreath(t *testing.T) {
	for lead, want := range map[string]int{"450ms": 1, "1m0s": 3} {
		cfg := Default()
		cfg.EchoGuard = 0
		if err := cfg.Set("speculate_lead", lead); err != nil {
			t.Fatal(err)
		}
		m := New(cfg, 1)
		guesses := 0
		var at time.Duration
		feed := func(ms int, in Input) {
			next := at + time.Duration(ms)*time.Millisecond
			outs := slices.Clone(m.Step(at, Input{}))
			for due, ok := m.Deadline(); ok && due <= next; due, ok = m.Deadline() {
				outs = append(outs, m.Step(due, Input{})...)
			}
			at = next
			for _, o := range append(outs, m.Step(at, in)...) {
				if o.Kind == Speculate {
					guesses++
				}
			}
		}
		feed(0, is(Packets))
		for _, text := range []string{"my blue card", "the new one", "was stolen yesterday"} {
			feed(20, is(VoiceOn))
			feed(700, partial(text))
			feed(300, is(VoiceOff))
			feed(150, final(text))
		}
		feed(4000, is(Tick))
		if guesses != want {
			t.Errorf("lead %s: %d guesses, want %d", lead, guesses, want)
		}
	}
}

func TestReasonsAreToldToPeople(t *testing.T) {
	stages := []event.Stage{{Name: "vad_stop", Took: 200 * time.Millisecond}, {Name: "eot", Took: 430 * time.Millisecond}, {Name: "stt_final", Took: 90 * time.Millisecond}}
	for why, want := range map[string]string{
		"learned":        "learned: end of turn, learned floor 430 ms",
		"eot_unfinished": "eot_unfinished: unfinished sentence 430 ms",
		"stt_final":      "stt_final: the recogniser's last words 90 ms",
		"something new":  "something new",
		"":               "",
	} {
		if got := Reason(why, stages); got != want {
			t.Errorf("%q: got %q, want %q", why, got, want)
		}
	}
	if got := Reason("eot", nil); got != "eot: end of turn" {
		t.Errorf("without stages: got %q", got)
	}
}
