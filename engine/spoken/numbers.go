package spoken

import (
	"regexp"
	"strings"
)

var (
	numberForm    = regexp.MustCompile(`^-?(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+)(?:\.\d+)?|^-?\.\d+`)
	percentForm   = regexp.MustCompile(`^ ?%`)
	rankForm      = regexp.MustCompile(`^(\d{1,12})(?:st|nd|rd|th)\b`)
	decadeForm    = regexp.MustCompile(`^(\d{2})(\d)0'?s\b`)
	fractionForm  = regexp.MustCompile(`^(\d{1,4})/(\d{1,4})`)
	spanForm      = regexp.MustCompile(`^(\d[\d,]*(?:\.\d+)?) ?- ?(\d[\d,]*(?:\.\d+)?)`)
	measureForm   = regexp.MustCompile(`^ ?(km/h|kmh|mph|kwh|km|kg|cm|mm|ml|gb|mb|kb|tb|hrs|hr|h|mins|min|secs|sec|ms|lbs|lb|oz|ft|°c|°f|°|x|k|m|bn)(?:\b|$)`)
	telephoneForm = regexp.MustCompile(`^(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,5}\)[ .-]?)?\d{1,5}(?:[ .-]\d{1,5}){1,6}|^\+\d{7,15}|^\(\d{1,5}\)[ .-]?\d{3,10}`)
	cardForm      = regexp.MustCompile(`^[0-9Xx*•]{4}(?:[ -]?[0-9Xx*•]{4}){2,3}(?:[ -]?[0-9]{1,3})?`)
	codeForm      = regexp.MustCompile(`^\d[\d-]*\d|^\d`)
)

// numberAt returns the number s starts with, "" if none. It takes a dot or a
// comma only with a digit behind it.
func numberAt(s string) string {
	n := numberForm.FindString(s)
	if strings.Contains(n, " ") && len(s) > len(n) && isDigit(s[len(n)]) {
		n, _, _ = strings.Cut(n, " ") // "5 0001" is two numbers
	}
	return n
}

func number(_, s string) (int, string) {
	n := numberAt(s)
	if n == "" {
		return 0, ""
	}
	if n[0] == '-' {
		return len(n), decimal(n)
	}
	// Dotted numbers such as 1.2.3 are versions: each dot is said.
	end := len(n)
	var words strings.Builder
	words.WriteString(decimal(n))
	for end+1 < len(s) && s[end] == '.' && isDigit(s[end+1]) {
		next := digitRun(s[end+1:])
		words.WriteString(" point " + digitByDigit(next))
		end += 1 + len(next)
	}
	return end, words.String()
}

func digitRun(s string) string {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i]
}

func percentage(_, s string) (int, string) {
	n := numberAt(s)
	if n == "" {
		return 0, ""
	}
	sign := percentForm.FindString(s[len(n):])
	if sign == "" {
		return 0, ""
	}
	return len(n) + len(sign), decimal(n) + " percent"
}

func rank(_, s string) (int, string) {
	m := rankForm.FindStringSubmatch(strings.ToLower(s[:min(len(s), 16)]))
	if m == nil {
		return 0, ""
	}
	return len(m[0]), ordinal(parse(m[1]))
}

// decade reads 1990s.
func decade(_, s string) (int, string) {
	m := decadeForm.FindStringSubmatch(s)
	if m == nil || m[1] == "00" {
		return 0, ""
	}
	d := parse(m[2])
	word := "hundreds"
	switch {
	case d == 1:
		word = "tens"
	case d > 1:
		word = strings.TrimSuffix(tens[d], "y") + "ies"
	}
	return len(m[0]), cardinal(parse(m[1])) + " " + word
}

// fraction reads 1/2 and says other pairs as "three out of four".
func fraction(_, s string) (int, string) {
	m := fractionForm.FindStringSubmatch(s)
	if m == nil || len(s) > len(m[0]) && (s[len(m[0])] == '/' || isDigit(s[len(m[0])])) {
		return 0, ""
	}
	a, b := parse(m[1]), parse(m[2])
	plural := ""
	if a != 1 {
		plural = "s"
	}
	switch {
	case a < b && b == 2:
		return len(m[0]), "one half"
	case a < b && b == 3:
		return len(m[0]), cardinal(a) + " third" + plural
	case a < b && b == 4:
		return len(m[0]), cardinal(a) + " quarter" + plural
	}
	return len(m[0]), whole(m[1]) + " out of " + whole(m[2])
}

func aroundTheClock(_, s string) (int, string) {
	if !strings.HasPrefix(s, "24/7") || len(s) > 4 && isDigit(s[4]) {
		return 0, ""
	}
	return 4, "twenty four seven"
}

// span reads 2-3, "two to three". A code such as 555-1234 is none.
func span(prev, s string) (int, string) {
	m := spanForm.FindStringSubmatch(s)
	if m == nil || codeWord(prev) || len(s) > len(m[0]) && (s[len(m[0])] == '-' || isDigit(s[len(m[0])])) {
		return 0, ""
	}
	a, b := strings.TrimRight(m[1], ","), strings.TrimRight(m[2], ",")
	if parse(onlyDigits(a)) > parse(onlyDigits(b)) || a != m[1] {
		return 0, ""
	}
	end := len(m[0]) - (len(m[2]) - len(b))
	words := decimal(a) + " to " + decimal(b)
	if p := percentForm.FindString(s[end:]); p != "" {
		return end + len(p), words + " percent"
	}
	return end, words
}

