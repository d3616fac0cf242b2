package spoken

import (
	"regexp"
	"strings"
)

var (
	stampForm    = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?`)
	isoForm      = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})`)
	slashForm    = regexp.MustCompile(`^(\d{1,2})([/.])(\d{1,2})[/.](\d{4}|\d{2})`)
	monthDayForm = regexp.MustCompile(`^([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?\b(?:,? (\d{4})\b)?`)
	dayMonthForm = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th)?(?: of)?[ -]([A-Za-z]{3,9})\.?(?:,?[ -](\d{4})\b)?`)
	clockForm    = regexp.MustCompile(`^(\d{1,2})[:.](\d{2})(?::\d{2})?(?: ?([AaPp])(?:\.[Mm]\.|[Mm]\b))?`)
	halfDayForm  = regexp.MustCompile(`^(\d{1,2}) ?([AaPp])(?:\.[Mm]\.|[Mm]\b)`)
	rangeBetween = regexp.MustCompile(`^ ?- ?`)
)

// timestamp reads 2026-02-15T14:30:00Z; the zone is not said.
func timestamp(_, s string) (int, string) {
	m := stampForm.FindStringSubmatch(s)
	if m == nil {
		return 0, ""
	}
	day, ok1 := date(parse(m[1]), parse(m[2]), parse(m[3]))
	hour, ok2 := clock(parse(m[4]), parse(m[5]), "")
	if !ok1 || !ok2 || digitFollows(s, m[0]) {
		return 0, ""
	}
	return len(m[0]), day + ", at " + hour
}

func isoDate(_, s string) (int, string) {
	m := isoForm.FindStringSubmatch(s)
	if m == nil || digitFollows(s, m[0]) {
		return 0, ""
	}
	words, ok := date(parse(m[1]), parse(m[2]), parse(m[3]))
	if !ok {
		return 0, ""
	}
	return len(m[0]), words
}

// numericDate reads 15/02/2026 with the day first, unless only the month first
// makes a date of it.
func numericDate(_, s string) (int, string) {
	m := slashForm.FindStringSubmatch(s)
	if m == nil || digitFollows(s, m[0]) {
		return 0, ""
	}
	a, b, y := parse(m[1]), parse(m[3]), parse(m[4])
	if len(m[4]) == 2 {
		if m[2] == "." {
			return 0, "" // 1.2.34 is a version
		}
		y += 2000
	}
	words, ok := date(y, b, a)
	if !ok {
		words, ok = date(y, a, b)
	}
	if !ok {
		return 0, ""
	}
	return len(m[0]), words
}

// monthDate reads Feb 15 2026, February 15th, Feb. 15.
func monthDate(_, s string) (int, string) {
	m := monthDayForm.FindStringSubmatch(s)
	if m == nil {
		return 0, ""
	}
	return dated(s, m[0], m[1], m[2], m[3])
}

// dayMonth reads 15 Feb 2026 and 15th of February.
func dayMonth(_, s string) (int, string) {
	m := dayMonthForm.FindStringSubmatch(s)
	if m == nil {
		return 0, ""
	}
	if m[3] == "" && len(s) > len(m[0]) && isLetter(s[len(m[0])]) {
		return 0, ""
	}
	return dated(s, m[0], m[2], m[1], m[3])
}

func dated(s, whole, month, day, y string) (int, string) {
	if strings.ToLower(month) == "may" && month[0] != 'M' || monthNamed(month) == 0 || digitFollows(s, whole) {
		return 0, ""
	}
	words, ok := date(parse(y), uint64(monthNamed(month)), parse(day))
	if !ok {
		return 0, ""
	}
	return len(whole), words
}

// clockTime reads 14:30, 2:30 pm and 2 pm.
func clockTime(_, s string) (int, string) {
	if m := clockForm.FindStringSubmatch(s); m != nil && (m[0][len(m[1])] == ':' || m[3] != "") && !digitFollows(s, m[0]) {
		if words, ok := clock(parse(m[1]), parse(m[2]), half(m[3])); ok {
			return len(m[0]), words
		}
	}
	if m := halfDayForm.FindStringSubmatch(s); m != nil {
		if words, ok := clock(parse(m[1]), 0, half(m[2])); ok {
			return len(m[0]), words
		}
	}
	return 0, ""
}

// clockRange reads 9:00-17:00 and 9 am - 5 pm.
func clockRange(prev, s string) (int, string) {
	n, from := clockTime(prev, s)
	if n == 0 {
		return 0, ""
	}
	dash := rangeBetween.FindString(s[n:])
	if dash == "" {
		return 0, ""
	}
	m, to := clockTime(prev, s[n+len(dash):])
	if m == 0 {
		return 0, ""
	}
	return n + len(dash) + m, from + " to " + to
}

func half(letter string) string {
	if letter == "" {
		return ""
	}
	return strings.ToLower(letter) + "m"
}

func digitFollows(s, taken string) bool {
	return len(s) > len(taken) && isDigit(s[len(taken)])
}
