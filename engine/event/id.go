package event

import (
	"fmt"
	"time"

	"flametree/engine/fault"
)

// crockford is the alphabet of a ULID's text form: no I, L, O or U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// idText is the length of a ULID's text form.
const idText = 26

// NewID makes an ID from a time and ten random bytes. It is a pure function:
// the caller draws the bytes. Times before 1970 count as 1970 and those after
// the year 10889 as the last millisecond that 48 bits can hold.
func NewID(at time.Time, chance [10]byte) ID {
	ms := min(max(at.UnixMilli(), 0), 1<<48-1)
	var id ID
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	copy(id[6:], chance[:])
	return id
}

// Time is when the ID was made, UTC, in milliseconds.
func (id ID) Time() time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// String writes the 26 characters of the ULID specification, Crockford's base
// 32 in upper case. Texts sort as their IDs do.
func (id ID) String() string {
	b, _ := id.MarshalText()
	return string(b)
}

// MarshalText implements encoding.TextMarshaler. It never fails.
func (id ID) MarshalText() ([]byte, error) {
	text := make([]byte, idText)
	// 26 characters hold 130 bits: the first holds the two that are too many.
	acc, bits := uint(0), 2
	n := 0
	for _, b := range id {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			text[n] = crockford[acc>>bits&31]
			n++
		}
	}
	return text, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// ParseID reads the text form. As Crockford asks, lower case is accepted, and
// I and L for 1 and O for 0. Anything else is fault.Invalid.
func ParseID(s string) (ID, error) {
	if len(s) != idText {
		return ID{}, fmt.Errorf("event id %q: %d characters, not %d: %w", s, len(s), idText, fault.Invalid)
	}
	if digit(s[0]) > 7 {
		return ID{}, fmt.Errorf("event id %q: the first character is over 7: %w", s, fault.Invalid)
	}
	var id ID
	acc, bits, n := uint(0), -2, 0
	for i := range len(s) {
		d := digit(s[i])
		if d > 31 {
			return ID{}, fmt.Errorf("event id %q: character %d: %w", s, i+1, fault.Invalid)
		}
		acc, bits = acc<<5|d, bits+5
		if bits >= 8 {
			bits -= 8
			id[n] = byte(acc >> bits)
			n++
		}
	}
	return id, nil
}

// digit is the value of one character, 32 and more when it is none.
func digit(c byte) uint {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch c {
	case 'I', 'L':
		return 1
	case 'O':
		return 0
	}
	for i := range len(crockford) {
		if crockford[i] == c {
			return uint(i)
		}
	}
	return 32
}
