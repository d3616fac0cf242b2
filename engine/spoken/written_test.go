package spoken

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestWritten(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"digits":                   {"four five two seven", "4527"},
		"digits in a sentence":     {"my card ends in four five two seven", "my card ends in 4527"},
		"pairs":                    {"forty five twenty seven", "4527"},
		"oh is a zero":             {"four oh two", "402"},
		"double":                   {"double five seven", "557"},
		"e-mail":                   {"john dot smith at example dot com", "john.smith@example.com"},
		"e-mail in a sentence":     {"my email is john at example dot com thanks", "my email is john@example.com thanks"},
		"e-mail with digits":       {"jane underscore two two at mail dot example dot org", "jane_22@mail.example.org"},
		"at is a word":             {"meet me at two p m", "meet me at 14:00"},
		"date":                     {"february fifteenth", "February 15"},
		"date with a year":         {"february fifteenth twenty twenty six", "2026-02-15"},
		"the day first":            {"the twenty first of march", "March 21"},
		"may is a verb":            {"may i ask", "may i ask"},
		"time":                     {"two thirty p m", "14:30"},
		"morning":                  {"nine a m", "09:00"},
		"midnight":                 {"twelve a m", "00:00"},
		"amount":                   {"five thousand dollars", "5000 dollars"},
		"amount with a hundred":    {"two hundred and fifty", "250"},
		"a hundred":                {"a hundred euros", "100 euros"},
		"large":                    {"one million two hundred thousand and five", "1200005"},
		"decimal":                  {"two point five percent", "2.5 percent"},
		"cents are another number": {"five hundred dollars and fifty cents", "500 dollars and 50 cents"},
		"one number":               {"i want two tickets", "i want 2 tickets"},
		"words stay":               {"hello there", "hello there"},
		"nothing":                  {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Written(tt.in); got != tt.want {
				t.Errorf("Written(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestDigits(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"a phone number":   {"my number is five five five one two three oh", "5551230"},
		"pairs":            {"forty five twenty seven", "4527"},
		"triple":           {"triple nine", "999"},
		"already digits":   {"4527", "4527"},
		"oh alone":         {"oh really", ""},
		"nothing":          {"hello", ""},
		"hyphens":          {"twenty-seven", "27"},
		"digit after tens": {"twenty seven five", "275"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Digits(tt.in); got != tt.want {
				t.Errorf("Digits(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// TestDigitsInvertsReadingThemOut is the promise a read-back rests on.
func TestDigitsInvertsReadingThemOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.StringMatching(`[0-9]{1,16}`).Draw(t, "digits")
		if got := Digits(digitByDigit(want)); got != want {
			t.Fatalf("Digits(%q) = %q, want %q", digitByDigit(want), got, want)
		}
	})
}

// TestWrittenInvertsCardinals holds for every amount said as one.
func TestWrittenInvertsCardinals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 999_999_999).Draw(t, "n")
		words := Words(strings.TrimLeft(cardinalDigits(n), " "), "en")
		if got := Written(words); got != cardinalDigits(n) {
			t.Fatalf("Written(%q) = %q, want %d", words, got, n)
		}
	})
}

func cardinalDigits(n uint64) string {
	var b []byte
	for {
		b = append([]byte{byte('0' + n%10)}, b...)
		if n /= 10; n == 0 {
			return string(b)
		}
	}
}

// TestPlainSentencesNeverChange draws sentences of ordinary words.
func TestPlainSentencesNeverChange(t *testing.T) {
	words := strings.Fields("I the card and may not march no don't it's fee is at an order to us in mr she no, yes. max min well-known and/or")
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words[:len(words)-1]), 1, 12).Draw(t, "words"), " ")
		if got := Words(s, "en"); got != s {
			t.Fatalf("Words(%q) = %q", s, got)
		}
	})
}

func FuzzWritten(f *testing.F) {
	for _, s := range []string{"four five", "a at b dot c", "february the", "the of", "two oh p m", "double", "a hundred and", "dot dot at", "twenty twenty", "1 2 3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		Written(s)
		if d := Digits(s); strings.IndexFunc(d, func(r rune) bool { return !unicode.IsDigit(r) }) >= 0 {
			t.Fatalf("Digits(%q) = %q", s, d)
		}
	})
}

func BenchmarkWords(b *testing.B) {
	const s = "The premium card costs $1,250.50 a year; call +1 555 123 4567 before 2026-02-15, please."
	b.ReportAllocs()
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Words(s, "en")
	}
}
