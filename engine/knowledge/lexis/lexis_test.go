package lexis

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func texts(words []Word) []string {
	var out []string
	for _, w := range words {
		out = append(out, w.Text)
	}
	return out
}

func TestWords(t *testing.T) {
	tests := map[string]struct {
		in   string
		want []string
	}{
		"numbers lose their commas":      {"€1,000.50 or 12.90", []string{"1000.50", "or", "12.90"}},
		"a decimal comma stays":          {"12,90 euros", []string{"12,90", "euros"}},
		"apostrophes lose their tails":   {"what's the card’s fee, don't", []string{"what", "the", "card", "fee", "dont"}},
		"short hyphened words are one":   {"Wi-Fi, e-mail and check-in", []string{"wifi", "email", "and", "checkin"}},
		"long hyphened words are two":    {"non-refundable", []string{"non", "refundable"}},
		"a point at the end is none":     {"It costs 5.", []string{"it", "costs", "5"}},
		"other alphabets are words, too": {"Öffnungszeiten сколько", []string{"öffnungszeiten", "сколько"}},
		"nothing":                        {"…!? ", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, texts(Words(tt.in))) })
	}
}

func TestSentences(t *testing.T) {
	tests := map[string]struct {
		in   string
		want []string
	}{
		"amounts do not end one":    {"It costs €1.50 a day. Pay at once.", []string{"It costs €1.50 a day.", "Pay at once."}},
		"nor do abbreviations":      {"Ask Dr. Smith. She knows.", []string{"Ask Dr. Smith.", "She knows."}},
		"nor addresses":             {"Write to a.b@example.com today! Really?", []string{"Write to a.b@example.com today!", "Really?"}},
		"the last needs no point":   {"One. Two", []string{"One.", "Two"}},
		"brackets stay with theirs": {"Yes (always.) Good.", []string{"Yes (always.)", "Good."}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, Sentences(tt.in)) })
	}
}

func TestSections(t *testing.T) {
	got := Sections("We have two rooms. Both are quiet.\nGarden room\nCosts €80. Faces the garden.\n\n## City room\n- Costs €95.\n- No balcony.")
	assert.Equal(t, []Section{
		{Sentences: []string{"We have two rooms.", "Both are quiet."}, Lines: []int{0, 0}},
		{Heading: "Garden room", Sentences: []string{"Costs €80.", "Faces the garden."}, Lines: []int{2, 2}},
		{Heading: "City room", Sentences: []string{"Costs €95.", "No balcony."}, Lines: []int{5, 6}},
	}, got)
}

func TestStemsOfOneWordAgree(t *testing.T) {
	l := New()
	for _, forms := range [][]string{
		{"cancel", "cancelled", "cancellation", "cancelling"},
		{"deliver", "delivery", "deliveries", "delivered"},
		{"child", "children", "kids"},
		{"company", "companies"},
		{"lose", "lost", "losing"},
		{"insure", "insurance", "insured"},
		{"open", "opening", "opened", "opens"},
		{"pay", "paid", "payment", "paying"},
	} {
		for _, f := range forms[1:] {
			assert.Equal(t, l.Stem(forms[0]), l.Stem(f), f)
		}
	}
	assert.NotEqual(t, l.Stem("policy"), l.Stem("police"))
}

func TestAlike(t *testing.T) {
	for _, p := range [][2]string{{"accommodation", "accommodation"}, {"receive", "receive"}, {"depart", "departur"}, {"bagag", "baggag"}} {
		assert.True(t, Alike(p[0], p[1]), p)
	}
	for _, p := range [][2]string{{"card", "cart"}, {"pool", "tool"}, {"ski", "skip"}, {"boat", "coat"}, {"claim", "clinic"}, {"1234", "1235"}} {
		assert.False(t, Alike(p[0], p[1]), p)
	}
}

func TestNeeds(t *testing.T) {
	for q, want := range map[string]Need{
		"how much is a day ticket":               NeedMoney,
		"What's the monthly fee?":                NeedMoney,
		"how long does delivery take":            NeedDuration,
		"when do you open on Sundays":            NeedTime,
		"how many bags may I take":               NeedCount,
		"what is your phone number":              NeedContact,
		"where are you":                          NeedPlace,
		"can I bring my dog":                     NeedAny,
		"how much luggage can I take on a plane": NeedAny,
	} {
		assert.Equal(t, want, Asks(q), q)
	}
	for text, n := range map[string]Need{
		"It is €5.": NeedMoney, "Entry is free.": NeedMoney, "at no extra charge": NeedMoney, "It takes two working days.": NeedDuration,
		"open from 9 a.m.": NeedTime, "Call 0800 555 0101.": NeedContact, "up to 3 bags": NeedCount,
	} {
		assert.True(t, FactsOf(text).Has(n), text)
	}
	assert.False(t, FactsOf("You can pay by card.").May(NeedMoney))
	assert.False(t, FactsOf("We deliver to your door.").May(NeedDuration))
	assert.True(t, FactsOf("We close in the evening.").May(NeedTime))
	assert.False(t, FactsOf("We close in the evening.").Has(NeedTime))
}

func TestMatch(t *testing.T) {
	l := New()
	terms := l.Terms("The monthly price of the telephone line")
	assert.InDelta(t, 0.8, l.Match(l.Stem("fee"), terms), 1e-9)
	assert.InDelta(t, 1.0, l.Match(l.Stem("phone"), terms), 1e-9)
	assert.Zero(t, l.Match(l.Stem("dog"), terms))
	assert.Greater(t, Likeness("bagage", "baggage"), 0.6)
	assert.Less(t, Likeness("dog", "monthly"), 0.3)
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		_ = New()
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "a-b", "1,2,3", "don't’’", "\xff\xfe", "x'", "1.", "e-e-e-e"} {
		f.Add(s)
	}
	l := New()
	f.Fuzz(func(t *testing.T, s string) {
		end := 0
		for _, w := range Words(s) {
			if w.Start < end || w.End <= w.Start || w.End > len(s) {
				t.Fatalf("word %+v out of order in %q", w, s)
			}
			end = w.End
			_ = Alike(w.Text, l.Stem(w.Text))
		}
		_, _ = Sentences(s), Sections(s)
	})
}

func TestSlip(t *testing.T) {
	for _, p := range [][2]string{{"raiin", "rain"}, {"suiet", "suit"}, {"delivverd", "deliv"}, {"cncellation", "cancel"}, {"gacier", "glacier"}} {
		assert.True(t, Slip(p[0], p[1]), p)
	}
	for _, p := range [][2]string{{"umbrella", "umpir"}, {"boat", "coat"}, {"yeti", "year"}, {"1234", "1235"}, {"so", "to"}, {"drone", "drain"}, {"uranium", "urban"}, {"bibl", "bill"}, {"knit", "kit"}} {
		assert.False(t, Slip(p[0], p[1]), p)
	}
	l := New()
	assert.True(t, l.Mumbled("muh"))
	assert.False(t, l.Mumbled("drone"), "a word of its own, not done")
}
