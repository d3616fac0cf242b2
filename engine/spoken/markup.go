package spoken

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	codeFence   = regexp.MustCompile("```[a-zA-Z]*")
	imageOrLink = regexp.MustCompile(`!?\[([^\[\]]*)\]\(([^()\s]*)[^()]*\)`)
	htmlTag     = regexp.MustCompile(`</?[a-zA-Z][^<>]{0,200}>`)
	lineLead    = regexp.MustCompile(`(?m)^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•–][ \t]+|\|)`)
	tableRule   = regexp.MustCompile(`(?m)^[ \t|:-]*-{3,}[ \t|:-]*$`)
	lineEnd     = regexp.MustCompile(`([^\s.,;:!?])[ \t]*\n\s*`)
)

// plain takes markup and pictures away and keeps every word. A line break
// becomes a pause.
func plain(s string) string {
	s = strings.ToValidUTF8(s, " ")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = codeFence.ReplaceAllString(s, " ")
	s = imageOrLink.ReplaceAllString(s, "$1")
	s = htmlTag.ReplaceAllString(s, " ")
	s = tableRule.ReplaceAllString(s, "")
	s = lineLead.ReplaceAllString(s, "")
	s = lineEnd.ReplaceAllString(strings.TrimSpace(s), "$1, ")
	return strings.Map(speakable, s)
}

// speakable maps typographic marks to plain ones and drops what has no sound.
func speakable(r rune) rune {
	switch r {
	case '*', '_', '`', '~', '|', '^', '\\', '<', '>', '[', ']', '{', '}', '"', '“', '”', '„', '«', '»':
		return markupGap(r)
	case '’', '‘', 'ʼ', '´':
		return '\''
	case '–', '‑', '‐', '−':
		return '-'
	case '—':
		return ','
	case '…':
		return '.'
	case '\u00a0', '\u202f', '\u2009', '\t', '\n':
		return ' '
	case '©', '®', '™':
		return -1
	}
	switch {
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Cs, unicode.Co, unicode.So, unicode.Sk, unicode.Me, unicode.Variation_Selector) && r != '°':
		return -1 // marks that stand over a letter are part of it: half the vowels of Hindi
	case r >= 0x1F000 && r <= 0x1FAFF:
		return -1
	}
	return r
}

// markupGap keeps words apart that only markup divided.
func markupGap(r rune) rune {
	if r == '*' || r == '`' || r == '~' || r == '"' || r == '“' || r == '”' {
		return -1 // these hug a word, or stand inside one: 2*, *very*
	}
	if r == '_' {
		return '_' // part of an address; the tables below say "underscore" or drop it
	}
	return ' '
}

// foldDigits writes every decimal digit of Unicode in ASCII, so that the
// tables need know one kind. Numerals without such a digit become words.
func foldDigits(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case unicode.IsDigit(r):
			b.WriteByte('0' + digitValue(r))
		case unicode.IsNumber(r):
			b.WriteString(numeral(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// digitValue uses that each script's digits stand in tens, from zero.
func digitValue(r rune) byte {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10)
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10)
		}
	}
	return 0
}

// numeral says the few numerals people type; the others have no sound.
func numeral(r rune) string {
	switch r {
	case '½':
		return " one half "
	case '¼':
		return " one quarter "
	case '¾':
		return " three quarters "
	case '²':
		return " squared "
	case '³':
		return " cubed "
	}
	return " "
}
