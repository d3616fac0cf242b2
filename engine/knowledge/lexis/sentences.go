package lexis

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Section is a stretch of text under one heading.
type Section struct {
	Heading   string // "" when the text begins without one
	Sentences []string
	Lines     []int // for each sentence, the number of its line in the text
}

// Sections cuts a text at its headings. A heading is a short line that does not
// end a sentence and has text below it. Lines are sentences of their own where
// the text is a list.
func Sections(text string) []Section {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	var out []Section
	cur := Section{}
	flush := func() {
		if cur.Heading != "" || len(cur.Sentences) > 0 {
			out = append(out, cur)
		}
	}
	for i, raw := range lines {
		line, marked := plain(raw)
		if line == "" {
			continue
		}
		if heading(line, marked, following(lines, i)) {
			flush()
			cur = Section{Heading: strings.TrimRight(line, ": ")}
			continue
		}
		for _, s := range Sentences(line) {
			cur.Sentences = append(cur.Sentences, s)
			cur.Lines = append(cur.Lines, i)
		}
	}
	flush()
	return out
}

// following is the next line that is not empty.
func following(lines []string, i int) string {
	for _, l := range lines[i+1:] {
		if l = strings.TrimSpace(l); l != "" {
			return l
		}
	}
	return ""
}

// plain takes markup off a line and says whether it was marked as a heading.
func plain(line string) (string, bool) {
	line = strings.TrimSpace(line)
	marked := strings.HasPrefix(line, "#")
	line = strings.TrimLeft(line, "#>*•–- \t")
	line = strings.NewReplacer("**", "", "__", "", "`", "").Replace(line)
	return strings.TrimSpace(line), marked
}

// heading reports whether a line names what follows it.
func heading(line string, marked bool, next string) bool {
	if marked {
		return true
	}
	last, _ := utf8.DecodeLastRuneInString(line)
	first, _ := utf8.DecodeRuneInString(line)
	if next == "" || strings.ContainsRune(".!?;,", last) || !(unicode.IsUpper(first) || unicode.IsDigit(first)) {
		return false
	}
	words := len(strings.Fields(line))
	if last == ':' {
		return words <= 8
	}
	if strings.Contains(line, ": ") || strings.HasPrefix(next, "-") && words > 6 {
		return false
	}
	end, _ := utf8.DecodeLastRuneInString(next)
	return words <= 7 && (strings.ContainsRune(".!?:;", end) || len(strings.Fields(next)) > words || strings.HasPrefix(next, "-"))
}

// Sentences cuts a paragraph into sentences. A point after an abbreviation, an
// initial or inside a number or an address does not end one.
func Sentences(text string) []string {
	var out []string
	start := 0
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		if r != '.' && r != '!' && r != '?' && r != '\n' && r != '…' {
			continue
		}
		for i < len(text) && strings.IndexByte(".!?)\"'", text[i]) >= 0 {
			i++
		}
		if r != '\n' && !ends(text[start:i], text[i:]) {
			continue
		}
		if s := strings.TrimSpace(text[start:i]); s != "" {
			out = append(out, s)
		}
		start = i
	}
	if s := strings.TrimSpace(text[start:]); s != "" {
		out = append(out, s)
	}
	return out
}

// ends reports whether a sentence ends between before and after.
func ends(before, after string) bool {
	if after == "" {
		return true
	}
	r, _ := utf8.DecodeRuneInString(after)
	if !unicode.IsSpace(r) {
		return false
	}
	next, _ := utf8.DecodeRuneInString(strings.TrimSpace(after))
	if strings.HasSuffix(before, ".") {
		if unicode.IsLower(next) {
			return false
		}
		return !abbreviation(before)
	}
	return true
}

func abbreviation(s string) bool {
	last := s[strings.LastIndexAny(s, " (\n")+1:]
	last = strings.ToLower(strings.TrimSuffix(last, "."))
	switch last {
	case "mr", "mrs", "ms", "dr", "prof", "st", "no", "nr", "approx", "incl", "excl", "e.g", "i.e", "vs", "tel", "ca", "max", "min":
		return true
	}
	return utf8.RuneCountInString(last) == 1 && unicode.IsLetter([]rune(last)[0]) && last != "i"
}
