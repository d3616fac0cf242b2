package turn

import "testing"

func TestVerdict(t *testing.T) {
	tests := map[string]struct {
		language string
		expect   Expect
		want     Hint
		texts    []string
	}{
		"short answers are finished": {want: HintFinished, texts: []string{
			"yes", "No.", "no thanks", "yes please", "thank you very much", "okay", "that's all", "Goodbye!", "that's right",
		}},
		"questions are finished": {want: HintFinished, texts: []string{
			"what is the daily limit", "how do i block my card", "how do i log in", "my card?", "can you help me with my card today",
		}},
		"what asks for more is not": {want: HintUnfinished, texts: []string{
			"i want to block my card and", "my name is", "the number is", "i live in", "can you tell me", "what is the", "um", "send it to my",
			"i would like to", "what is your address and", "because", "well", "yes and", "no i",
		}},
		"the rest is unknown": {want: HintUnknown, texts: []string{
			"", "  ", "...", "block my card", "my name is anna", "four two", "i have a debit card", "hello", "i want that",
		}},
		"a name after a question for yes or no":  {expect: ExpectYesNo, want: HintUnknown, texts: []string{"anna", "the blue card", "yes the other blue card"}},
		"an answer to a question for yes or no":  {expect: ExpectYesNo, want: HintFinished, texts: []string{"yes", "no never", "yeah do it"}},
		"a short number that was asked for":      {expect: ExpectNumber, want: HintFinished, texts: []string{"two", "twenty five", "42"}},
		"a long one may go on":                   {expect: ExpectNumber, want: HintUnknown, texts: []string{"four two seven", "two cards"}},
		"a language without rules":               {language: "de", want: HintUnknown, texts: []string{"ja", "yes", "ich möchte und", "the"}},
		"a question mark, whatever the language": {language: "de", want: HintFinished, texts: []string{"Wie hoch ist das Limit?"}},
		"English of a country":                   {language: "en-GB", want: HintFinished, texts: []string{"yes"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, text := range tt.texts {
				if got := Verdict(tt.language, text, tt.expect); got != tt.want {
					t.Errorf("%q: got %v, want %v", text, got, tt.want)
				}
			}
		})
	}
}

func TestBackchannels(t *testing.T) {
	tests := map[string]struct {
		language, text string
		want           bool
	}{
		"a noise":                    {"", "uh-huh", true},
		"with punctuation and case":  {"en-US", " Okay, right. ", true},
		"an answer is none":          {"en", "yes", false},
		"nor is a refusal":           {"en", "no", false},
		"a noise and a word":         {"en", "yeah but", false},
		"three":                      {"en", "yeah okay right", false},
		"a language without a list":  {"kk", "okay", false},
		"nothing holds no objection": {"en", "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := allBackchannel(tt.language, tt.text, 2); got != tt.want {
				t.Errorf("%q in %q: got %v, want %v", tt.text, tt.language, got, tt.want)
			}
		})
	}
}

func TestCountWords(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, " ": 0, "— !": 0, "one": 1, "uh-huh, it's me": 3, "  ein  Wört\tchen ": 3, "a.b": 1, "\xff\xfe x": 1, "3 000": 2,
	} {
		if got := countWords(text); got != want {
			t.Errorf("%q: got %d words, want %d", text, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "yes", "uh-huh.", "what is the", "\xff", "é́ ?", "a\u0300"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n := countWords(text); n > len(text) {
			t.Errorf("%d words in %d bytes", n, len(text))
		}
		Verdict("en", text, ExpectNumber)
		allBackchannel("en", text, 2)
	})
}
