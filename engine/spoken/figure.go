package spoken

import (
	"strconv"
	"strings"
)

// value is the index of w in table, 0 when it is not there.
func value(w string, table []string) int {
	for i, s := range table {
		if s == w {
			return i
		}
	}
	return 0
}

// digitOf is the digit w names, or -1. "oh" is a zero only next to digits.
func digitOf(w string) int {
	for d := range 10 {
		if small[d] == w {
			return d
		}
	}
	if len(w) == 1 && isDigit(w[0]) {
		return int(w[0] - '0')
	}
	return -1
}

// below100 reads a number under a hundred and how many tokens it takes.
func below100(t []string, i int) (n, taken int) {
	if i >= len(t) {
		return 0, 0
	}
	if ten := value(t[i], tens[:]); ten > 0 {
		if i+1 < len(t) {
			if d := digitOf(t[i+1]); d > 0 {
				return ten*10 + d, 2
			}
		}
		return ten * 10, 1
	}
	if t[i] == small[0] {
		return 0, 1
	}
	if n := value(t[i], small[:]); n > 0 {
		return n, 1
	}
	return 0, 0
}

// digitsAt reads one spoken group of digits: "four", "twenty seven", "double
// five", or "oh" beside a digit.
func digitsAt(t []string, i int) (int, string) {
	switch {
	case (t[i] == "oh" || t[i] == "o") && beside(t, i):
		return 1, "0"
	case (t[i] == "double" || t[i] == "triple") && i+1 < len(t) && digitOf(t[i+1]) >= 0:
		times := 2
		if t[i] == "triple" {
			times = 3
		}
		return 2, strings.Repeat(strconv.Itoa(digitOf(t[i+1])), times)
	}
	if d := digitOf(t[i]); d >= 0 {
		return 1, strconv.Itoa(d)
	}
	if onlyDigits(t[i]) == t[i] && t[i] != "" {
		return 1, t[i]
	}
	n, taken := below100(t, i)
	if taken == 0 {
		return 0, ""
	}
	return taken, strconv.Itoa(n)
}

func beside(t []string, i int) bool {
	return i > 0 && numeric(t[i-1]) || i+1 < len(t) && numeric(t[i+1])
}

func numeric(w string) bool {
	return digitOf(w) >= 0 || value(w, tens[:]) > 0 || value(w, small[:]) > 0 || w == "oh"
}

// figureAt writes the number that starts at i. A run of single digits is a
// code and joins; with hundred, thousand or million it is an amount.
func figureAt(t []string, i int) (int, string) {
	if n, taken, ok := amountAt(t, i); ok {
		return withFraction(t, i, taken, strconv.FormatUint(n, 10))
	}
	if t[i] == "double" || t[i] == "triple" || t[i] == "oh" {
		if n, _ := digitsAt(t, i); n > 0 && i+n < len(t) && numeric(t[i+n]) {
			return codeAt(t, i)
		}
		if n, s := digitsAt(t, i); n == 2 {
			return n, s
		}
		return 0, ""
	}
	n, taken := below100(t, i)
	if taken == 0 {
		return 0, ""
	}
	if j := i + taken; j < len(t) && (numeric(t[j]) || (t[j] == "double" || t[j] == "triple") && j+1 < len(t) && digitOf(t[j+1]) >= 0) {
		return codeAt(t, i)
	}
	return withFraction(t, i, taken, strconv.Itoa(n))
}

func codeAt(t []string, i int) (int, string) {
	var b strings.Builder
	j := i
	for j < len(t) {
		n, s := digitsAt(t, j)
		if n == 0 {
			break
		}
		b.WriteString(s)
		j += n
	}
	return j - i, b.String()
}

func withFraction(t []string, i, taken int, whole string) (int, string) {
	j := i + taken
	if j+1 >= len(t) || t[j] != "point" || digitOf(t[j+1]) < 0 {
		return taken, whole
	}
	whole += "."
	for j++; j < len(t) && digitOf(t[j]) >= 0; j++ {
		whole += strconv.Itoa(digitOf(t[j]))
	}
	return j - i, whole
}

// amountAt reads a number with at least one of hundred, thousand, million,
// billion in it; "a hundred" and "and" within are understood.
func amountAt(t []string, i int) (total uint64, taken int, ok bool) {
	j, group, seen := i, uint64(0), false
	var last uint64 = 1_000_000_000_000
	if t[i] == "a" && i+1 < len(t) && (t[i+1] == "hundred" || t[i+1] == "thousand" || t[i+1] == "million") {
		group, seen, j = 1, true, i+1
	}
	for j < len(t) {
		n, k := below100(t, j)
		switch {
		case k > 0 && (!seen || group%100 == 0):
			group, seen, j = group+uint64(n), true, j+k
		case t[j] == "hundred" && seen && group > 0 && group < 100:
			group, ok, j = group*100, true, j+1
		case scaleOf(t[j]) > 0 && seen && group > 0 && scaleOf(t[j]) < last:
			last = scaleOf(t[j])
			total, group, ok, j = total+group*last, 0, true, j+1
		case t[j] == "and" && ok && j+1 < len(t) && followsAnd(t, j+1):
			j++
		default:
			return total + group, j - i, ok && seen
		}
	}
	return total + group, j - i, ok && seen
}

func followsAnd(t []string, i int) bool {
	_, k := below100(t, i)
	return k > 0 && (i+k >= len(t) || t[i+k] != "cents")
}

func scaleOf(w string) uint64 {
	switch w {
	case "thousand":
		return 1_000
	case "million":
		return 1_000_000
	case "billion":
		return 1_000_000_000
	}
	return 0
}
