package guard

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What stands for a hit that was taken out of a text, in brackets.
const (
	labelCard  = "card"
	labelIBAN  = "iban"
	labelID    = "id"
	labelEmail = "email"
	labelPhone = "phone"
	labelKey   = "key"
	labelLink  = "link"
)

// span is a hit: bytes start to end of a text, and what it is.
type span struct {
	start, end int
	label      string // what stands for it, in brackets; "" = "removed", and it may be shown to people
	weak       bool   // one figure in ten of its length looks so
	rest       bool   // everything from start on is dropped
}

// personal is a rule of kind PII.
type personal struct {
	labels []string // what it looks for
	others bool     // what is known of this customer, or to everybody, is no hit
}

func newPersonal(labels []string) personal {
	if len(labels) == 0 {
		labels = []string{labelCard, labelIBAN, labelID, labelEmail, labelPhone}
	}
	return personal{labels: labels}
}

func (p personal) find(v *view) []span {
	found := identifiers(v.text)
	if slices.Contains(p.labels, labelEmail) {
		found = append(found, emails(v.text)...)
	}
	if slices.Contains(p.labels, labelPhone) {
		found = append(found, phones(v.text)...)
	}
	return slices.DeleteFunc(found, func(s span) bool {
		return !slices.Contains(p.labels, s.label) || p.others && (s.weak || v.scene.known(v.text[s.start:s.end], s.label))
	})
}

func (personal) open(v *view) int { return openNumber(v.text) }

// identifiers finds cards, IBANs and national id numbers, each of which has a
// check digit or a shape that ordinary figures hardly have.
func identifiers(text string) []span {
	out := ibans(text)
	for _, d := range digitRuns(text, 9) {
		d.windows(func(value string, start, end int) bool {
			s := span{start: start, end: end}
			switch {
			case card(value):
				s.label = labelCard
			case nationalID(value) && (len(value) != 12 || end-start == 12): // those of twelve are written in one
				s.label = labelID
			case len(value) == 12 && aadhaar(value) && !strings.ContainsAny(text[start:end], "-./"):
				s.label, s.weak = labelID, true
			default:
				return false
			}
			out = append(out, s)
			return true
		})
		if g := d.groups(); g == "324" && ssn(string(d.value)) {
			out = append(out, span{start: d.at[0], end: d.to[len(d.to)-1], label: labelID})
		}
	}
	return append(out, lettered(text)...)
}

// card reports whether digits are a payment card's: an issuer's prefix and
// length (ISO/IEC 7812) and Luhn's check digit.
func card(d string) bool {
	n := len(d)
	if n < 13 || n > 19 || strings.Trim(d, d[:1]) == "" {
		return false
	}
	two, four := number(d[:2]), number(d[:4])
	ok := false
	switch {
	case d[0] == '4':
		ok = n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720, four >= 2200 && four <= 2204, two == 35:
		ok = n == 16
	case two == 34, two == 37:
		ok = n == 15
	case two == 30, two == 36, two == 38, two == 39:
		ok = n == 14
	case two == 50, two >= 56 && two <= 58, two == 60, two == 62, two == 63, two == 64, two == 65, two == 67:
		ok = n >= 16
	}
	return ok && luhn(d)
}

func number(d string) int {
	n := 0
	for i := range len(d) {
		n = n*10 + int(d[i]-'0')
	}
	return n
}

func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// nationalID knows numbers that are all digits and carry a check: Kazakhstan's
// IIN, Russia's INN of persons and SNILS, France's NIR, Germany's tax number.
func nationalID(d string) bool {
	switch len(d) {
	case 11:
		return snils(d) || steuerID(d)
	case 12:
		return iin(d) || inn(d)
	case 15:
		return (d[0] == '1' || d[0] == '2') && between(d[3:5], 1, 12) && 97-number(d[:13])%97 == number(d[13:])
	}
	return false
}

func between(d string, low, high int) bool { n := number(d); return n >= low && n <= high }

func weighted(d string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += int(d[i]-'0') * w
	}
	return sum
}

func iin(d string) bool {
	if !between(d[2:4], 1, 12) || !between(d[4:6], 1, 31) || !between(d[6:7], 1, 6) {
		return false
	}
	check := weighted(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) % 11
	if check == 10 {
		check = weighted(d, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2) % 11
	}
	return check == int(d[11]-'0')
}

func inn(d string) bool {
	return weighted(d, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[10]-'0') &&
		weighted(d, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[11]-'0') && strings.Trim(d, "0") != ""
}

func snils(d string) bool {
	sum := weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, 1)
	return number(d[:9]) > 1001998 && sum%101%100 == number(d[9:])
}

