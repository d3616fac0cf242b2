package turn

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
)

func TestRecordRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Input{
			Kind: InputKind(rapid.IntRange(0, int(inputKinds)-1).Draw(t, "kind")), Gen: rapid.Uint64().Draw(t, "gen"), Clause: rapid.Uint64().Draw(t, "clause"),
			Words: rapid.Uint32().Draw(t, "words"), Whole: rapid.Bool().Draw(t, "whole"), Played: time.Duration(rapid.Int64().Draw(t, "played")),
			Hint: Hint(rapid.IntRange(0, int(hints)-1).Draw(t, "hint")), Expect: Expect(rapid.IntRange(0, 2).Draw(t, "expect")), Reason: rapid.String().Draw(t, "reason"),
		}
		if in.Kind == Digit {
			in.Digit = rapid.Byte().Draw(t, "digit")
		} else {
			in.Text = rapid.String().Draw(t, "text")
		}
		at := time.Duration(rapid.Int64().Draw(t, "at"))
		rec := Record(at, in, nil)
		gotAt, got, err := Replay(rec)
		if err != nil || gotAt != at || got != in {
			t.Fatalf("got %v %+v, %v\nwant %v %+v\nrecorded %+v", gotAt, got, err, at, in, rec)
		}
	})
}

// TestRecordSpelling freezes what recorded calls hold: changing it makes every
// one of them differ.
func TestRecordSpelling(t *testing.T) {
	m := New(plain(), 1)
	m.Step(0, is(VoiceOn))
	m.Step(500*time.Millisecond, is(VoiceOff))
	in := Input{Kind: Final, Gen: 1, Text: "my pin is 4711", Words: 4}
	got := Record(1200*time.Millisecond, in, m.Step(1200*time.Millisecond, in))
	want := event.TurnInput{
		Offset: 1200 * time.Millisecond, Kind: "final", Gen: 1, Turn: 1, Text: event.P("my pin is 4711"), Words: 4,
		Decisions: []string{
			"1.2s note turn=1 wait=500ms why=eot",
			"1.2s note turn=1 wait=200ms why=stt_final",
			"1.2s close_turn turn=1 gen=1 words=4 wait=700ms ended=300ms why=eot",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	in = Input{Kind: SayQueued, Gen: 2, Clause: 3, Text: "Which?", Expect: ExpectNumber}
	if rec := Record(0, in, nil); rec.Extra != "clause=3 expect=number" {
		t.Errorf("a clause is spelled %q", rec.Extra)
	}
	in = Input{Kind: Digit, Digit: '7'}
	if rec := Record(0, in, nil); rec.Text != event.P("7") || rec.Extra != "" {
		t.Errorf("a digit is spelled %+v", rec)
	}
	names := map[string]bool{}
	for k := range inputKinds {
		names[k.String()] = true
	}
	for k := range outputKinds {
		names[k.String()] = true
	}
	if want := int(inputKinds) + int(outputKinds); len(names) != want || names["unknown"] || inputKinds.String() != "unknown" || outputKinds.String() != "unknown" {
		t.Errorf("%d names for %d kinds", len(names), want)
	}
}

// TestDecisionsHoldNoPersonalText: they are stored in the clear.
func TestDecisionsHoldNoPersonalText(t *testing.T) {
	steps := []step{
		{0, is(Packets), ""}, {0, partial("secret"), ""}, {100, partial("secret word"), ""}, {400, press('7'), ""}, {401, press('7'), ""}, {402, press('7'), ""}, {9000, is(Tick), ""},
	}
	for _, rec := range recorded(Default(), 1, steps) {
		for _, d := range rec.Decisions {
			if strings.Contains(d, "secret") || strings.Contains(d, "777") {
				t.Errorf("%q", d)
			}
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	tests := map[string]struct {
		rec  event.TurnInput
		want error
	}{
		"a kind there is not":     {event.TurnInput{Kind: "voice"}, fault.Invalid},
		"no kind":                 {event.TurnInput{}, fault.Invalid},
		"the name of no kind":     {event.TurnInput{Kind: "unknown"}, fault.Invalid},
		"text that was erased":    {event.TurnInput{Kind: "final", Text: event.Private{Erased: true}}, fault.NotFound},
		"a digit of two":          {event.TurnInput{Kind: "digit", Text: event.P("12")}, fault.Invalid},
		"a digit of none":         {event.TurnInput{Kind: "digit"}, fault.Invalid},
		"a digit of another sort": {event.TurnInput{Kind: "digit", Text: event.P("٣")}, fault.Invalid},
		"a clause that is none":   {event.TurnInput{Kind: "say_queued", Extra: "clause=x"}, fault.Invalid},
		"a hint that is none":     {event.TurnInput{Kind: "tick", Extra: "hint=perhaps"}, fault.Invalid},
		"something else":          {event.TurnInput{Kind: "tick", Extra: "colour=red"}, fault.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, in, err := Replay(tt.rec); !errors.Is(err, tt.want) {
				t.Errorf("got %+v, %v, want %v", in, err, tt.want)
			}
		})
	}
	diff := Rerun(Default(), 1, []event.TurnInput{{Kind: "voice"}})
	if len(diff) != 1 || diff[0].Index != 0 || len(diff[0].Recomputed) != 1 || !strings.HasPrefix(diff[0].Recomputed[0], "error: ") {
		t.Errorf("a recording that cannot be read: got %+v", diff)
	}
}

// TestWhatIf is `replay --set eot=300ms`: the turn closes 200 ms sooner.
func TestWhatIf(t *testing.T) {
	recs := recorded(plain(), 1, asked(HintUnknown))
	if diff := Rerun(plain(), 1, recs); len(diff) > 0 {
		t.Fatalf("the same machine decided otherwise: %+v", diff)
	}
	cfg := plain()
	if err := cfg.Set("eot", "300ms"); err != nil {
		t.Fatal(err)
	}
	diff := Rerun(cfg, 1, recs)
	if len(diff) != 2 { // the watchdog over the reply that never comes is the other
		t.Fatalf("got %d differences, want 2: %+v", len(diff), diff)
	}
	before := "2.3s close_turn turn=1 gen=1 words=3 wait=500ms ended=1.6s why=eot"
	after := "2.1s close_turn turn=1 gen=1 words=3 wait=300ms ended=1.6s why=eot"
	if !slices.Contains(diff[0].Recorded, before) || !slices.Contains(diff[0].Recomputed, after) {
		t.Errorf("got  %q → %q\nwant %q → %q", diff[0].Recorded, diff[0].Recomputed, before, after)
	}
}

// TestSeed: chance enters by the seed alone, and chooses phrases only.
func TestSeed(t *testing.T) {
	steps := []step{{0, is(Packets), ""}, {80000, is(Tick), ""}}
	one, two := recorded(plain(), 1, steps), recorded(plain(), 2, steps)
	if len(Rerun(plain(), 1, one)) > 0 || len(Rerun(plain(), 2, one)) == 0 || len(one) != len(two) {
		t.Error("another seed does not choose other phrases, or decides more than that")
	}
}

func FuzzReplay(f *testing.F) {
	f.Add("digit", "7", "", uint64(0))
	f.Add("say_queued", "Hello.", "clause=3 expect=number", uint64(9))
	f.Add("line_ended", "", "reason=peer hung up", uint64(0))
	f.Fuzz(func(t *testing.T, kind, text, extra string, n uint64) {
		rec := event.TurnInput{Offset: time.Duration(n), Kind: kind, Text: event.P(text), Extra: extra, Gen: n, Words: uint32(n), Played: time.Duration(n)}
		at, in, err := Replay(rec)
		if err != nil {
			return
		}
		again, back, err := Replay(Record(at, in, nil))
		if err != nil || again != at || back != in && strings.ToValidUTF8(text, "\uFFFD") == text && strings.ToValidUTF8(extra, "\uFFFD") == extra {
			t.Errorf("got %v %+v, %v, want %v %+v", again, back, err, at, in)
		}
		Rerun(Default(), n, []event.TurnInput{rec, rec})
	})
}
