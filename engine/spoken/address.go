package spoken

import (
	"regexp"
	"strings"
)

var (
	mailForm = regexp.MustCompile(`^(?:mailto:)?([A-Za-z0-9][A-Za-z0-9._%+-]*)@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)`)
	linkForm = regexp.MustCompile(`^(?:https?://|www\.)[^\s,;!()'"]+`)
	hostForm = regexp.MustCompile(`^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:com|org|net|io|eu|de|uk|fr|kz|info|gov|edu|app|dev|ai|me|tv)(?:/[^\s,;!()'"]*)?`)
)

// address reads e-mail addresses and links: "john dot smith at example dot com".
func address(_, s string) (int, string) {
	if m := mailForm.FindString(s); m != "" {
		return len(m), spell(strings.TrimPrefix(m, "mailto:"))
	}
	m := linkForm.FindString(s)
	if m == "" {
		m = hostForm.FindString(s)
		if m == "" || len(s) > len(m) && (isLetter(s[len(m)]) || isDigit(s[len(m)])) {
			return 0, ""
		}
	}
	m = strings.TrimRight(m, ".:/?")
	_, host, ok := strings.Cut(m, "://")
	if !ok {
		host = m
	}
	if host == "" {
		return 0, ""
	}
	host, _, _ = strings.Cut(host, "?") // nobody listens to a query
	return len(m), spell(strings.TrimPrefix(host, "www."))
}

// spell says the signs of an address and reads its digits one by one.
func spell(s string) string {
	var b strings.Builder
	say := func(w string) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	for s != "" {
		n := 1
		switch c := s[0]; {
		case isLetter(c):
			n = letters(s)
			say(s[:n])
		case isDigit(c):
			say(small[c-'0'])
		case c == '@':
			say("at")
		case c == '.':
			say("dot")
		case c == '-':
			say("dash")
		case c == '_':
			say("underscore")
		case c == '+':
			say("plus")
		case c == '/':
			say("slash")
		}
		s = s[n:]
	}
	return b.String()
}
