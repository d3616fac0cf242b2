package dialog

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// cut pushes text in pieces of n bytes; 0 = all at once.
func cut(text string, n int) []string {
	var c Cutter
	if n == 0 {
		return append(c.Push(text), c.Flush()...)
	}
	var out []string
	for len(text) > 0 {
		k := min(n, len(text))
		out = append(out, c.Push(text[:k])...)
		text = text[k:]
	}
	return append(out, c.Flush()...)
}

func TestCutterCutsWhereAVoiceWouldBreathe(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"sentences":                {"The card is free. You can order it online. It takes a week.", []string{"The card is free.", "You can order it online.", "It takes a week."}},
		"an early first clause":    {"If you travel a lot, the Premium card is the better choice for you.", []string{"If you travel a lot,", "the Premium card is the better choice for you."}},
		"not too early":            {"Sure, I can help. What do you need?", []string{"Sure, I can help.", "What do you need?"}},
		"later commas wait":        {"Here is what I found. The card, by the way, is free.", []string{"Here is what I found.", "The card, by the way, is free."}},
		"long later clause":        {"Here is what I found. The Premium card costs a little more every month, but all withdrawals are free.", []string{"Here is what I found.", "The Premium card costs a little more every month,", "but all withdrawals are free."}},
		"money":                    {"It would cost $1,250.50, or €1.50 a day. Is that fine?", []string{"It would cost $1,250.50,", "or €1.50 a day.", "Is that fine?"}},
		"list of numbers":          {"You can choose 10, 20 or 30 euros.", []string{"You can choose 10, 20 or 30 euros."}},
		"date":                     {"The offer ends on Friday, March 3, 2026, at noon.", []string{"The offer ends on Friday, March 3, 2026,", "at noon."}},
		"german date":              {"Das Angebot endet am 3. März um zehn. Danach nicht.", []string{"Das Angebot endet am 3. März um zehn.", "Danach nicht."}},
		"time":                     {"We are open from 9:30 a.m. to 5 p.m. on weekdays.", []string{"We are open from 9:30 a.m. to 5 p.m. on weekdays."}},
		"time at the end":          {"We are open until 5 p.m. Please call before.", []string{"We are open until 5 p.m.", "Please call before."}},
		"time zone":                {"We are open until 5 p.m. CET on Monday.", []string{"We are open until 5 p.m. CET on Monday."}},
		"e-mail":                   {"Please write to help.desk@bank.example.com, or call us.", []string{"Please write to help.desk@bank.example.com,", "or call us."}},
		"address on the web":       {"See https://bank.example.com/fees?x=1,2;y=3 for all fees. Anything else?", []string{"See https://bank.example.com/fees?x=1,2;y=3 for all fees.", "Anything else?"}},
		"title":                    {"You should talk to Mr. Smith or Dr. Jones. They know.", []string{"You should talk to Mr. Smith or Dr. Jones.", "They know."}},
		"abbreviations":            {"Use it abroad, e.g. in the U.S. or in the U.K. without fees.", []string{"Use it abroad,", "e.g. in the U.S. or in the U.K. without fees."}},
		"number sign":              {"Please dial ext. 12 or ask for desk no. 5. Thank you.", []string{"Please dial ext. 12 or ask for desk no. 5.", "Thank you."}},
		"no as an answer":          {"The answer is no. You cannot do that.", []string{"The answer is no.", "You cannot do that."}},
		"initial":                  {"The bank was founded by J. P. Morgan. It is old.", []string{"The bank was founded by J. P. Morgan.", "It is old."}},
		"figure at the end":        {"The fee for that is 5. The rest is free.", []string{"The fee for that is 5.", "The rest is free."}},
		"dots":                     {"Let me look that up... here it is.", []string{"Let me look that up...", "here it is."}},
		"quotes":                   {"She said “I would like a card.” Then she left.", []string{"She said “I would like a card.”", "Then she left."}},
		"dash":                     {"We have two cards — Basic and Premium.", []string{"We have two cards —", "Basic and Premium."}},
		"dash without blanks":      {"We have two cards—Basic and Premium.", []string{"We have two cards—", "Basic and Premium."}},
		"range":                    {"Delivery usually takes 5 – 7 days.", []string{"Delivery usually takes 5 – 7 days."}},
		"range in one":             {"Delivery usually takes 10—20 days.", []string{"Delivery usually takes 10—20 days."}},
		"hyphen":                   {"It is a low- or no-cost account for you.", []string{"It is a low- or no-cost account for you."}},
		"numbered list":            {"Here is how:\n1. Open the app.\n2. Choose the card.", []string{"Here is how:", "1. Open the app.", "2. Choose the card."}},
		"bullets and emphasis":     {"**Basic Debit:**\n- No *monthly* fee\n- `€5` to issue\n\n## Premium\n", []string{"Basic Debit:", "No monthly fee", "€5 to issue", "Premium"}},
		"link":                     {"Look at [our fees, all of them](https://bank.example.com/fees). Good?", []string{"Look at our fees, all of them.", "Good?"}},
		"brackets that are none":   {"The limit [per day, per card] is high enough.", []string{"The limit [per day, per card] is high enough."}},
		"star between figures":     {"The sum of 2*3 and 2 * 3 is twelve.", []string{"The sum of 2*3 and 2 * 3 is twelve."}},
		"name with underscore":     {"The file my_old_card is _gone_.", []string{"The file my_old_card is gone."}},
		"table":                    {"| Card | Fee |\n|---|---|\n| Basic | none |", []string{"Card Fee", "Basic none"}},
		"wrapped line":             {"The Basic card has no\nmonthly fee at all.", []string{"The Basic card has no monthly fee at all."}},
		"paragraphs":               {"The first paragraph\n\nand the second", []string{"The first paragraph", "and the second"}},
		"scripts without blanks":   {"您好，我是银行的语音助手，很高兴为您服务。请问有什么可以帮您？", []string{"您好，我是银行的语音助手，", "很高兴为您服务。请问有什么可以帮您？"}},
		"nothing":                  {"", nil},
		"only blanks and marks":    {" \n ** \n", []string{"**"}},
		"exclamation and question": {"Good afternoon! How are you today? Fine?!", []string{"Good afternoon!", "How are you today?", "Fine?!"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, cut(c.text, 0))
			for _, n := range []int{1, 2, 3, 7} {
				require.Equal(t, c.want, cut(c.text, n), "in pieces of %d bytes", n)
			}
		})
	}
}

