package catalog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Price is an amount in ten-thousandths of its currency's unit: four decimals
// are enough for every currency, and sums come out.
type Price int64

const (
	unit     = 10_000
	maxPrice = 1_000_000_000 * unit
)

// String writes the amount with a point and at least the decimals it has, two
// of them when it has any.
func (p Price) String() string {
	sign := ""
	if p < 0 {
		sign, p = "-", -p
	}
	whole, part := int64(p/unit), int64(p%unit)
	if part == 0 {
		return sign + strconv.FormatInt(whole, 10)
	}
	dec := strings.TrimRight(fmt.Sprintf("%04d", part), "0")
	if len(dec) == 1 {
		dec += "0"
	}
	return fmt.Sprintf("%s%d.%s", sign, whole, dec)
}

// MarshalJSON writes a number.
func (p Price) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON reads a number, or a string that ParsePrice reads.
func (p *Price) UnmarshalJSON(b []byte) error {
	text := string(b)
	if s, err := strconv.Unquote(text); err == nil {
		text = s
	} else if strings.ContainsAny(text, "eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		text = strconv.FormatFloat(f, 'f', -1, 64)
	}
	v, _, err := parsePrice(text, true)
	*p = v
	return err
}

// ParsePrice reads an amount as people write it: "1 990,50", "1,990.50",
// "12.50 EUR", "€12". code is the currency when a code or an unmistakable sign
// stands beside it. "1.990" may mean two amounts and is an error.
func ParsePrice(text string) (p Price, code string, err error) { return parsePrice(text, false) }

var errPrice = errors.New("is no amount such as 1990.50")

// parsePrice reads an amount; in JSON's plain writing a point always begins the
// decimals.
func parsePrice(text string, plain bool) (p Price, code string, err error) {
	var b strings.Builder
	var letters strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9' || r == '.' || r == ',':
			b.WriteRune(r)
		case r == '-' || r == '−':
			return 0, "", errors.New("must not be below 0")
		case unicode.IsSpace(r) || r == '\'' || r == '’' || r == '\u202f':
		case unicode.IsLetter(r) || unicode.Is(unicode.Sc, r):
			letters.WriteRune(r)
		default:
			return 0, "", errPrice
		}
	}
	code, ok := named(letters.String())
	if !ok {
		return 0, "", errPrice
	}
	whole, dec, err := split(strings.TrimRight(b.String(), "."), plain)
	if err != nil {
		return 0, "", err
	}
	if whole == "" || len(whole) > 12 || len(dec) > 4 {
		return 0, "", errPrice
	}
	v, err := strconv.ParseInt(whole+dec+strings.Repeat("0", 4-len(dec)), 10, 64)
	if err != nil {
		return 0, "", errPrice
	}
	return Price(v), code, nil
}

// named finds the currency that letters and signs beside an amount mean.
func named(s string) (code string, ok bool) {
	switch strings.ToUpper(s) {
	case "", "$", "KR", "¥": // of many countries
		return "", true
	case "€":
		return "EUR", true
	case "£":
		return "GBP", true
	case "₽", "РУБ", "Р":
		return "RUB", true
	case "₸":
		return "KZT", true
	case "₴":
		return "UAH", true
	case "₹":
		return "INR", true
	}
	if u := strings.ToUpper(s); currency.MatchString(u) {
		return u, true
	}
	return "", false
}

// split parts an amount at its decimal sign: the last of point and comma when
// both are there; one alone parts decimals unless three figures follow, as they
// do where thousands are grouped.
func split(s string, plain bool) (whole, dec string, err error) {
	at := strings.LastIndexAny(s, ".,")
	if at < 0 {
		return s, "", nil
	}
	sign := s[at : at+1]
	whole, dec = s[:at], s[at+1:]
	other := "."
	if sign == "." {
		other = ","
	}
	switch {
	case plain:
		return whole, dec, nil
	case strings.Count(s, sign) > 1: // 1.990.000
		if strings.Contains(s, other) || !grouped(strings.Split(s, sign)) {
			return "", "", errPrice
		}
		return strings.ReplaceAll(s, sign, ""), "", nil
	case strings.Contains(whole, other): // 1,990.50
		if !grouped(strings.Split(whole, other)) {
			return "", "", errPrice
		}
		return strings.ReplaceAll(whole, other, ""), dec, nil
	case len(dec) == 3 && sign == ",":
		return whole + dec, "", nil
	case len(dec) == 3 && whole != "0":
		return "", "", fmt.Errorf("may mean %s or %s%s: write it without a sign or with two decimals", whole+"."+dec, whole, dec)
	}
	return whole, dec, nil
}

// grouped reports whether figures stand in groups of three after the first.
func grouped(parts []string) bool {
	for i, p := range parts {
		if i > 0 && len(p) != 3 || i == 0 && (p == "" || len(p) > 3) {
			return false
		}
	}
	return true
}
