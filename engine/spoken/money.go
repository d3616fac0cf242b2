package spoken

import (
	"regexp"
	"strings"
)

type currency struct{ sign, iso, one, many, cent, cents string }

func currencies() []currency {
	return []currency{
		{"US$", "", "dollar", "dollars", "cent", "cents"},
		{"$", "USD", "dollar", "dollars", "cent", "cents"},
		{"€", "EUR", "euro", "euros", "cent", "cents"},
		{"£", "GBP", "pound", "pounds", "penny", "pence"},
		{"¥", "JPY", "yen", "yen", "", ""},
		{"₸", "KZT", "tenge", "tenge", "", ""},
		{"₽", "RUB", "ruble", "rubles", "", ""},
		{"₹", "INR", "rupee", "rupees", "", ""},
		{"", "CHF", "Swiss franc", "Swiss francs", "", ""},
		{"", "CAD", "Canadian dollar", "Canadian dollars", "cent", "cents"},
		{"", "AUD", "Australian dollar", "Australian dollars", "cent", "cents"},
		{"", "PLN", "zloty", "zlotys", "", ""},
	}
}

func currencyNamed(iso string) *currency {
	if len(iso) != 3 {
		return nil
	}
	for _, c := range currencies() {
		if c.iso == iso {
			return &c
		}
	}
	return nil
}

var scaleForm = regexp.MustCompile(`^ ?(thousand|million|billion|trillion|k|m|bn|b)\b`)

// money reads a sign or a code with the amount behind it: $1,250.50, €20, EUR 5.
func money(_, s string) (int, string) {
	lead, rest := "", s
	if len(s) > 1 && s[0] == '-' {
		lead, rest = "minus ", s[1:]
	}
	for _, c := range currencies() {
		for _, mark := range [...]string{c.sign, c.iso} {
			after, ok := strings.CutPrefix(rest, mark)
			if mark == "" || !ok {
				continue
			}
			after = strings.TrimPrefix(after, " ")
			if n, words := amount(after, c); n > 0 {
				return len(s) - len(after) + n, lead + words
			}
		}
	}
	return 0, ""
}

// moneyAfter reads an amount with its sign or code behind it: 5 000 USD, 20€.
func moneyAfter(_, s string) (int, string) {
	n := numberAt(s)
	if n == "" {
		return 0, ""
	}
	rest := strings.TrimPrefix(s[len(n):], " ")
	for _, c := range currencies() {
		for _, mark := range [...]string{c.sign, c.iso} {
			after, ok := strings.CutPrefix(rest, mark)
			if mark == "" || !ok || mark == c.sign && leadsDigit(after) || mark == c.iso && after != "" && isLetter(after[0]) {
				continue
			}
			return len(s) - len(after), sum(n, c)
		}
	}
	return 0, ""
}

// amount reads the number of a price, a range of two or a scale behind it.
func amount(s string, c currency) (int, string) {
	n := numberAt(s)
	if n == "" || n[0] == '-' {
		return 0, ""
	}
	end := len(n)
	if m := scaleForm.FindStringSubmatch(strings.ToLower(s[end:min(len(s), end+10)])); m != nil {
		return end + len(m[0]), decimal(n) + " " + scaleWord(m[1]) + " " + c.many
	}
	for _, dash := range [...]string{"-", " - "} {
		rest, ok := strings.CutPrefix(s[end:], dash)
		if !ok {
			continue
		}
		rest = strings.TrimPrefix(rest, c.sign)
		if m := numberAt(rest); m != "" && m[0] != '-' {
			return len(s) - len(rest) + len(m), decimal(n) + " to " + sum(m, c)
		}
	}
	return end, sum(n, c)
}

func scaleWord(s string) string {
	switch s {
	case "k":
		return "thousand"
	case "m":
		return "million"
	case "b", "bn":
		return "billion"
	}
	return s
}

// sum says an amount with its cents.
func sum(n string, c currency) string {
	int, frac, _ := strings.Cut(n, ".")
	minus, int := strings.HasPrefix(int, "-"), strings.TrimPrefix(int, "-")
	if c.cent == "" || len(frac) > 2 {
		return decimal(n) + " " + c.many
	}
	if len(frac) == 1 {
		frac += "0"
	}
	cents, big := parse(frac), parse(onlyDigits(int))
	var w []string
	if minus {
		w = append(w, "minus")
	}
	switch {
	case big == 0 && cents > 0:
	case big == 1:
		w = append(w, "one", c.one)
	default:
		w = append(w, whole("0"[:b2i(int == "")]+int), c.many)
	}
	if cents > 0 {
		if big > 0 {
			w = append(w, "and")
		}
		name := c.cents
		if cents == 1 {
			name = c.cent
		}
		w = append(w, cardinal(cents), name)
	}
	return strings.Join(w, " ")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
