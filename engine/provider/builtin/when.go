package builtin

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"flametree/engine/knowledge/lexis"
)

var (
	isoDate   = regexp.MustCompile(`\b(\d{4})-(\d{1,2})-(\d{1,2})\b`)
	slashDate = regexp.MustCompile(`\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b`)
	clock     = regexp.MustCompile(`(?i)\b(\d{1,2})(?::(\d{2}))?\s*([ap])\.?\s?m\b|\b(\d{1,2}):(\d{2})\b`)
	today     = regexp.MustCompile(`(?i)\b(?:today|now|current date)\b[^\n]{0,20}?(\d{4}-\d{2}-\d{2})`)
)

// base is the day on which the conversation takes place, if a part says so.
// The model has no clock of its own.
func (t *turn) base() (time.Time, bool) {
	m := today.FindStringSubmatch(t.params)
	if m == nil {
		return time.Time{}, false
	}
	d, err := time.Parse(time.DateOnly, m[1])
	return d, err == nil
}

// date finds a whole date in a text. Day and month alone, and days counted from
// today, need a base.
func date(text string, base time.Time, based bool) (time.Time, bool) {
	if m := isoDate.FindStringSubmatch(text); m != nil {
		return day(m[1], m[2], m[3])
	}
	if m := slashDate.FindStringSubmatch(text); m != nil {
		if n, _ := strconv.Atoi(m[2]); n > 12 {
			return day(m[3], m[1], m[2])
		}
		return day(m[3], m[2], m[1])
	}
	words := lexis.Words(text)
	if d, ok := named(words, base, based); ok {
		return d, true
	}
	if based {
		return relative(words, base)
	}
	return time.Time{}, false
}

func day(y, m, d string) (time.Time, bool) {
	t, err := time.Parse("2006-1-2", y+"-"+m+"-"+d)
	return t, err == nil
}

func month(w string) int {
	if len(w) < 3 {
		return 0
	}
	for i, m := range []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"} {
		if w == m || (len(w) <= 4 && strings.HasPrefix(m, w)) {
			return i + 1
		}
	}
	return 0
}

// ordinal reads 15, 15th, fifteen, fifteenth and twenty-first.
func ordinal(words []lexis.Word, i int) (n, next int) {
	if i < 0 || i >= len(words) {
		return 0, i
	}
	w := words[i].Text
	if trimmed := strings.TrimRight(w, "stndrh"); lexis.HasDigit(w) && strings.Trim(trimmed, "0123456789") == "" {
		n, _ = strconv.Atoi(trimmed)
		return n, i + 1
	}
	if n, ok := small(w); ok {
		if n >= 20 && i+1 < len(words) {
			if u := unitOrdinal(words[i+1].Text); u > 0 {
				return n + u, i + 2
			}
			if u, ok := small(words[i+1].Text); ok && u > 0 && u < 10 {
				return n + u, i + 2
			}
		}
		return n, i + 1
	}
	return unitOrdinal(w), i + 1
}

func unitOrdinal(w string) int {
	for i, s := range []string{"first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"} {
		if w == s {
			return i + 1
		}
	}
	if w == "thirtieth" {
		return 30
	}
	return 0
}

// named finds a day with the name of its month.
func named(words []lexis.Word, base time.Time, based bool) (time.Time, bool) {
	for i, w := range words {
		m := month(w.Text)
		if m == 0 || m == 5 && w.Text == "may" && !besideNumber(words, i) {
			continue
		}
		d, next := before(words, i), i+1
		if d == 0 || d > 31 {
			d, next = ordinal(words, i+1)
		}
		if d == 0 || d > 31 {
			continue
		}
		y := year(words, next)
		switch {
		case y > 0:
		case based:
			y = base.Year()
			if t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC); t.Before(base) {
				y++
			}
		default:
			return time.Time{}, false
		}
		return day(strconv.Itoa(y), strconv.Itoa(m), strconv.Itoa(d))
	}
	return time.Time{}, false
}

func besideNumber(words []lexis.Word, i int) bool {
	n, _ := ordinal(words, i+1)
	return n > 0 || before(words, i) > 0
}

// before reads the day in front of a month: the fifteenth of March.
func before(words []lexis.Word, i int) int {
	j := i - 1
	if j >= 0 && words[j].Text == "of" {
		j--
	}
	if j > 0 {
		if n, next := ordinal(words, j-1); n > 20 && next == j+1 {
			return n
		}
	}
	n, _ := ordinal(words, j)
	return n
}

// year reads 2026, twenty twenty six and two thousand twenty six.
func year(words []lexis.Word, i int) int {
	if i >= len(words) {
		return 0
	}
	f, ok := number(words, i)
	if !ok {
		return 0
	}
	if f.value == 19 || f.value == 20 {
		if g, next := ordinal(words, f.to); g > 9 && g < 100 && next > 0 {
			return f.value*100 + g
		}
	}
	if f.value >= 1900 && f.value <= 2100 {
		return f.value
	}
	return 0
}

// relative reads tomorrow, next Monday, in two weeks.
func relative(words []lexis.Word, base time.Time) (time.Time, bool) {
	for i, w := range words {
		switch w.Text {
		case "today":
			return base, true
		case "tomorrow":
			if i >= 2 && words[i-1].Text == "after" {
				return base.AddDate(0, 0, 2), true
			}
			return base.AddDate(0, 0, 1), true
		case "yesterday":
			return base.AddDate(0, 0, -1), true
		case "in":
			if i+2 < len(words) {
				if f, ok := number(words, i+1); ok && f.value < 1000 && f.to < len(words) {
					if d, ok := shift(base, f.value, words[f.to].Text); ok {
						return d, true
					}
				}
			}
		}
		for d := time.Sunday; d <= time.Saturday; d++ {
			if w.Text == strings.ToLower(d.String()) {
				ahead := (int(d) - int(base.Weekday()) + 7) % 7
				if ahead == 0 {
					ahead = 7
				}
				return base.AddDate(0, 0, ahead), true
			}
		}
	}
	return time.Time{}, false
}

func shift(base time.Time, n int, unit string) (time.Time, bool) {
	switch strings.TrimSuffix(unit, "s") {
	case "day":
		return base.AddDate(0, 0, n), true
	case "week":
		return base.AddDate(0, 0, 7*n), true
	case "month":
		return base.AddDate(0, n, 0), true
	}
	return time.Time{}, false
}

// timeOfDay finds a time of day: 14:30, 3 pm, half past is not read.
func timeOfDay(text string) (string, bool) {
	m := clock.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	h, _ := strconv.Atoi(m[1] + m[4])
	minute, _ := strconv.Atoi(m[2] + m[5])
	switch strings.ToLower(m[3]) {
	case "p":
		if h < 12 {
			h += 12
		}
	case "a":
		h %= 12
	}
	if h > 23 || minute > 59 {
		return "", false
	}
	return fmt.Sprintf("%02d:%02d", h, minute), true
}
