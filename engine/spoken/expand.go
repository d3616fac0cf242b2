package spoken

import (
	"strings"
	"unicode/utf8"
)

// A rule reads one written form at the start of s and says how many bytes it
// took and how they are spoken. prev is the word before, in lower case.
type rule func(prev, s string) (n int, words string)

// rules in the order in which they are tried: the longer form first.
func rules() []rule {
	return []rule{
		address, money, moneyAfter, timestamp, isoDate, numericDate, monthDate, dayMonth,
		clockRange, clockTime, telephone, cardNumber, aroundTheClock, span, percentage,
		rank, decade, code, measure, fraction, yearNumber, number, symbol,
	}
}

// expand walks over s word by word. A form is only looked for where a word
// begins, so that letters inside words are never touched.
func expand(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/2)
	all, prev := rules(), ""
	for len(s) > 0 {
		if s[0] == ' ' {
			b.WriteByte(' ')
			s = s[1:]
			continue
		}
		if n, words := firstOf(all, prev, window(s)); n > 0 {
			b.WriteByte(' ')
			b.WriteString(words)
			if n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
				b.WriteByte(' ')
			}
			prev, s = lastWord(words), s[n:]
			continue
		}
		n := wordLength(s)
		if abbr, ok := abbreviation(s[:n], s[n:]); ok {
			b.WriteString(abbr)
		} else {
			b.WriteString(s[:n])
		}
		if w := strings.ToLower(strings.Trim(s[:n], ".,;:!?()")); w != "" {
			prev = w
		}
		s = s[n:]
	}
	return b.String()
}

// longestForm bounds what a rule looks at, so that the work stays linear.
const longestForm = 256

func window(s string) string {
	if len(s) <= longestForm {
		return s
	}
	n := longestForm
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func firstOf(all []rule, prev, s string) (int, string) {
	if !startsForm(s) {
		return 0, ""
	}
	for _, r := range all {
		if n, words := r(prev, s); n > 0 {
			return n, words
		}
	}
	return 0, ""
}

// startsForm rules out at once the plain words, nearly everything. A form
// starts with a digit or a sign; of letters only addresses and month names do.
func startsForm(s string) bool {
	c := s[0]
	if !isLetter(c) || c >= 0x80 {
		return !strings.ContainsRune(",.;:!?()'", rune(c)) || len(s) > 1 && (isDigit(s[1]) || c == '(')
	}
	end := strings.IndexByte(s, ' ')
	if end < 0 {
		end = len(s)
	}
	return strings.ContainsAny(s[:end], "@./") || monthNamed(s[:min(letters(s), end)]) > 0 || currencyNamed(s[:min(letters(s), end)]) != nil
}

// wordLength is the length of the word at the start of s: up to a space, or to
// the first digit or sign that a rule must see.
func wordLength(s string) int {
	for i, r := range s {
		if i == 0 {
			continue
		}
		if r == ' ' || r >= '0' && r <= '9' || strings.ContainsRune("$€£¥@#&+=%°/_(", r) {
			return i
		}
	}
	_, size := utf8.DecodeRuneInString(s)
	return max(size, len(s))
}

func letters(s string) int {
	for i := range len(s) {
		if !isLetter(s[i]) {
			return i
		}
	}
	return len(s)
}

func lastWord(s string) string {
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		s = s[i+1:]
	}
	return strings.ToLower(s)
}

// abbreviation says what a shortened word stands for. rest is what follows it.
//
//nolint:funlen // a table
func abbreviation(word, rest string) (string, bool) {
	if len(word) > 12 {
		return "", false
	}
	full, bare := "", strings.TrimRight(word, ",;:!?")
	tail := word[len(bare):]
	switch strings.ToLower(bare) {
	case "e.g.", "e.g":
		full = "for example"
	case "i.e.", "i.e":
		full = "that is"
	case "etc.":
		full = "et cetera"
	case "vs.", "vs":
		full = "versus"
	case "approx.":
		full = "approximately"
	case "incl.":
		full = "including"
	case "max.":
		full = "maximum"
	case "min.":
		full = "minimum"
	case "dept.":
		full = "department"
	case "mr.":
		full = "mister"
	case "mrs.":
		full = "missus"
	case "ms.":
		full = "miss"
	case "dr.":
		full = "doctor"
	case "a.m.", "am.":
		full = "a m"
	case "p.m.", "pm.":
		full = "p m"
	case "no.", "nr.":
		if !leadsDigit(rest) {
			return "", false
		}
		full = "number"
	default:
		return "", false
	}
	return full + tail, true
}

func leadsDigit(s string) bool {
	s = strings.TrimLeft(s, " ")
	return s != "" && isDigit(s[0])
}

// symbol says a sign that stands alone or between words, and drops the rest.
func symbol(_, s string) (int, string) {
	switch s[0] {
	case '&':
		return 1, "and"
	case '@':
		return 1, "at"
	case '+':
		return 1, "plus"
	case '=':
		return 1, "equals"
	case '%':
		return 1, "percent"
	case '#':
		if len(s) > 1 && isDigit(s[1]) {
			return 1, "number"
		}
		return 1, ""
	case '/', '_':
		return 1, ""
	}
	if strings.HasPrefix(s, "°") {
		return len("°"), "degrees"
	}
	for _, c := range currencies() {
		if strings.HasPrefix(s, c.sign) && c.sign != "" {
			return len(c.sign), c.many
		}
	}
	return 0, ""
}
