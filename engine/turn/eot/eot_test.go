package eot_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"flametree/engine/turn/eot"
)

func TestWhatIsAskedForIsToldByTheQuestion(t *testing.T) {
	tests := map[string]struct {
		language string
		want     eot.Expect
		digits   int
		clauses  []string
	}{
		"a story": {"", eot.ExpectStory, 0, []string{"Hello. How can I help you?", "What happened?", "Please tell me more about it.", "Please describe the problem."}},
		"yes or no": {"en", eot.ExpectYesNo, 0, []string{
			"Is that correct?", "Would you like to go on?", "Shall I send it to your number?", "Thanks. Do you have an e-mail address?", "Have you paid?",
		}},
		"a number":          {"en-GB", eot.ExpectNumber, 0, []string{"What is your order number?", "Please tell me your PIN.", "How many cards do you have?"}},
		"so many digits":    {"", eot.ExpectNumber, 4, []string{"What are the last four digits of your card?", "Please enter the 4-digit code."}},
		"a spelling":        {"", eot.ExpectSpelling, 0, []string{"How do you spell that?", "Please spell your last name.", "Could you spell it?"}},
		"an address":        {"", eot.ExpectMail, 0, []string{"What is your e-mail address?"}},
		"a date":            {"", eot.ExpectDate, 0, []string{"When was that?", "On which day did it happen?", "What is your date of birth?"}},
		"a name":            {"", eot.ExpectName, 0, []string{"May I have your name, please?", "Who am I speaking with?"}},
		"whether it is all": {"", eot.ExpectMore, 0, []string{"Is there anything else?", "Can I do anything else for you?"}},
		"nothing":           {"", eot.ExpectAny, 0, []string{"", "Your number is noted.", "How can I help you? Good.", "What would you like to know?"}},

		"German":  {"de", eot.ExpectNumber, 6, []string{"Wie lautet der sechsstellige Code mit sechs Stellen?"}},
		"German ": {"de-AT", eot.ExpectYesNo, 0, []string{"Möchten Sie das?", "Ist das richtig?"}},
		"Spanish": {"es", eot.ExpectNumber, 4, []string{"¿Cuáles son los últimos cuatro dígitos?"}},
		"French":  {"fr", eot.ExpectStory, 0, []string{"Comment puis-je vous aider ?"}},
		"Russian": {"ru", eot.ExpectName, 0, []string{"Как вас зовут?", "Назовите ваше имя."}},
		"Arabic":  {"ar", eot.ExpectYesNo, 0, []string{"هل هذا صحيح؟"}},
		"Hindi":   {"hi", eot.ExpectMore, 0, []string{"क्या और कुछ?"}},
		"Klingon": {"tlh", eot.ExpectAny, 0, []string{"How can I help you?"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, c := range tt.clauses {
				if got, digits := eot.Asks(tt.language, c); got != tt.want || digits != tt.digits {
					t.Errorf("%q: got %v of %d, want %v of %d", c, got, digits, tt.want, tt.digits)
				}
			}
		})
	}
}