// measure reads a number with its unit.
func measure(_, s string) (int, string) {
	n := numberAt(s)
	if n == "" {
		return 0, ""
	}
	rest := s[len(n):]
	m := measureForm.FindStringSubmatch(strings.ToLower(rest[:min(len(rest), 8)]))
	if m == nil || len(m[0]) > len(rest) || m[0][0] == ' ' && (m[1] == "x" || m[1] == "k" || m[1] == "m" || m[1] == "h") {
		return 0, ""
	}
	return len(n) + len(m[0]), decimal(n) + " " + unit(m[1], n == "1")
}

func unit(short string, one bool) string {
	s := "s"
	if one {
		s = ""
	}
	switch short {
	case "km/h", "kmh":
		return "kilometer" + s + " per hour"
	case "mph":
		return "mile" + s + " per hour"
	case "kwh":
		return "kilowatt hour" + s
	case "ft":
		if one {
			return "foot"
		}
		return "feet"
	case "°c":
		return "degree" + s + " Celsius"
	case "°f":
		return "degree" + s + " Fahrenheit"
	case "x":
		return "times"
	case "k":
		return "thousand"
	case "m":
		return "million"
	case "bn":
		return "billion"
	}
	full := map[string]string{
		"km": "kilometer", "kg": "kilogram", "cm": "centimeter", "mm": "millimeter", "ml": "milliliter",
		"gb": "gigabyte", "mb": "megabyte", "kb": "kilobyte", "tb": "terabyte", "hrs": "hour", "hr": "hour", "h": "hour",
		"mins": "minute", "min": "minute", "secs": "second", "sec": "second", "ms": "millisecond",
		"lbs": "pound", "lb": "pound", "oz": "ounce", "°": "degree",
	}
	return full[short] + s
}

// telephone reads seven to fifteen digits in groups of at most five.
func telephone(prev, s string) (int, string) {
	m := telephoneForm.FindString(s)
	digits := onlyDigits(m)
	if len(digits) < 7 || len(digits) > 15 || len(s) > len(m) && isDigit(s[len(m)]) {
		return 0, ""
	}
	if numberAt(s) == m && !codeWord(prev) { // 5 000 000
		return 0, ""
	}
	if len(digits) > 12 && m[0] != '+' {
		return 0, "" // a card number, not a telephone
	}
	var parts []string
	for _, g := range strings.FieldsFunc(m, func(r rune) bool { return strings.ContainsRune(" .-()+", r) }) {
		parts = append(parts, grouped(g, 3))
	}
	words := strings.Join(parts, ", ")
	if m[0] == '+' {
		words = "plus " + words
	}
	return len(m), words
}

// cardNumber reads twelve to nineteen digits in fours; hidden ones are skipped.
func cardNumber(_, s string) (int, string) {
	m := cardForm.FindString(s)
	d := onlyDigits(m)
	switch {
	case m == "" || d == "" || len(s) > len(m) && isDigit(s[len(m)]):
		return 0, ""
	case len(d) <= 4:
		return len(m), "ending in " + digitByDigit(d)
	}
	return len(m), grouped(d, 4)
}

// code reads digits one by one where the word before says that they are a
// name, not an amount: "ending in 4527", "order 10432".
func code(prev, s string) (int, string) {
	m := codeForm.FindString(s)
	if !codeWord(prev) || m == "" || len(onlyDigits(m)) < 3 {
		return 0, ""
	}
	if n := numberAt(s); strings.ContainsAny(n, ",.") {
		return 0, ""
	}
	return len(m), grouped(onlyDigits(m), 4)
}

func codeWord(prev string) bool {
	switch prev {
	case "ending", "number", "code", "pin", "account", "order", "digits", "extension", "id", "ticket",
		"reference", "booking", "invoice", "room", "flight", "phone", "call", "calling", "called",
		"dial", "dialling", "ring", "ringing", "telephone", "postcode", "zip", "iban", "cvv":
		return true
	}
	return false
}

// yearNumber reads a bare year where the word before says that it is one.
func yearNumber(prev, s string) (int, string) {
	d := digitRun(s)
	if len(d) != 4 || d[0] != '1' && d[0] != '2' || len(s) > 4 && strings.ContainsRune(",.", rune(s[4])) && leadsDigit(s[5:]) && s[5] != ' ' {
		return 0, ""
	}
	switch prev {
	case "in", "since", "year", "until", "of", "before", "after", "from", "by", "during", "early", "late", "mid", "spring", "summer", "autumn", "fall", "winter":
	default:
		if monthNamed(prev) == 0 {
			return 0, ""
		}
	}
	if n := parse(d); n >= 1100 && n < 2100 {
		return 4, year(n)
	}
	return 0, ""
}
