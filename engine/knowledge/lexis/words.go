package lexis

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Word is one word of a text: how it is compared and where it stands.
type Word struct {
	Text       string // lower case, without an apostrophe's tail, digits without grouping commas
	Start, End int    // byte offsets in the text
}

// Words cuts text into words. Hyphens and slashes separate, except where one
// side has at most two letters: e-mail, check-in and wi-fi are one word.
func Words(text string) []Word {
	out := make([]Word, 0, len(text)/6+1)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			i += n
			continue
		}
		end := wordEnd(text, i)
		out = append(out, Word{Text: normal(text[i:end]), Start: i, End: end})
		i = end
	}
	return join(text, out)
}

// wordEnd finds the end of the word that starts at i. Apostrophes between
// letters and points or commas between digits belong to it.
func wordEnd(text string, i int) int {
	var before rune
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r):
		case r == '\'' || r == '’':
			if next, _ := utf8.DecodeRuneInString(text[i+n:]); !unicode.IsLetter(before) || !unicode.IsLetter(next) {
				return i
			}
		case r == '.' || r == ',':
			if next, _ := utf8.DecodeRuneInString(text[i+n:]); !unicode.IsDigit(before) || !unicode.IsDigit(next) {
				return i
			}
		default:
			return i
		}
		before = r
		i += n
	}
	return i
}

// normal writes a word as it is compared.
func normal(w string) string {
	w = fold(strings.ToLower(w))
	if letters(w) {
		return w
	}
	if i := strings.IndexAny(w, "'’"); i > 0 {
		tail := strings.TrimLeft(w[i:], "'’")
		switch tail {
		case "s", "re", "ll", "ve", "d", "m":
			w = w[:i]
		default:
			w = w[:i] + tail
		}
	}
	if !strings.ContainsRune(w, ',') {
		return w
	}
	parts := strings.Split(w, ",")
	for _, p := range parts[1:] {
		if whole, _, _ := strings.Cut(p, "."); len(whole) != 3 {
			return w
		}
	}
	return strings.Join(parts, "")
}

// fold writes café without its accent: people who type leave it out. Letters
// that are letters of their own in other languages keep their marks.
func fold(w string) string {
	if strings.IndexFunc(w, func(r rune) bool { return r > 127 }) < 0 {
		return w
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case 'é', 'è', 'ê', 'ë':
			return 'e'
		case 'á', 'à', 'â', 'ã':
			return 'a'
		case 'í', 'ì', 'î', 'ï':
			return 'i'
		case 'ó', 'ò', 'ô', 'õ':
			return 'o'
		case 'ú', 'ù', 'û':
			return 'u'
		case 'ç':
			return 'c'
		case 'ñ':
			return 'n'
		}
		return r
	}, w)
}

// join puts short hyphenated words together again.
func join(text string, words []Word) []Word {
	out := words[:0]
	for _, w := range words {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.End+1 == w.Start && text[last.End] == '-' && glued(last.Text, w.Text) {
				last.Text += w.Text
				last.End = w.End
				continue
			}
		}
		out = append(out, w)
	}
	return out
}

func glued(a, b string) bool {
	return letters(a) && letters(b) && (len(a) <= 2 || len(b) <= 2) && len(a)+len(b) >= 4
}

func letters(w string) bool {
	for i := range len(w) {
		if w[i] < 'a' || w[i] > 'z' {
			return false
		}
	}
	return w != ""
}

// HasDigit reports whether w contains a digit.
func HasDigit(w string) bool { return strings.IndexFunc(w, unicode.IsDigit) >= 0 }