func TestHowEnglishTurnsSound(t *testing.T) {
	tests := map[string]struct {
		expect eot.Expect
		digits int
		want   eot.Verdict
		texts  []string
	}{
		"what no sentence ends with": {want: eot.Unfinished, texts: []string{
			"i want to", "my card and", "it is from the", "i would like to um", "the password is", "because", "there is a problem with my", "uh",
			"but nobody", "can you", "hold on i have", "and then i", "i need", "my parcel was", "my order hasn't",
		}},
		"a question":                         {want: eot.Finished, texts: []string{"what is the daily limit of it", "what is the fee for that card", "Where is it from?"}},
		"thanks and goodbye":                 {want: eot.Finished, texts: []string{"thanks bye", "okay goodbye", "thank you very much"}},
		"a sentence that ends like a clause": {want: eot.Unknown, texts: []string{"what is the daily limit", "who should i talk to", "that is what i want", "i know who they are", "i do not know what it is", "it is"}},
		"a plain sentence":                   {want: eot.Unknown, texts: []string{"block my card", "i moved to norway", "it stopped working on monday", "the other one"}},
		"what asks for attention first":      {want: eot.Open, texts: []string{"hello", "sorry", "hold on", "good morning", "and i don't"}},
		"a yes to a question for it":         {expect: eot.ExpectYesNo, want: eot.Finished, texts: []string{"yes", "Yes, please.", "yes i do", "no not really"}},
		"a yes that nobody asked for":        {want: eot.Open, texts: []string{"no", "yes yes", "no no"}},
		"thanks, and perhaps what for":       {want: eot.Open, texts: []string{"thank you", "no thanks"}},
		"no yes and no no":                   {expect: eot.ExpectYesNo, want: eot.Unknown, texts: []string{"the blue one", "no it's blue"}},
		"a number as long as it was asked":   {expect: eot.ExpectNumber, digits: 4, want: eot.Finished, texts: []string{"four two seven one", "it's 4 2 7 1", "4271"}},
		"a number that is too short":         {expect: eot.ExpectNumber, digits: 4, want: eot.Unfinished, texts: []string{"four two", "42", "it's"}},
		"a number of any length":             {expect: eot.ExpectNumber, want: eot.Open, texts: []string{"four two seven one", "42", "sure"}},
		"no number":                          {expect: eot.ExpectNumber, want: eot.Unknown, texts: []string{"i do not have it here", "four of them", "i left it at home"}},
		"letters":                            {expect: eot.ExpectSpelling, want: eot.Open, texts: []string{"s c h", "m i double l e r"}},
		"an address that is not whole":       {expect: eot.ExpectMail, want: eot.Unfinished, texts: []string{"anna dot", "anna dot miller", "anna at", "anna at example", "anna at example dot", "it's"}},
		"an address":                         {expect: eot.ExpectMail, want: eot.Unknown, texts: []string{"anna@example.com", "i don't have one at the moment sorry no"}},
		"a first name":                       {expect: eot.ExpectName, want: eot.Open, texts: []string{"anna"}},
		"a name":                             {expect: eot.ExpectName, want: eot.Unknown, texts: []string{"anna miller", "my name is anna miller"}},
		"the name is still to come":          {expect: eot.ExpectName, want: eot.Unfinished, texts: []string{"my name is", "i'm", "it's"}},
		"a day without its month":            {expect: eot.ExpectDate, want: eot.Open, texts: []string{"on the third", "about two"}},
		"a date":                             {expect: eot.ExpectDate, want: eot.Unknown, texts: []string{"in may", "this morning"}},
		"a story that has only begun":        {expect: eot.ExpectStory, want: eot.Open, texts: []string{"hello i lost my card", "my parcel is late"}},
		"a story":                            {expect: eot.ExpectStory, want: eot.Unknown, texts: []string{"my parcel was sent to the wrong house on monday evening"}},
		"nothing more":                       {expect: eot.ExpectMore, want: eot.Open, texts: []string{"no", "that's it", "no thanks"}},
		"nothing more, and goodbye":          {expect: eot.ExpectMore, want: eot.Finished, texts: []string{"no thank you bye", "thank you very much"}},
		"nothing":                            {want: eot.Unknown, texts: []string{"", "  ", "...", "-"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, text := range tt.texts {
				if got := (eot.Rules{}).Judge(eot.Heard{Expect: tt.expect, Digits: tt.digits, Text: text}); got != tt.want {
					t.Errorf("%q: got %d, want %d", text, got, tt.want)
				}
			}
		})
	}
}

