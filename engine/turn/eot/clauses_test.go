package eot_test

import (
	"testing"

	"flametree/engine/turn/eot"
)

// The sentences of this file are of no generator of dialogues.

func TestClausesThatHaveOnlyBegun(t *testing.T) {
	tests := map[string]struct {
		expect eot.Expect
		want   eot.Verdict
		texts  []string
	}{
		"joined to what must follow": {want: eot.Unfinished, texts: []string{
			"i ordered two pizzas but it's", "he moved out so they've", "i wonder whether the", "it is the shop where my", "that's", "the pilot said that we'll",
		}},
		"questions that are all verb": {want: eot.Unfinished, texts: []string{
			"where are", "how much will", "how many seats are", "which train does", "when did", "what day is",
		}},
		"questions within a sentence are whole": {want: eot.Unknown, texts: []string{
			"who are you", "where is it", "who they are", "what the rules are", "where the shop is", "i have no idea where they are",
		}},
		"verbs without an object": {want: eot.Unfinished, texts: []string{
			"someone took", "everybody got", "could we get", "do they sell", "do you need", "my dog ate it and they gave", "well we found", "listen i have",
		}},
		"the same, said of what was named before": {want: eot.Open, texts: []string{
			"it's about the shoes i bought", "the letter they sent", "i'd take as many as you need",
		}},
		"or asked for":        {want: eot.Unknown, texts: []string{"what do you need", "which sizes do you have", "that is not what i meant", "send another one if you want"}},
		"having as an answer": {expect: eot.ExpectYesNo, want: eot.Unknown, texts: []string{"i have", "you see i have"}},
		"what leads to a thought": {want: eot.Unfinished, texts: []string{
			"i think", "we believe", "i wanted to ask", "hello we'd like to report", "well i'm calling", "i was just wondering", "let me check", "oh and i was",
			"good evening this is", "it broke and it was",
		}},
		"and what ends with it": {want: eot.Unknown, texts: []string{
			"on tuesday i think", "that's all i wanted to know", "i don't want to say", "thank you for calling", "it's good to know", "they will be back i hope",
		}},
		"a thought as an answer": {expect: eot.ExpectYesNo, want: eot.Unknown, texts: []string{"i think", "i guess"}},
		"of whom nothing was said yet": {want: eot.Unfinished, texts: []string{
			"and then they still", "i never", "my friend told me that you always", "the letter says my contract", "i called because the heating", "well", "no that's not",
		}},
		"of whom something was": {want: eot.Unknown, texts: []string{"not even", "i told you the truth", "it's not", "it works very well"}},
		"a word of a question":  {want: eot.Open, texts: []string{"which colour", "how long", "whose turn"}},
		"a story of a person or a thing": {expect: eot.ExpectStory, want: eot.Unfinished, texts: []string{
			"my landlord", "hello a friend", "we couldn't", "good morning they are", "the bus left early and i can't",
		}},
		"a short story":                           {expect: eot.ExpectStory, want: eot.Open, texts: []string{"the bus left early", "they are late", "i can't swim but i can"}},
		"a day that is one of many":               {expect: eot.ExpectDate, want: eot.Open, texts: []string{"on tuesday", "the day before yesterday"}},
		"a day that is the only one":              {expect: eot.ExpectDate, want: eot.Finished, texts: []string{"the ninth of november", "9 november", "a month ago"}},
		"a greeting to who asks what it is about": {expect: eot.ExpectStory, want: eot.Unfinished, texts: []string{"hey", "good evening", "excuse me", "hello good afternoon"}},
		"a greeting and more":                     {expect: eot.ExpectStory, want: eot.Open, texts: []string{"hello my boiler leaks", "good evening my boiler leaks"}},
		"time that is asked for":                  {expect: eot.ExpectNumber, want: eot.Unfinished, texts: []string{"one moment", "wait a second", "hold on", "let me look"}},
		"and a number that looks like it":         {expect: eot.ExpectNumber, want: eot.Open, texts: []string{"one", "second"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, text := range tt.texts {
				if got := (eot.Rules{}).Judge(eot.Heard{Expect: tt.expect, Text: text}); got != tt.want {
					t.Errorf("%q: got %d, want %d", text, got, tt.want)
				}
			}
		})
	}
}

