package turn

import (
	"os"
	"strings"
	"testing"
	"time"

	"flametree/engine/event"
)

// oldCall is a call with pauses, hesitations, a murmur, an interruption and
// guesses. testdata/before.txt holds what the machine decided about it before
// there were a model of ends, deviations and a lead: calls recorded then must
// be decided so for ever.
func oldCall() []step {
	steps := []step{
		{0, is(Packets), ""},
		{0, is(LineUp), ""},
		{10, say(1, 1, "Hello."), ""},
		{20, say(1, 2, "How can I help you?"), ""},
		{30, of(ReplyEnded, 1), ""},
		{150, of(AudioStarted, 1), ""},
		{700, heard(1, 1), ""},
		{2200, heard(1, 2), ""},
		{2210, of(Drained, 1), ""},
	}
	at := 3000
	speak := func(ms int, text string) {
		steps = append(steps, step{at, is(RawOn), ""}, step{at + 120, is(VoiceOn), ""}, step{at + ms/2, partial(text[:len(text)/2]), ""},
			step{at + ms, is(RawOff), ""}, step{at + ms + 60, partial(text), ""}, step{at + ms + 200, is(VoiceOff), ""}, step{at + ms + 350, final(text), ""})
		at += ms
	}
	reply := func(gen uint64, text string, ms int) {
		steps = append(steps, step{at, say(gen, 1, text), ""}, step{at + 10, of(ReplyEnded, gen), ""}, step{at + 130, of(AudioStarted, gen), ""},
			step{at + 130 + ms, heard(gen, 1), ""}, step{at + 140 + ms, of(Drained, gen), ""})
		at += 140 + ms
	}
	speak(900, "i want to block")
	at += 500
	speak(800, "my card and")
	at += 900
	speak(700, "thank you")
	at += 1400
	reply(2, "Is that the blue card?", 1800)
	at += 300
	speak(400, "yes")
	at += 900
	reply(3, "Your card is blocked now, and a new one is on its way to you.", 900)
	speak(500, "okay")
	at += 700
	speak(1500, "wait i have another question")
	at += 2200
	return append(steps, step{at + 20000, is(Tick), ""})
}

func TestOldRecordingsAreDecidedAsTheyWere(t *testing.T) {
	var recent event.TurnInput
	var out strings.Builder
	m := New(oldConfig(t), 7)
	for _, s := range oldCall() {
		at := time.Duration(s.ms) * time.Millisecond
		for due, ok := m.Deadline(); ok && due < at; due, ok = m.Deadline() {
			recent = Record(due, Input{}, m.Step(due, Input{}))
			tellDecisions(&out, recent)
		}
		tellDecisions(&out, Record(at, s.in, m.Step(at, s.in)))
	}
	want, err := os.ReadFile("testdata/before.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("decided otherwise:\n%s", out.String())
	}
}

func tellDecisions(out *strings.Builder, rec event.TurnInput) {
	for _, d := range rec.Decisions {
		out.WriteString(d + "\n")
	}
}

// oldConfig is what such a call's journal holds: every key there was.
func oldConfig(t *testing.T) Config {
	t.Helper()
	c, err := ConfigFrom([]event.Pair{{Key: "eot", Value: "500ms"}, {Key: "speculate", Value: "True"}, {Key: "language", Value: "en"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
