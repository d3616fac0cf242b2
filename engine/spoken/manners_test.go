package spoken

import (
	"slices"
	"testing"
	"unicode"
)

// Each language has every phrase, in its own script, and a voice is given it as
// it is written: no vowel of it gets lost.
func TestPhrasesOfEachLanguage(t *testing.T) {
	scripts := map[string]*unicode.RangeTable{
		"en-GB": unicode.Latin, "de_AT": unicode.Latin, "es": unicode.Latin, "fr": unicode.Latin,
		"ru": unicode.Cyrillic, "ar": unicode.Arabic, "hi-IN": unicode.Devanagari,
	}
	seen := map[string]string{}
	for lang, script := range scripts {
		all := append([]string{StillThere(lang), NotUnderstood(lang)}, Fillers(lang)...)
		for _, text := range all {
			if was, ok := seen[text]; ok {
				t.Errorf("%q is said in %s and in %s", text, was, lang)
			}
			seen[text] = lang
			for _, r := range text {
				if unicode.IsLetter(r) && !unicode.Is(script, r) {
					t.Errorf("%q of %s has %q", text, lang, r)
				}
			}
			marks := func(s string) int {
				n := 0
				for _, r := range s {
					if unicode.IsLetter(r) || unicode.IsMark(r) {
						n++
					}
				}
				return n
			}
			if got := Words(text, lang); marks(got) != marks(text) {
				t.Errorf("%q of %s is given to the voice as %q", text, lang, got)
			}
		}
	}
	if StillThere("xx") != StillThere("en") || !slices.Equal(Fillers(""), Fillers("en")) {
		t.Error("a language without phrases is not spoken to in English")
	}
}

func TestAMarkIsPartOfItsLetter(t *testing.T) {
	for text, want := range map[string]string{
		"क्या आप हैं": "क्या आप हैं", "cafe\u0301": "cafe\u0301", "نَعَم": "نَعَم",
		"sun \u2600\ufe0f here": "sun here", "1\ufe0f\u20e3 key": "1 key",
	} {
		if got := Words(text, "hi"); got != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
	}
}