func TestAnswersThatCannotBeWholeYet(t *testing.T) {
	tests := map[string]struct {
		clause string
		want   eot.Verdict
		texts  []string
	}{
		"a long number that has begun":     {"What is your tracking number?", eot.Unfinished, []string{"seven nine", "it's 4 0", "one oh three"}},
		"one that may be whole":            {"What is your tracking number?", eot.Open, []string{"seven nine one two", "4012", "twelve eleven", "forty", "triple eight"}},
		"a number that may be short":       {"What is your house number?", eot.Open, []string{"seven nine", "12"}},
		"one whose length was asked for":   {"Please tell me the last two digits of your account number.", eot.Finished, []string{"seven nine"}},
		"a domain that is not whole":       {"What is your e-mail address?", eot.Unfinished, []string{"info at bakery", "jo at mail dot bakery", "jo dash", "k dot lee at post dot kitchen"}},
		"a domain of a country, half said": {"What is your e-mail address?", eot.Open, []string{"jo at bakery dot co"}},
		"a whole domain":                   {"What is your e-mail address?", eot.Finished, []string{"jo at bakery dot uk", "k dot lee at the shop dot info", "jo at bakery dot co dot nz"}},
		"a no that may be explained":       {"Is that your house?", eot.Open, []string{"no", "nope"}},
		"a no that says all":               {"Is that your house?", eot.Finished, []string{"no thanks", "no it's not"}},
		"a yes":                            {"Is that your house?", eot.Finished, []string{"yes", "yep"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want, digits := eot.Asks("", tt.clause)
			for _, text := range tt.texts {
				h := eot.Heard{Expect: want, Digits: digits, Fewest: eot.Fewest("", tt.clause), Text: text}
				if got := (eot.Rules{}).Judge(h); got != tt.want {
					t.Errorf("%q: got %d, want %d", text, got, tt.want)
				}
			}
		})
	}
}

func TestWhoDeniesMayExplainInEveryLanguage(t *testing.T) {
	for language, no := range map[string]string{"de": "nein", "es": "no", "fr": "non", "ru": "нет", "ar": "لا", "hi": "नहीं"} {
		if got := (eot.Rules{}).Judge(eot.Heard{Language: language, Expect: eot.ExpectYesNo, Text: no}); got != eot.Open {
			t.Errorf("%s: got %d", language, got)
		}
	}
}

func TestNumbersThatAreNeverShort(t *testing.T) {
	for _, tt := range []struct {
		language, clause string
		want             int
	}{
		{"", "What is your order number?", 4},
		{"en", "Thanks. And your telephone number?", 4},
		{"en", "How many invoices do you have?", 0},
		{"en", "Your order number is noted. How old are you?", 0},
		{"en", "Is that your order number?", 0},
		{"en", "What is your room number?", 0},
		{"de", "Wie lautet Ihre Kundennummer?", 4},
		{"de", "Wie lautet Ihre Hausnummer?", 0},
		{"es", "¿Cuál es su número de cliente?", 4},
		{"fr", "Quel est votre numéro de commande ?", 4},
		{"ru", "Назовите номер заказа.", 4},
		{"tlh", "What is your order number?", 0},
		{"", "", 0},
	} {
		if got := eot.Fewest(tt.language, tt.clause); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.clause, got, tt.want)
		}
	}
}

// TestTheFirstEditionJudgesAsItDid: recordings hold its name.
func TestTheFirstEditionJudgesAsItDid(t *testing.T) {
	first, ok := eot.Named(eot.NameFirstRules)
	if !ok {
		t.Fatal("it is gone")
	}
	for _, h := range []struct {
		eot.Heard
		was, is eot.Verdict
	}{
		{eot.Heard{Expect: eot.ExpectYesNo, Text: "no"}, eot.Finished, eot.Open},
		{eot.Heard{Expect: eot.ExpectStory, Text: "hello"}, eot.Open, eot.Unfinished},
		{eot.Heard{Expect: eot.ExpectMail, Text: "jo at bakery dot com"}, eot.Unknown, eot.Finished},
		{eot.Heard{Expect: eot.ExpectNumber, Fewest: 4, Text: "seven nine"}, eot.Open, eot.Unfinished},
		{eot.Heard{Text: "what is"}, eot.Unknown, eot.Unfinished},
		{eot.Heard{Text: "i think"}, eot.Unknown, eot.Unfinished},
		{eot.Heard{Text: "it's about the card i lost"}, eot.Unfinished, eot.Open},
		{eot.Heard{Text: "my card and"}, eot.Unfinished, eot.Unfinished},
	} {
		if was, is := first.Judge(h.Heard), (eot.Rules{}).Judge(h.Heard); was != h.was || is != h.is {
			t.Errorf("%q: was %d and is %d, want %d and %d", h.Text, was, is, h.was, h.is)
		}
	}
}
