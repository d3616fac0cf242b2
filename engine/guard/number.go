package guard

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// digits is a run of digits with what may stand between them.
type digits struct {
	value []byte // '0'..'9', whatever script they were written in
	at    []int  // where each stands
	to    []int  // where each ends
	gap   []bool // a separator stands before the digit
}

// maxDigits bounds a run: a longer one is cut, and is no number anyway.
const maxDigits = 64

// digitRuns finds runs of at least least digits. At most two separators (blank,
// hyphen, point, slash, invisible characters) stand between two digits.
func digitRuns(text string, least int) []digits {
	var out []digits
	for i := 0; i < len(text); {
		if text[i] < '0' || text[i] > '9' && text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if _, ok := digit(r); !ok {
			i += n
			continue
		}
		d, end := digitRun(text, i)
		if len(d.value) >= least {
			out = append(out, d)
		}
		i = end
	}
	return out
}

func digitRun(text string, i int) (d digits, end int) {
	end = i
	for between := 0; i < len(text) && between <= 2 && len(d.value) < maxDigits; {
		r, n := utf8.DecodeRuneInString(text[i:])
		if v, ok := digit(r); ok {
			d.value, d.gap = append(d.value, v), append(d.gap, between > 0)
			d.at, d.to = append(d.at, i), append(d.to, i+n)
			i += n
			end, between = i, 0
			continue
		}
		if !separates(r) {
			break
		}
		between++
		i += n
	}
	return d, end
}

func separates(r rune) bool {
	switch r {
	case ' ', '-', '.', '/', '\u00a0', '\u202f', '\u2009', '\u2010', '\u2011', '\u2013':
		return true
	}
	return r > utf8.RuneSelf && unicode.Is(unicode.Cf, r)
}

// digit reads a decimal digit of the scripts in which customers write numbers.
func digit(r rune) (byte, bool) {
	for _, zero := range [...]rune{'0', 0x0660, 0x06f0, 0x0966, 0xff10} {
		if r >= zero && r <= zero+9 {
			return '0' + byte(r-zero), true
		}
	}
	return 0, false
}

// windows calls see with every part of d that begins and ends where a group of
// digits does: "ref 12 4111 …" holds a card number that is not the whole run.
func (d digits) windows(see func(value string, start, end int) bool) {
	n := len(d.value)
	for i := 0; i < n; i++ {
		if i > 0 && !d.gap[i] {
			continue
		}
		for j := n; j > i; j-- {
			if j < n && !d.gap[j] {
				continue
			}
			if see(string(d.value[i:j]), d.at[i], d.to[j-1]) {
				i = j - 1
				break
			}
		}
	}
}

// groups are the lengths of the groups of digits: 3-2-4.
func (d digits) groups() string {
	var b strings.Builder
	n := 0
	for i := range d.value {
		if d.gap[i] {
			b.WriteByte(byte('0' + min(n, 9)))
			n = 0
		}
		n++
	}
	b.WriteByte(byte('0' + min(n, 9)))
	return b.String()
}
