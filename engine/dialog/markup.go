package dialog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainText is a clause without markup and with single blanks. start says that
// it begins a line.
func plainText(clause string, start bool) string {
	var b strings.Builder
	for i, line := range strings.Split(clause, "\n") {
		if start || i > 0 {
			line = lineText(line)
		}
		b.WriteString(inlineText(links(line)))
		b.WriteByte(' ')
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// lineText drops what stands before a line's words: headings, bullets, quotes,
// and the bars of tables.
func lineText(line string) string {
	line = strings.TrimSpace(line)
	if len(line) >= 3 && strings.Trim(line, "-*_=|: ") == "" {
		return "" // a rule
	}
	for strings.HasPrefix(line, ">") {
		line = strings.TrimSpace(line[1:])
	}
	if words := strings.TrimLeft(line, "#"); words != line && strings.HasPrefix(words, " ") {
		return words
	}
	if strings.HasPrefix(line, "|") {
		return strings.ReplaceAll(line, "|", " ")
	}
	for _, bullet := range []string{"- ", "* ", "+ ", "• "} {
		if words, ok := strings.CutPrefix(line, bullet); ok {
			return words
		}
	}
	return line
}

// links leaves the text of [text](address) and ![text](address).
func links(s string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(s, '[')
		if open < 0 {
			break
		}
		middle := strings.Index(s[open:], "](")
		if middle < 0 {
			break
		}
		middle += open
		closed := strings.IndexByte(s[middle:], ')')
		if inner := strings.LastIndexByte(s[:middle], '['); inner > open {
			b.WriteString(s[:inner])
			s = s[inner:]
			continue
		}
		if closed < 0 || strings.ContainsAny(s[middle:middle+closed], " \t") {
			b.WriteString(s[:middle+1])
			s = s[middle+1:]
			continue
		}
		b.WriteString(strings.TrimSuffix(s[:open], "!"))
		b.WriteString(s[open+1 : middle])
		s = s[middle+closed+1:]
	}
	b.WriteString(s)
	return b.String()
}

// inlineText drops the marks of emphasis and code. A star between figures or
// blanks and an underscore within a name are no marks.
func inlineText(s string) string {
	var b strings.Builder
	before := ' '
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		run := n
		if strings.ContainsRune("*_`~", r) {
			for i+run < len(s) && s[i+run] == s[i] {
				run++
			}
			after := ' '
			if i+run < len(s) {
				after, _ = utf8.DecodeRuneInString(s[i+run:])
			}
			if mark(r, run, before, after) {
				i += run
				continue
			}
		}
		b.WriteString(s[i : i+run])
		before, _ = utf8.DecodeLastRuneInString(s[i : i+run])
		i += run
	}
	return b.String()
}

func mark(r rune, run int, before, after rune) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	switch r {
	case '`':
		return true
	case '~':
		return run == 2
	}
	return !(word(before) && word(after)) && !(unicode.IsSpace(before) && unicode.IsSpace(after))
}