//nolint:misspell // they are other languages
func TestHowOtherLanguagesSound(t *testing.T) {
	tests := map[string]struct{ unfinished, finished, unknown []string }{
		"de": {[]string{"ich möchte meine Karte und", "meine Nummer ist", "ähm", "ich wohne im", "weil"}, []string{"Danke, tschüss.", "vielen Dank, auf Wiederhören", "Wie geht das?"}, []string{"ich logge mich ein", "meine Karte sperren", "das will ich"}},
		"es": {[]string{"quiero bloquear mi", "el número es", "eh", "porque", "vivo en"}, []string{"gracias adiós", "¿Cuánto cuesta?"}, []string{"he perdido la tarjeta", "lo quiero así"}},
		"fr": {[]string{"je voudrais bloquer ma", "le numéro est", "euh", "parce que", "j'habite à"}, []string{"merci beaucoup", "Combien ça coûte ?"}, []string{"j'ai perdu ma carte", "je la bloque"}},
		"ru": {[]string{"я хочу заблокировать мою карту и", "потому что", "эм", "я живу в", "мой"}, []string{"спасибо, до свидания", "Сколько это стоит?"}, []string{"я потерял карту", "заблокируйте карту"}},
		"ar": {[]string{"أريد إيقاف البطاقة و", "لأن", "امم", "أسكن في"}, []string{"شكرا جزيلا", "شكرا مع السلامة"}, []string{"فقدت بطاقتي"}},
		"hi": {[]string{"मेरा कार्ड और", "मैं दिल्ली में", "उम", "क्योंकि"}, []string{"धन्यवाद अलविदा"}, []string{"मेरा कार्ड खो गया है"}},
	}
	for language, tt := range tests {
		t.Run(language, func(t *testing.T) {
			for want, texts := range map[eot.Verdict][]string{eot.Unfinished: tt.unfinished, eot.Finished: tt.finished, eot.Unknown: tt.unknown} {
				for _, text := range texts {
					if got := (eot.Rules{}).Judge(eot.Heard{Language: language, Text: text}); got != want {
						t.Errorf("%q: got %d, want %d", text, got, want)
					}
				}
			}
		})
	}
	if got := (eot.Rules{}).Judge(eot.Heard{Language: "tlh", Text: "and"}); got != eot.Unknown {
		t.Errorf("a language without rules: got %d", got)
	}
}

// TestAStretchMoreOrLessDecidesTheSame: where the recogniser cut the turn does not matter.
func TestAStretchMoreOrLessDecidesTheSame(t *testing.T) {
	words := []string{"my", "number", "is", "four", "two", "um", "yes", "thank", "you", "anna", "at", "dot", "com", "and", "what", "to", "4271", "Ok."}
	rapid.Check(t, func(t *rapid.T) {
		said := rapid.SliceOfN(rapid.SampledFrom(words), 1, 8).Draw(t, "words")
		at := rapid.IntRange(0, len(said)-1).Draw(t, "cut")
		h := eot.Heard{Expect: eot.Expect(rapid.IntRange(0, int(eot.ExpectMore)).Draw(t, "expect")), Digits: rapid.IntRange(0, 5).Draw(t, "digits")}
		whole, parted := h, h
		whole.Text = strings.Join(said, " ")
		parted.Before, parted.Text = strings.Join(said[:at], " "), strings.Join(said[at:], " ")
		if a, b := (eot.Rules{}).Judge(whole), (eot.Rules{}).Judge(parted); a != b {
			t.Fatalf("%q: %d as a whole, %d cut before word %d", said, a, b, at)
		}
	})
}

func TestModelsHaveNames(t *testing.T) {
	for _, name := range []string{eot.NameRules, eot.NameNone} {
		m, ok := eot.Named(name)
		if !ok || m == nil {
			t.Fatalf("%s is no model", name)
		}
	}
	if m, ok := eot.Named("crystal ball"); ok || m != nil {
		t.Errorf("got %v", m)
	}
	if m, _ := eot.Named(eot.NameNone); m.Judge(eot.Heard{Text: "yes?"}) != eot.Unknown {
		t.Error("no model has an opinion")
	}
}

func TestJudgingAllocatesNothing(t *testing.T) {
	h := eot.Heard{Before: "my number is", Text: "four two seven one", Expect: eot.ExpectNumber}
	for _, language := range []string{"en", "de", "es", "fr", "ru", "ar", "hi"} {
		h.Language = language
		if n := testing.AllocsPerRun(50, func() { (eot.Rules{}).Judge(h); eot.Asks(language, "What is your Order Number?") }); n != 0 {
			t.Errorf("%s allocates %v times", language, n)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("en", "my name is", "anna", "What is your name?")
	f.Add("de-DE", "\xff", "und", "Wie heißen Sie?")
	f.Add("hi", "हाँ", "é́ ? ", "99-digit code?")
	f.Add("", "a@b.c @", "1e9 ٣٤", "?")
	f.Fuzz(func(t *testing.T, language, before, text, clause string) {
		want, digits := eot.Asks(language, clause)
		if want > eot.ExpectMore || digits < 0 || digits > 99 {
			t.Errorf("%q asks for %d, %d digits", clause, want, digits)
		}
		h := eot.Heard{Language: language, Expect: want, Digits: digits, Before: before, Text: text}
		if got := (eot.Rules{}).Judge(h); got > eot.Open || got != (eot.Rules{}).Judge(h) {
			t.Errorf("%+v: got %d", h, got)
		}
	})
}
