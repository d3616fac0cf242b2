package spoken

import (
	"strings"
)

//nolint:gochecknoglobals // a table that nobody changes
var small = [...]string{
	"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
	"eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
}

//nolint:gochecknoglobals // a table that nobody changes
var tens = [...]string{"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}

//nolint:gochecknoglobals // a table that nobody changes
var scales = [...]string{"", "thousand", "million", "billion", "trillion"}

// maxCardinal is the longest whole number said as a number; beyond it the
// digits are read out, as people do.
const maxCardinal = 15

// cardinal says n, "one hundred twenty five".
func cardinal(n uint64) string {
	if n < 20 {
		return small[n]
	}
	var groups []string
	for i := 0; n > 0 && i < len(scales); i++ {
		if g := n % 1000; g > 0 {
			w := hundreds(g)
			if scales[i] != "" {
				w += " " + scales[i]
			}
			groups = append(groups, w)
		}
		n /= 1000
	}
	for i, j := 0, len(groups)-1; i < j; i, j = i+1, j-1 {
		groups[i], groups[j] = groups[j], groups[i]
	}
	return strings.Join(groups, " ")
}

func hundreds(n uint64) string {
	var w []string
	if n >= 100 {
		w = append(w, small[n/100], "hundred")
		n %= 100
	}
	switch {
	case n >= 20 && n%10 > 0:
		w = append(w, tens[n/10], small[n%10])
	case n >= 20:
		w = append(w, tens[n/10])
	case n > 0:
		w = append(w, small[n])
	}
	return strings.Join(w, " ")
}

// ordinal says n as a rank, "twenty first".
func ordinal(n uint64) string {
	words := strings.Fields(cardinal(n))
	last := words[len(words)-1]
	switch last {
	case "one":
		last = "first"
	case "two":
		last = "second"
	case "three":
		last = "third"
	case "five":
		last = "fifth"
	case "eight":
		last = "eighth"
	case "nine":
		last = "ninth"
	case "twelve":
		last = "twelfth"
	default:
		if strings.HasSuffix(last, "y") {
			last = last[:len(last)-1] + "ie"
		}
		last += "th"
	}
	words[len(words)-1] = last
	return strings.Join(words, " ")
}

// year says 1984 as "nineteen eighty four" and 2005 as "two thousand five".
func year(n uint64) string {
	high, low := n/100, n%100
	switch {
	case n < 1000 || n > 9999 || high%10 == 0 && low < 10:
		return cardinal(n)
	case low == 0:
		return cardinal(high) + " hundred"
	case low < 10:
		return cardinal(high) + " oh " + cardinal(low)
	}
	return cardinal(high) + " " + cardinal(low)
}

// digitByDigit reads out the digits of s and skips everything else.
func digitByDigit(s string) string {
	var w []string
	for i := range len(s) {
		if c := s[i]; isDigit(c) {
			w = append(w, small[c-'0'])
		}
	}
	return strings.Join(w, " ")
}

// grouped reads out digits in groups of size, parted by commas. A last group
// of one joins the one before it.
func grouped(digits string, size int) string {
	var parts []string
	for len(digits) > size+1 {
		parts = append(parts, digitByDigit(digits[:size]))
		digits = digits[size:]
	}
	return strings.Join(append(parts, digitByDigit(digits)), ", ")
}

// whole says a run of digits, perhaps with separators of thousands. A number
// that starts with zero is a code, and its digits are read out.
func whole(s string) string {
	d := onlyDigits(s)
	switch {
	case len(d) > maxCardinal:
		return grouped(d, 4)
	case len(d) > 1 && d[0] == '0':
		return digitByDigit(d)
	}
	return cardinal(parse(d))
}

// decimal says a number as numberAt found it: "1,250.5", "-3", ".25".
func decimal(s string) string {
	var w []string
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		w, s = append(w, "minus"), rest
	}
	int, frac, dotted := strings.Cut(s, ".")
	if int == "" {
		int = "0"
	}
	w = append(w, whole(int))
	if dotted && frac != "" {
		w = append(w, "point", digitByDigit(frac))
	}
	return strings.Join(w, " ")
}

// parse reads at most 19 digits; a longer run never reaches it.
func parse(digits string) uint64 {
	var n uint64
	for i := 0; i < len(digits) && i < 19; i++ {
		n = n*10 + uint64(digits[i]-'0')
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 }

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
