package spoken

import (
	"strings"
	"testing"
	"unicode"
)

func TestWords(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"dollars and cents":           {"It costs $1,250.50 today.", "It costs one thousand two hundred fifty dollars and fifty cents today."},
		"euros":                       {"€20", "twenty euros"},
		"one euro":                    {"€1", "one euro"},
		"cents only":                  {"$0.99", "ninety nine cents"},
		"euros with cents":            {"€12.90 a month", "twelve euros and ninety cents a month"},
		"code behind, spaced":         {"5 000 USD", "five thousand dollars"},
		"sign behind":                 {"20€ each", "twenty euros each"},
		"code before":                 {"EUR 15", "fifteen euros"},
		"scaled money":                {"$2.5 million", "two point five million dollars"},
		"thousand shortened":          {"$5k", "five thousand dollars"},
		"range of money":              {"$5-10", "five to ten dollars"},
		"plain number":                {"You have 3 cards", "You have three cards"},
		"thousands":                   {"up to 5,000 times", "up to five thousand times"},
		"decimal":                     {"2.5 points", "two point five points"},
		"percent":                     {"a 2% fee", "a two percent fee"},
		"decimal percent":             {"3.75 %", "three point seven five percent"},
		"iso date":                    {"on 2026-02-15.", "on February fifteenth, twenty twenty six."},
		"month day year":              {"Feb 15 2026", "February fifteenth, twenty twenty six"},
		"month day comma year":        {"February 15th, 2026", "February fifteenth, twenty twenty six"},
		"day month":                   {"15 February", "February fifteenth"},
		"day first":                   {"15/02/2026", "February fifteenth, twenty twenty six"},
		"month first when it must be": {"02/15/2026", "February fifteenth, twenty twenty six"},
		"no such day":                 {"2026-02-31", "two zero two six, zero two, three one"},
		"may is a verb":               {"You may 3 times", "You may three times"},
		"afternoon":                   {"at 14:30", "at two thirty p m"},
		"full hour":                   {"at 09:00", "at nine a m"},
		"noon":                        {"12:00", "noon"},
		"with pm":                     {"2:30 pm", "two thirty p m"},
		"hour with pm":                {"2 PM.", "two p m."},
		"opening hours":               {"9:00-17:00", "nine a m to five p m"},
		"timestamp":                   {"2026-02-15T14:30:00Z", "February fifteenth, twenty twenty six, at two thirty p m"},
		"rank":                        {"the 21st and 2nd", "the twenty first and second"},
		"telephone":                   {"call +1 555 123-4567", "call plus one, five five five, one two three, four five six seven"},
		"telephone with brackets":     {"(555) 123-4567", "five five five, one two three, four five six seven"},
		"card":                        {"4527 9100 1234 5678", "four five two seven, nine one zero zero, one two three four, five six seven eight"},
		"hidden card":                 {"**** **** **** 4527", "four thousand five hundred twenty seven"},
		"ending in":                   {"ending 4527", "ending four five two seven"},
		"e-mail":                      {"write to john.smith@example.com.", "write to john dot smith at example dot com."},
		"e-mail with digits":          {"jo_22@mail.example.org", "jo underscore two two at mail dot example dot org"},
		"link":                        {"see https://www.example.com/help?x=1.", "see example dot com slash help."},
		"bare host":                   {"on example.com", "on example dot com"},
		"always open":                 {"open 24/7", "open twenty four seven"},
		"span of days":                {"2-3 days", "two to three days"},
		"span with a long dash":       {"5–7 working days", "five to seven working days"},
		"kilometres":                  {"5 km away", "five kilometers away"},
		"kilometre":                   {"1km", "one kilometer"},
		"warm":                        {"20°C", "twenty degrees Celsius"},
		"for example":                 {"e.g. cards", "for example cards"},
		"doctor":                      {"Dr. Lee", "doctor Lee"},
		"number sign":                 {"#5", "number five"},
		"number word":                 {"No. 5", "number five"},
		"no is a word":                {"No. It is not.", "No. It is not."},
		"and sign":                    {"Terms & conditions", "Terms and conditions"},
		"half":                        {"1/2", "one half"},
		"decade":                      {"the 1990s", "the nineteen nineties"},
		"year":                        {"in 2026", "in twenty twenty six"},
		"year 2005":                   {"since 2005", "since two thousand five"},
		"code with zeros":             {"007", "zero zero seven"},
		"letters and digits":          {"B2B and 4K", "B two B and four thousand"},
		"bold and code":               {"**Very** `good`", "Very good"},
		"heading and list":            {"# Title\n- one\n- two", "Title, one, two"},
		"link in markdown":            {"[our page](https://example.com/x)", "our page"},
		"picture":                     {"Great 🎉 news ✅!", "Great news!"},
		"plain words stay":            {"Don't worry, it's free; really?", "Don't worry, it's free; really?"},
		"fullwidth digits":            {"１２ days", "twelve days"},
		"fraction sign":               {"½ price", "one half price"},
		"minus":                       {"-5 degrees", "minus five degrees"},
		"version":                     {"1.2.3", "one point two point three"},
		"long number":                 {"12345678901234567890", "one two three four, five six seven eight, nine zero one two, three four five six, seven eight nine zero"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Words(tt.in, "en"); got != tt.want {
				t.Errorf("Words(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestWordsInAnotherLanguageKeepTheirDigits(t *testing.T) {
	if got, want := Words("**Das** kostet 5 €.", "de-DE"), "Das kostet 5 €."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{
		"$1,250.50", "2026-02-15T14:30", "john.smith@example.com", "+1 (555) 123-4567", "24/7", "½ ² ١٢",
		"1,2,3.4.5", "5 000 0001", "$-5", "$", "€€5", ".5", "-", "12:99", "99/99/9999", "1st2nd", "x2y", "No. 7",
		"**** 12", "http://", "a@b.c", "1e9", "0x1F", "\xff7", "🎉3", "5 - 3 - 2", "00:00-24:00", "٣٫٥",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Words(s, "en")
		if i := strings.IndexFunc(got, unicode.IsDigit); i >= 0 {
			t.Fatalf("Words(%q) left a digit at %d: %q", s, i, got)
		}
		if again := Words(got, "en"); strings.IndexFunc(again, unicode.IsDigit) >= 0 {
			t.Fatalf("Words(%q) made a digit: %q", got, again)
		}
		Words(s, "ru")
	})
}