// steuerID is ISO 7064 MOD 11,10 with one digit of the first ten repeated.
func steuerID(d string) bool {
	var seen [10]int
	product := 10
	for i := range 10 {
		v := int(d[i] - '0')
		seen[v]++
		sum := (v + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	repeated := 0
	for _, n := range seen {
		switch {
		case n > 3:
			return false
		case n > 1:
			repeated++
		}
	}
	check := 11 - product
	return d[0] != '0' && repeated == 1 && check%10 == int(d[10]-'0')
}

// aadhaar is India's number: Verhoeff's check over the dihedral group of ten elements.
func aadhaar(d string) bool {
	if d[0] < '2' {
		return false
	}
	const steps = "1576283094" // the permutation that is applied once for each place
	c := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		for range i % 8 {
			v = int(steps[v] - '0')
		}
		c = dihedral(c, v)
	}
	return c == 0
}

func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-5-b+5)%5
	}
	return (a - b + 5) % 5
}

// ssn is a number of the United States' social security as it was ever issued.
func ssn(d string) bool {
	area := number(d[:3])
	return area > 0 && area != 666 && area < 900 && number(d[3:5]) > 0 && number(d[5:]) > 0
}

// lettered finds the id numbers that have letters: Spain's DNI and NIE, the
// United Kingdom's NINO, Italy's codice fiscale.
func lettered(text string) []span {
	var out []span
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && alnum(text[j]) {
			j++
		}
		if w := text[i:j]; len(w) == 9 || len(w) == 16 {
			if spanish(w) || shaped(w, "LLDDDDDDL") && strings.ContainsRune("ABCDabcd", rune(w[8])) || shaped(w, "LLLLLLDDLDDLDDDL") {
				out = append(out, span{start: i, end: j, label: labelID})
			}
		}
		i = j + 1
	}
	return out
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func shaped(w, shape string) bool {
	if len(w) != len(shape) {
		return false
	}
	for i := range len(w) {
		if isDigit := w[i] >= '0' && w[i] <= '9'; isDigit != (shape[i] == 'D') {
			return false
		}
	}
	return true
}

func spanish(w string) bool {
	if len(w) != 9 {
		return false
	}
	w = strings.ToUpper(w)
	if i := strings.IndexByte("XYZ", w[0]); i >= 0 {
		w = string(rune('0'+i)) + w[1:]
	}
	return shaped(w, "DDDDDDDDL") && "TRWAGMYFPDXBNJZSQVHLCKE"[number(w[:8])%23] == w[8]
}

// emails finds addresses.
func emails(text string) []span {
	var out []span
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '@')
		if i < 0 {
			return out
		}
		i += from
		from = i + 1
		start, end := i, i+1
		for start > 0 && (alnum(text[start-1]) || strings.IndexByte("._%+-'", text[start-1]) >= 0) {
			start--
		}
		for end < len(text) && (alnum(text[end]) || text[end] == '.' || text[end] == '-') {
			end++
		}
		end -= len(text[i:end]) - len(strings.TrimRight(text[i:end], ".-"))
		if dot := strings.LastIndexByte(text[i:max(i, end)], '.'); start < i && dot > 1 && end-i-dot > 2 {
			out = append(out, span{start: start, end: end, label: labelEmail})
		}
	}
}

// phones finds numbers with a country's code, and longer ones that begin with 0
// and are written in groups.
func phones(text string) []span {
	var out []span
	for _, d := range digitRuns(text, 8) {
		start, n := d.at[0], len(d.value)
		before, size := utf8.DecodeLastRuneInString(text[:start])
		groups := d.groups()
		switch {
		case n > 15 || unicode.IsLetter(before):
			continue
		case before == '+' || before == '＋':
			start -= size
		case d.value[0] == '0' && len(groups) > 1 && n >= 9 && groups != "224" && groups != "422":
		case before == '(' && d.value[0] == '0':
		default:
			continue
		}
		out = append(out, span{start: start, end: d.to[n-1], label: labelPhone})
	}
	return out
}

// openNumber is where a number or address begins that the end of text may still
// be growing: the last word, and the groups of digits before it.
func openNumber(text string) int {
	const most = 160 // of bytes of a card number with separators of three bytes each
	at := wordStart(text, len(text))
	lettersOnly := !strings.ContainsFunc(text[at:], unicode.IsDigit) && at < len(text)
	if lettersOnly && len(text)-at > 4 {
		return at
	}
	for back := at; back > 0 && len(text)-back < most; {
		end := back
		for end > 0 {
			r, n := utf8.DecodeLastRuneInString(text[:end])
			if !blank(r) {
				break
			}
			end -= n
		}
		if back-end > 6 { // more than two blanks of three bytes
			break
		}
		start := wordStart(text, end)
		switch word := text[start:end]; {
		case strings.ContainsFunc(word, unicode.IsDigit):
			at, lettersOnly = start, false
		case lettersOnly || len(word) > 4 || word == "":
			return at
		default:
			lettersOnly = true // a group of an IBAN may be letters only, hardly two
		}
		back = start
	}
	return at
}

// wordStart is the beginning of the word that ends at end. Scripts that write no
// blanks have words of one character here.
func wordStart(text string, end int) int {
	for end > 0 {
		r, n := utf8.DecodeLastRuneInString(text[:end])
		if blank(r) || r >= 0x2e80 && r < 0xff00 || r >= 0x0e00 && r < 0x0e80 {
			return end
		}
		end -= n
	}
	return end
}

func blank(r rune) bool { return unicode.IsSpace(r) }