func TestCutterCutsLongTextAtAConjunction(t *testing.T) {
	text := "the card that you would like to have is made of plastic and it can be used in every shop of the town where people take cards of any kind today"
	got := cut(text, 0)
	require.Equal(t, []string{
		"the card that you would like to have is made of plastic and it can be used in every shop of the town",
		"where people take cards of any kind today",
	}, got)
	require.Equal(t, got, cut(text, 1))
}

func TestCutterCutsLongTextWithoutAnyMark(t *testing.T) {
	got := cut(strings.Repeat("word ", 60), 0)
	require.Len(t, got, 3)
	for _, g := range got[:2] {
		require.Len(t, strings.Fields(g), maxWords)
	}
}

func TestFirstClauseGoesOutBeforeTheSecondSentenceIsThere(t *testing.T) {
	var c Cutter
	require.Empty(t, c.Push("The Basic card has no monthly fee."))
	require.Equal(t, []string{"The Basic card has no monthly fee."}, c.Push(" "), "a blank after the full stop is enough")
	require.Empty(t, c.Push("And the"))
	require.Equal(t, []string{"And the"}, c.Flush())
	require.Equal(t, []string{"The Basic card has no monthly fee."}, append(c.Push("The Basic card has no monthly fee. "), c.Flush()...), "ready for the next reply")
}

func solid(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// prose draws text without markup but with all that makes cutting hard.
func prose() *rapid.Generator[string] {
	words := []string{
		"the", "card", "costs", "$1,250.50", "€12.90,", "March", "3,", "2026.", "and", "or", "Mr.", "e.g.", "a.m.", "9:30", "no.",
		"5.", "Yes.", "however,", "please:", "why?", "a@b.com,", "https://x.y/z?a=1,2.", "U.S.", "—", "word—another", "10–20", "12.5%",
		"您好，世界。", "schön;", "(see", "below).", "\n", "\n\n", "...", "etc.", "Premium", "I.", "J.", "“Hi.”", "Friday,",
	}
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 80).Draw(t, "words"), " ")
	})
}

func TestClausesAreTheTextAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := prose().Draw(t, "text")
		got := cut(text, rapid.IntRange(0, 9).Draw(t, "piece"))
		require.Equal(t, solid(text), solid(strings.Join(got, " ")))
		for _, g := range got {
			require.NotEmpty(t, strings.TrimSpace(g))
		}
	})
}

func TestClausesDoNotDependOnThePieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(prose(), rapid.StringOf(rapid.RuneFrom([]rune("aB1 .,:;?!—*_`[]()#-\n$é您。")))).Draw(t, "text")
		require.Equal(t, cut(text, 0), cut(text, rapid.IntRange(1, 9).Draw(t, "piece")), "%q", text)
	})
}

func TestClausesNeverSplitAWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := prose().Filter(func(s string) bool { return !strings.ContainsAny(s, "—。") }).Draw(t, "text")
		require.Equal(t, strings.Fields(text), strings.Fields(strings.Join(cut(text, 1), " ")))
	})
}

func FuzzCutter(f *testing.F) {
	for _, s := range []string{
		"It costs $1,250.50, or so. Mr. Smith — of the U.S. — knows.", "**a** [b](c) `d`\n- e\n1. f", "[[[](", "您好，世界。", "\xff\xfe. a", "a—", "* * *", strings.Repeat("x ", 300),
	} {
		f.Add(s, uint8(1))
	}
	f.Fuzz(func(t *testing.T, text string, n uint8) {
		got := cut(text, 0)
		if parts := cut(text, int(n%16)); strings.Join(got, "\x00") != strings.Join(parts, "\x00") {
			t.Fatalf("%q in pieces of %d: %q, whole %q", text, n%16, parts, got)
		}
		for _, g := range got {
			if strings.TrimSpace(g) != g || g == "" {
				t.Fatalf("%q gives the clause %q", text, g)
			}
		}
	})
}

func BenchmarkCutter(b *testing.B) {
	text := strings.Repeat("The Basic card has no monthly fee, and issuing it costs five euros. Withdrawals cost €1.50 each. ", 8)
	tokens := strings.SplitAfter(text, " ")
	b.ReportAllocs()
	for b.Loop() {
		var c Cutter
		n := 0
		for _, t := range tokens {
			n += len(c.Push(t))
		}
		if n += len(c.Flush()); n == 0 {
			b.Fatal(n)
		}
	}
}
