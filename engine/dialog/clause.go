package dialog

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is how strong an end of clause is.
type kind uint8

const (
	none kind = iota
	soft      // a comma: good enough for the first clause and for long ones
	hard      // the end of a sentence or line
)

// needs is how much of the next word a verdict depends on.
type needs uint8

const (
	nothingMore needs = iota
	oneLetter
	oneWord
)

// end is a verdict on one place, valid once what it needs is known.
type end struct {
	kind  kind
	needs needs
}

// inner is the kind of end a character makes within a token.
func inner(r rune) kind {
	switch r {
	case '—', '，', '、', '；', '：':
		return soft
	case '。', '！', '？':
		return hard
	}
	return none
}

func closes(r rune) bool { return strings.ContainsRune("\"')]}»”’*_`", r) }

// boundary judges the end of token, which stands between prev and next. fresh
// says that it begins a line. next may be known in part or not at all.
func boundary(prev, token, next string, fresh bool) end {
	core := strings.TrimRightFunc(token, closes)
	last, n := utf8.DecodeLastRuneInString(core)
	body := core[:len(core)-n]
	switch last {
	case '!', '?', '。', '！', '？':
		return end{kind: hard}
	case '…':
		return end{kind: soft}
	case '.':
		return fullStop(strings.TrimLeft(body, "\"'([{«“‘*_`"), next, fresh)
	case ',', ':', ';':
		return comma(body, next)
	case '，', '、', '；', '：':
		return end{kind: soft}
	case '—', '–', '-':
		return dash(prev, core, next, fresh)
	}
	return end{}
}

// fullStop judges a "." after body.
func fullStop(body, next string, fresh bool) end {
	word := strings.ToLower(body)
	switch {
	case strings.HasSuffix(body, "."):
		return end{kind: soft} // …
	case digits(body) && fresh:
		return end{} // 1. of a list
	case digits(body):
		// "3. March" goes on, "costs 5. The" does not.
		if month(next) || startsLower(next) || startsDigit(next) {
			return end{needs: oneWord}
		}
		return end{kind: hard, needs: oneWord}
	case title(word), utf8.RuneCountInString(body) == 1 && body != "I" && startsUpper(body):
		return end{} // the latter is an initial
	case beforeNumber(word):
		if startsDigit(next) {
			return end{needs: oneLetter}
		}
		return end{kind: hard, needs: oneLetter}
	case closing(word) || dotted(body):
		// "9 a.m. The branch" ends, "9 a.m. on Monday" and "9 a.m. CET" do not.
		if !startsUpper(next) || month(next) || weekday(next) || strings.ToUpper(next) == next {
			return end{needs: oneWord}
		}
		return end{kind: hard, needs: oneWord}
	}
	return end{kind: hard}
}

// comma judges "," ":" and ";" after body.
func comma(body, next string) end {
	word := strings.ToLower(strings.TrimSuffix(body, "."))
	switch {
	case word == "e.g" || word == "i.e":
		return end{}
	case endsDigit(body): // "March 3, 2026", "10, 20"
		if startsDigit(next) {
			return end{needs: oneLetter}
		}
		return end{kind: soft, needs: oneLetter}
	case month(body), weekday(body), word == "a.m", word == "p.m":
		if startsDigit(next) || month(next) || weekday(next) {
			return end{needs: oneWord}
		}
		return end{kind: soft, needs: oneWord}
	}
	return end{kind: soft}
}

// dash judges a dash that stands alone or ends a token.
func dash(prev, core, next string, fresh bool) end {
	alone := core == "—" || core == "–" || core == "-" || core == "--"
	switch {
	case !alone && !strings.HasSuffix(core, "—"):
		return end{} // a hyphen
	case alone && fresh:
		return end{} // of a list
	case endsDigit(prev) && startsDigit(next), endsDigit(strings.TrimSuffix(core, "—")) && startsDigit(next):
		return end{needs: oneLetter} // 10 – 20
	}
	return end{kind: soft, needs: oneLetter}
}

// apart reports whether a cut between two words tears nothing apart that is
// read as one.
func apart(a, b string) bool {
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	if hasDigit(a) || hasDigit(b) || strings.ContainsRune("([{\"“«", first) || unicode.IsSymbol(last) || unicode.IsSymbol(first) {
		return false
	}
	word := strings.ToLower(strings.TrimRight(a, "."))
	return !month(a) && !month(b) && !title(word) && !beforeNumber(word) && !strings.HasSuffix(a, ".") &&
		!slices.Contains([]string{"a", "an", "the", "of", "to", "in", "on", "at", "for", "your", "our", "my", "no", "not"}, word)
}

func conjunction(token string) bool {
	return slices.Contains([]string{
		"and", "or", "but", "because", "which", "so", "that", "while", "when", "if", "although", "though", "where",
		"whereas", "unless", "until", "since", "then", "who",
		"und", "oder", "aber", "weil", "dass", "wenn", "y", "o", "pero", "porque", "que", "et", "ou", "mais", "car",
		"e", "ma", "и", "или", "но", "а", "что", "если",
	}, strings.ToLower(token))
}

// title are abbreviations that never end a sentence.
func title(word string) bool {
	return slices.Contains([]string{
		"mr", "mrs", "ms", "mx", "dr", "prof", "st", "gen", "gov", "hon", "capt", "col", "lt", "sgt", "rev", "mt",
		"vs", "approx", "e.g", "i.e", "cf", "ca", "viz", "u.s", "u.k", "e.u", "z.b", "d.h", "bzw", "hr", "fr", "sra", "mme",
	}, word)
}

// beforeNumber are abbreviations that a number follows, and words otherwise.
func beforeNumber(word string) bool {
	return slices.Contains([]string{"no", "nos", "nr", "tel", "ext", "fig", "vol", "p", "pp", "min", "max", "art", "sec", "ch"}, word)
}

// closing are abbreviations that may end a sentence.
func closing(word string) bool {
	return slices.Contains([]string{"etc", "inc", "ltd", "co", "corp", "jr", "sr", "ave", "blvd", "rd", "dept", "est", "usw"}, word)
}

// dotted reports whether s is letters with dots between them: "a.m", "U.S.A".
func dotted(s string) bool {
	parts := strings.Split(s, ".")
	return len(parts) > 1 && !slices.ContainsFunc(parts, func(p string) bool {
		r, n := utf8.DecodeRuneInString(p)
		return n != len(p) || !unicode.IsLetter(r)
	})
}

func month(word string) bool {
	return slices.Contains([]string{
		"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
		"december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
		"januar", "februar", "märz", "mai", "juni", "juli", "oktober", "dezember",
	}, strings.ToLower(strings.Trim(word, ".,;:!?")))
}

func weekday(word string) bool {
	return slices.Contains([]string{
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "mon", "tue", "wed", "thu", "fri",
		"sat", "sun", "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag",
	}, strings.ToLower(strings.Trim(word, ".,;:!?")))
}

// signs may stand before the first digit of a number.
const signs = "$€£¥+-(\"'*_"

func digits(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsDigit(r) })
}

func hasDigit(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }

func startsDigit(s string) bool {
	s = strings.TrimLeft(s, signs)
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsDigit(r)
}

func endsDigit(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(strings.TrimRightFunc(s, closes))
	return unicode.IsDigit(r)
}

func startsUpper(s string) bool {
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, "\"'(“«*_"))
	return unicode.IsUpper(r)
}

func startsLower(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLower(r)
}
