package spoken

import (
	"strconv"
	"strings"
)

// Digits returns the digits said in words, in order: "four five two seven" and
// "forty five twenty seven" both give "4527", "double five" gives "55", and
// "oh" between digits is a zero. Words that are no numbers are skipped.
func Digits(words string) string {
	var b strings.Builder
	tokens := tokenize(words)
	for i := 0; i < len(tokens); {
		n, said := digitsAt(tokens, i)
		if n == 0 {
			i++
			continue
		}
		b.WriteString(said)
		i += n
	}
	return b.String()
}

// Written writes recogniser output the way people write it. Runs of digits
// join, addresses close up, numbers, dates and times become figures; all else
// stays as it is: "my card ends in four five two seven" → "my card ends in
// 4527", "john dot smith at example dot com" → "john.smith@example.com",
// "february fifteenth" → "February 15", with a year "2026-02-15", "two thirty
// p m" → "14:30".
func Written(words string) string {
	tokens := tokenize(words)
	var out []string
	for i := 0; i < len(tokens); {
		n, s := writtenAt(tokens, i)
		if n == 0 {
			n, s = 1, tokens[i]
		}
		out = append(out, s)
		i += n
	}
	return strings.Join(out, " ")
}

func tokenize(words string) []string {
	return strings.FieldsFunc(strings.ToLower(words), func(r rune) bool {
		return r == ' ' || r == ',' || r == '-' || r == ';' || r == '\t' || r == '\n'
	})
}

// writtenAt tries the longer forms first and says how many tokens it took.
func writtenAt(t []string, i int) (int, string) {
	for _, try := range [...]func([]string, int) (int, string){mailAt, dayAt, hourAt, figureAt} {
		if n, s := try(t, i); n > 0 {
			return n, s
		}
	}
	return 0, ""
}

// mailAt reads "<part> [dot <part>]… at <host> dot <top>". The name before "at"
// reaches back no further than i, so the caller scans from left to right.
func mailAt(t []string, i int) (int, string) {
	local, j := addressPart(t, i, "dot", "underscore", "dash", "plus")
	if local == "" || j >= len(t) || t[j] != "at" {
		return 0, ""
	}
	host, k := addressPart(t, j+1, "dot", "dash")
	if !strings.Contains(host, ".") {
		return 0, ""
	}
	return k - i, local + "@" + host
}

// addressPart joins words that signs connect, and letters or digits that were
// spelled one by one. It returns the index of the first token that is no part.
func addressPart(t []string, i int, signs ...string) (string, int) {
	s, open, spelling := "", true, false
	for ; i < len(t); i++ {
		w := t[i]
		if mark := signOf(w, signs); mark != "" {
			if open {
				return "", i
			}
			s, open = s+mark, true
			continue
		}
		if n, digits := digitsAt(t, i); n > 0 {
			s, open, spelling, i = s+digits, false, true, i+n-1
			continue
		}
		if w == "at" || !open && (!spelling || len(w) > 1) {
			break
		}
		s, open, spelling = s+w, false, len(w) == 1
	}
	return closed(s, open), i
}

func closed(s string, open bool) string {
	if open {
		return ""
	}
	return s
}

func signOf(w string, signs []string) string {
	for _, s := range signs {
		if s != w {
			continue
		}
		switch s {
		case "dot":
			return "."
		case "underscore":
			return "_"
		case "dash":
			return "-"
		case "plus":
			return "+"
		}
	}
	return ""
}

