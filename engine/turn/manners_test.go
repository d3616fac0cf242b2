package turn

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// manners are what people say over somebody who speaks, by language: words that
// go along, words that want silence, and words that are neither.
func manners() map[string]struct{ along, stop, other []string } {
	return map[string]struct{ along, stop, other []string }{
		"en-GB": {[]string{"uh-huh", "Mm-hmm.", "yeah okay", "I see", "got it", "all right"}, []string{"stop", "Wait!"}, []string{"yes", "no", "yeah but", "cancel it"}},
		"de-AT": {[]string{"mhm", "Ja, ja", "ach so", "Alles klar.", "in Ordnung", "verstehe", "JA"}, []string{"Stopp", "warte", "Moment!"}, []string{"nein", "ja aber", "falsch", "alles"}},
		"es":    {[]string{"ajá", "sí", "si\u0301 sí", "ya veo", "de acuerdo", "Está bien", "vale, claro"}, []string{"¡Para!", "espere", "basta"}, []string{"no", "sí pero", "otra"}},
		"fr-CA": {[]string{"oui", "ouais ouais", "d'accord", "d’accord", "Je vois", "c'est ça", "très bien"}, []string{"arrêtez", "attendez", "Stop"}, []string{"non", "oui mais", "combien"}},
		"ru":    {[]string{"угу", "ага", "Да, да", "понятно", "всё ясно", "все ясно", "окей", "хорошо"}, []string{"подождите", "Стоп", "стойте"}, []string{"нет", "да но", "сколько"}},
		"ar-EG": {[]string{"نعم", "نَعَم", "أيوه", "ايوه", "تمام", "حسنًا", "طيب طيب", "آه", "أنا معك", "نـعم"}, []string{"توقف", "انتظر", "لحظة"}, []string{"لا", "كم", "نعم لكن"}},
		"hi-IN": {[]string{"हाँ", "हां", "अच्छा", "ठीक है", "जी हाँ", "जी हां", "समझ गया", "हम्म"}, []string{"रुकिए", "रुको", "बस"}, []string{"नहीं", "हाँ लेकिन", "समझ", "कितना"}},
	}
}

func TestBackchannelsOfEachLanguage(t *testing.T) {
	for language, w := range manners() {
		t.Run(language, func(t *testing.T) {
			for _, text := range w.along {
				if !allBackchannel(language, text, 2) {
					t.Errorf("%q is taken for an interruption", text)
				}
			}
			for _, text := range append(append([]string(nil), w.stop...), w.other...) {
				if allBackchannel(language, text, 2) {
					t.Errorf("%q is taken for a noise", text)
				}
			}
			for _, text := range w.stop {
				if !saysStop(language, text) {
					t.Errorf("%q does not stop anybody", text)
				}
			}
			for _, text := range append(append([]string(nil), w.along...), w.other...) {
				if saysStop(language, text) {
					t.Errorf("%q stops the agent", text)
				}
			}
		})
	}
}

// in is a machine of a language.
func in(language string) *Config {
	c := plain()
	c.Language = language
	return &c
}

// Somebody who goes along is told the rest; while he is asked something, the
// same word is his answer.
func TestGoingAlongResumesAndAnsweringDoesNot(t *testing.T) {
	for language, w := range manners() {
		for _, text := range w.along {
			t.Run(language+" "+text, func(t *testing.T) {
				play(t, *in(language), speaking(
					step{1120, is(VoiceOn), "duck"}, step{1300, partial(text), "pause@1200"}, step{1600, is(Tick), ""},
					step{1620, is(VoiceOff), "finalize_stt unduck resume"}, step{1640, final(text), ""}, step{4000, is(Tick), ""},
				))
				m := New(*in(language), 1)
				m.Step(0, is(Packets))
				m.Step(100*time.Millisecond, Input{Kind: SayQueued, Gen: 1, Clause: 1, Text: "Shall I block it?"})
				m.Step(120*time.Millisecond, Input{Kind: AudioStarted, Gen: 1})
				m.Step(1200*time.Millisecond, is(VoiceOn))
				m.Step(1350*time.Millisecond, partial(text))
				m.Step(1550*time.Millisecond, is(VoiceOff))
				m.Step(1600*time.Millisecond, final(text))
				m.Step(6*time.Second, is(Tick))
				if m.Turn() != 1 {
					t.Errorf("%q to a question opened %d turns, want 1", text, m.Turn())
				}
			})
		}
	}
}

// A word that wants silence gets it when it is understood, and also when it was
// too short for other words to count. With the rule for any word it would have
// cost half a second, or nothing would have come of it.
func TestAWordThatMeansStopIsObeyedAtOnce(t *testing.T) {
	for language, w := range manners() {
		for _, text := range w.stop {
			t.Run(language+" "+text, func(t *testing.T) {
				play(t, *in(language), speaking(
					step{1120, is(VoiceOn), "duck"}, step{1260, partial(text), "pause@1200 yield:words unduck open_turn"},
				))
				play(t, *in(language), speaking(
					step{1120, is(VoiceOn), "duck"}, step{1450, is(VoiceOff), "pause@1200 finalize_stt"}, step{1460, partial(text), "yield:words unduck open_turn"},
				))
			})
		}
	}
	play(t, plain(), speaking(
		step{1120, is(VoiceOn), "duck"}, step{1260, partial("hello"), "pause@1200"}, step{1500, is(Tick), "yield:words unduck open_turn"},
	))
}

// Recognisers write the same word in many ways.
func TestFoldingChangesNoVerdict(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		language := rapid.SampledFrom([]string{"de", "es", "fr", "ru"}).Draw(rt, "language")
		w := manners()
		for tag, m := range w {
			if !strings.HasPrefix(tag, language) {
				continue
			}
			text := rapid.SampledFrom(m.along).Draw(rt, "text")
			if rapid.Bool().Draw(rt, "upper") {
				text = strings.ToUpper(text)
			}
			text = rapid.SampledFrom([]string{"", " ", "… "}).Draw(rt, "before") + text + rapid.SampledFrom([]string{"", ".", " !", ","}).Draw(rt, "after")
			if !allBackchannel(language, text, 2) {
				rt.Fatalf("%q in %s is taken for an interruption", text, language)
			}
		}
	})
}

func TestJudgingAWordCostsNoMemory(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		allBackchannel("ru", "всё понятно", 2)
		saysStop("hi", "रुकिए")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
