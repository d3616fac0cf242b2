package spoken

import "strings"

//nolint:gochecknoglobals // a table that nobody changes
var months = [...]string{
	"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December",
}

// monthNamed finds the month that word names, in full or by its usual three or
// four letters, and returns 1 to 12, or 0.
func monthNamed(word string) int {
	w := strings.ToLower(strings.TrimSuffix(word, "."))
	if len(w) < 3 {
		return 0
	}
	for i, m := range months {
		m = strings.ToLower(m)
		if w == m || w == m[:3] || w == "sept" && i == 8 {
			return i + 1
		}
	}
	return 0
}

// date says a day of a year, "February fifteenth, twenty twenty six"; y 0
// leaves the year out. ok is false when there is no such day.
func date(y, m, d uint64) (words string, ok bool) {
	if m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return "", false
	}
	words = months[m-1] + " " + ordinal(d)
	if y > 0 {
		words += ", " + year(y)
	}
	return words, true
}

func daysIn(y, m uint64) uint64 {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y == 0 || y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// clock says a time of day. half is "am", "pm" or "" for the 24-hour clock.
func clock(h, m uint64, half string) (words string, ok bool) {
	if m > 59 || h > 24 || half != "" && (h < 1 || h > 12) {
		return "", false
	}
	if half == "" {
		switch {
		case m == 0 && h == 12:
			return "noon", true
		case m == 0 && h%24 == 0:
			return "midnight", true
		}
		half = "am"
		if h >= 12 && h < 24 {
			half = "pm"
		}
		h = (h+11)%12 + 1
	}
	words = cardinal(h)
	switch {
	case m > 0 && m < 10:
		words += " oh " + cardinal(m)
	case m > 0:
		words += " " + cardinal(m)
	}
	return words + " " + half[:1] + " m", true
}