// dayAt reads "february fifteenth [twenty twenty six]" and "the fifteenth of
// february".
//
//nolint:gocognit // one table of cases
func dayAt(t []string, i int) (int, string) {
	m, j := monthNamed(t[i]), i+1
	day, n := 0, 0
	switch {
	case m > 0 && len(t[i]) > 2 && t[i] == strings.ToLower(months[m-1]):
		if j < len(t) && t[j] == "the" {
			j++
		}
		if day, n = dayNumber(t, j); n == 0 {
			return 0, ""
		}
		j += n
	default:
		if t[i] == "the" {
			i++
		}
		day, n = dayNumber(t, i)
		j = i + n
		if n == 0 || j >= len(t) || !isOrdinal(t[j-1]) {
			return 0, ""
		}
		if t[j] == "of" {
			j++
		}
		if j >= len(t) || monthNamed(t[j]) == 0 {
			return 0, ""
		}
		m, j = monthNamed(t[j]), j+1
		if j > 1 && i > 0 && t[i-1] == "the" {
			i--
		}
	}
	if y, k := yearAt(t, j); k > 0 {
		return j + k - i, pad(y, 4) + "-" + pad(m, 2) + "-" + pad(day, 2)
	}
	return j - i, months[m-1] + " " + strconv.Itoa(day)
}

// dayNumber reads 1 to 31, as an ordinal or a plain number.
func dayNumber(t []string, i int) (day, n int) {
	if i >= len(t) {
		return 0, 0
	}
	if i+1 < len(t) {
		if a, b := value(t[i], tens[:]), rankValue(t[i+1]); (a == 2 || a == 3) && b > 0 && b < 10 && a*10+b <= 31 {
			return a*10 + b, 2
		}
		if a, b := value(t[i], tens[:]), value(t[i+1], small[:]); (a == 2 || a == 3) && b > 0 && b < 10 && a*10+b <= 31 {
			return a*10 + b, 2
		}
	}
	if d := rankValue(t[i]); d > 0 && d <= 31 {
		return d, 1
	}
	if d := value(t[i], small[:]); d > 0 {
		return d, 1
	}
	if d := value(t[i], tens[:]) * 10; d == 20 || d == 30 {
		return d, 1
	}
	return 0, 0
}

func isOrdinal(w string) bool { return rankValue(w) > 0 }

// rankValue is 15 for "fifteenth", 0 for what is no rank up to thirty.
func rankValue(w string) int {
	for n := uint64(1); n <= 30; n++ {
		if n <= 20 || n == 30 {
			if ordinal(n) == w {
				return int(n)
			}
		}
	}
	return 0
}

// yearAt reads "twenty twenty six", "nineteen eighty four" and "two thousand
// five".
func yearAt(t []string, i int) (y, n int) {
	if i+2 < len(t) && t[i] == "two" && t[i+1] == "thousand" {
		if d, k := below100(t, i+2); k > 0 {
			return 2000 + d, 2 + k
		}
	}
	high, n := below100(t, i)
	if n == 0 || high != 19 && high != 20 {
		return 0, 0
	}
	if i+n+1 < len(t) && (t[i+n] == "oh" || t[i+n] == "zero") {
		if d := value(t[i+n+1], small[:]); d > 0 && d < 10 {
			return high*100 + d, n + 2
		}
	}
	low, k := below100(t, i+n)
	if k == 0 || low < 10 {
		return 0, 0
	}
	return high*100 + low, n + k
}

// hourAt reads "two thirty p m", "two p m" and "half past two"; only with the
// half of the day is it a time for certain.
func hourAt(t []string, i int) (int, string) {
	h, n := below100(t, i)
	if n == 0 || h < 1 || h > 12 {
		return 0, ""
	}
	j, minute := i+n, 0
	if j < len(t) && t[j] == "oh" && j+1 < len(t) {
		j++
	}
	if m, k := below100(t, j); k > 0 && m < 60 {
		minute, j = m, j+k
	}
	late := false
	switch {
	case j+1 < len(t) && (t[j] == "p" || t[j] == "a") && t[j+1] == "m":
		late, j = t[j] == "p", j+2
	case j < len(t) && (t[j] == "p.m." || t[j] == "pm" || t[j] == "a.m." || t[j] == "am"):
		late, j = t[j][0] == 'p', j+1
	default:
		return 0, ""
	}
	h %= 12
	if late {
		h += 12
	}
	return j - i, pad(h, 2) + ":" + pad(minute, 2)
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	for len(s) < width {
		s = "0" + s
	}
	return s
}
