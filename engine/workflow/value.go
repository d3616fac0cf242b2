package workflow

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

type kind uint8

const (
	isMissing kind = iota // also null
	isText
	isNumber
	isBool
	isList
	isTime
	isObject // equals nothing
)

// value is what an operand means. Not every field counts for every kind.
type value struct {
	kind   kind
	text   string // isText; isNumber: as written
	number float64
	yes    bool
	items  []value
	time   time.Time
	loose  bool // a text that may stand for a number, a bool or a list
}

// given is a text that is missing when it is empty.
func given(s string) value {
	if s == "" {
		return value{}
	}
	return value{kind: isText, text: s}
}

func loose(s string) value {
	if s == "" {
		return value{}
	}
	return value{kind: isText, text: s, loose: true}
}

func whole(n int) value {
	return value{kind: isNumber, number: float64(n), text: strconv.Itoa(n)}
}

// maxList bounds how much of a list a comparison looks at.
const maxList = 10_000

// dig walks JSON: keys of objects, numbers of places in lists.
func dig(raw json.RawMessage, keys []string) value {
	for _, k := range keys {
		raw = bytes.TrimSpace(raw)
		switch {
		case len(raw) > 0 && raw[0] == '{':
			var m map[string]json.RawMessage
			if json.Unmarshal(raw, &m) != nil {
				return value{}
			}
			raw = m[k]
		case len(raw) > 0 && raw[0] == '[':
			var l []json.RawMessage
			i, err := strconv.Atoi(k)
			if err != nil || json.Unmarshal(raw, &l) != nil || i < 0 || i >= len(l) {
				return value{}
			}
			raw = l[i]
		default:
			return value{}
		}
	}
	return fromJSON(raw, true)
}

// fromJSON reads one value; what stands inside lists inside lists counts as
// objects do, which nothing is compared with.
func fromJSON(raw json.RawMessage, outer bool) value {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || !json.Valid(raw) {
		return value{}
	}
	switch raw[0] {
	case 'n':
		return value{}
	case 't', 'f':
		return value{kind: isBool, yes: raw[0] == 't'}
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return value{}
		}
		return value{kind: isText, text: s}
	case '[':
		var l []json.RawMessage
		if !outer || json.Unmarshal(raw, &l) != nil {
			return value{kind: isObject}
		}
		out := value{kind: isList}
		for _, item := range l[:min(len(l), maxList)] {
			out.items = append(out.items, fromJSON(item, false))
		}
		return out
	case '{':
		return value{kind: isObject}
	}
	return numeral(string(raw))
}

// numeral reads a decimal number; one too large for float64 is no number.
func numeral(s string) value {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return value{}
	}
	return value{kind: isNumber, number: f, text: s}
}

func (v value) isSet() bool {
	return v.kind != isMissing && (v.kind != isText || v.text != "")
}

func (v value) truth() (yes, ok bool) {
	if v.loose && (v.text == "true" || v.text == "false") {
		return v.text == "true", true
	}
	return v.yes, v.kind == isBool
}

// asNumber reads a number, also one in a loose text, where it must be written
// as numbers are: no sign +, no leading zero, or "007" typed on a telephone
// would be 7.
func (v value) asNumber() (value, bool) {
	if v.kind == isNumber {
		return v, true
	}
	digits := strings.TrimPrefix(v.text, "-")
	if !v.loose || digits == "" || len(digits) > 1 && digits[0] == '0' && digits[1] != '.' || strings.Trim(digits, "0123456789.") != "" {
		return value{}, false
	}
	n := numeral(v.text)
	return n, n.kind == isNumber
}

func (v value) asList() ([]value, bool) {
	if v.loose && strings.HasPrefix(v.text, "[") {
		v = fromJSON(json.RawMessage(v.text), true)
	}
	return v.items, v.kind == isList
}

// asTime reads a date or a moment in zone; day says that it has no clock.
func (v value) asTime(zone *time.Location) (t time.Time, day, ok bool) {
	if v.kind == isTime {
		return v.time, false, true
	}
	if v.kind != isText {
		return time.Time{}, false, false
	}
	for _, form := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(form, v.text, zone); err == nil {
			return t, form == "2006-01-02", true
		}
	}
	return time.Time{}, false, false
}

// compared says whether an operator holds between two values. A missing value
// or a pair of types that do not go together: false, for != as well.
func compared(op string, a, b value, now time.Time) bool {
	if a.kind == isMissing || b.kind == isMissing {
		return false
	}
	switch op {
	case "==":
		same, ok := equal(a, b, now)
		return ok && same
	case "!=":
		same, ok := equal(a, b, now)
		return ok && !same
	case "in":
		return contains(b, a, now)
	case "contains":
		return contains(a, b, now)
	}
	c, ok := order(a, b, now)
	if !ok {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	}
	return false
}

func equal(a, b value, now time.Time) (same, ok bool) {
	if a.kind == isText && b.kind == isText {
		return a.text == b.text, true
	}
	if p, ok := a.truth(); ok {
		q, ok := b.truth()
		return p == q, ok
	}
	if p, ok := a.asList(); ok {
		q, ok := b.asList()
		return slices.EqualFunc(p, q, func(x, y value) bool {
			same, ok := equal(x, y, now)
			return ok && same
		}), ok
	}
	c, ok := order(a, b, now)
	return c == 0, ok
}

// order compares numbers, and dates with dates or now. A date without a clock
// is a whole day.
func order(a, b value, now time.Time) (int, bool) {
	if p, ok := a.asNumber(); ok {
		if q, ok := b.asNumber(); ok {
			return ordered(p, q), true
		}
		return 0, false
	}
	p, dayA, okA := a.asTime(now.Location())
	q, dayB, okB := b.asTime(now.Location())
	if !okA || !okB {
		return 0, false
	}
	if dayA || dayB {
		p, q = midnight(p, now.Location()), midnight(q, now.Location())
	}
	return p.Compare(q), true
}

func midnight(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// ordered compares numbers. Whole numbers beyond what float64 tells apart, such
// as those of accounts, are compared digit by digit.
func ordered(a, b value) int {
	switch {
	case a.number < b.number:
		return -1
	case a.number > b.number:
		return 1
	}
	if a.text == b.text || strings.Trim(a.text+b.text, "0123456789-") != "" {
		return 0
	}
	sign := 1
	if strings.HasPrefix(a.text, "-") {
		sign = -1
	}
	if d := len(a.text) - len(b.text); d != 0 {
		return sign * d
	}
	return sign * strings.Compare(a.text, b.text)
}

// contains reports whether a list has an item, or a text a part.
func contains(whole, part value, now time.Time) bool {
	if items, ok := whole.asList(); ok {
		return slices.ContainsFunc(items, func(i value) bool {
			same, ok := equal(i, part, now)
			return ok && same
		})
	}
	if n, ok := part.asNumber(); ok && whole.loose { // digits contains 5
		return strings.Contains(whole.text, n.text)
	}
	return whole.kind == isText && part.kind == isText && strings.Contains(whole.text, part.text)
}
