package parse

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tabler writes the rows of a table as text. With a row of headings each row is
// a paragraph of lines "Column: value", so that a passage cut out of the middle
// still says what its figures are; without one the cells stand between bars.
type tabler struct {
	b      *builder
	header []string
	seen   int // rows before the header was found or given up
	none   bool
}

// lookFor is how many rows may stand above the headings.
const lookFor = 10

func (t *tabler) row(cells []string) error {
	filled := 0
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			filled++
		}
	}
	if filled == 0 {
		return nil
	}
	if t.header == nil && !t.none {
		t.seen++
		switch {
		case filled > 1 && heads(cells):
			t.header = append([]string(nil), cells...)
			return nil
		case filled > 1 || t.seen >= lookFor:
			t.none = true
		default:
			return t.b.para(strings.Join(cells, " "))
		}
	}
	if t.header == nil {
		return t.b.line(strings.Trim(joined(cells), " |"))
	}
	return t.b.para(t.labelled(cells))
}

func (t *tabler) labelled(cells []string) string {
	var s strings.Builder
	for i, c := range cells {
		if c = oneLine(c); c == "" {
			continue
		}
		if s.Len() > 0 {
			s.WriteByte('\n')
		}
		if i < len(t.header) && t.header[i] != "" {
			s.WriteString(oneLine(t.header[i]))
			s.WriteString(": ")
		}
		s.WriteString(c)
	}
	return s.String()
}

// heads reports whether a row names columns: short words that differ, none of
// them a figure or a sentence.
func heads(cells []string) bool {
	seen := map[string]bool{}
	for _, c := range cells {
		c = strings.TrimSpace(c)
		if c == "" {
			continue
		}
		letter := strings.ContainsFunc(c, unicode.IsLetter)
		if seen[c] || !letter || utf8.RuneCountInString(c) > 60 || strings.ContainsAny(c[len(c)-1:], "?.!") {
			return false
		}
		seen[c] = true
	}
	return true
}

// joined writes the cells of a row in one line.
func joined(cells []string) string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = oneLine(c)
	}
	return strings.Join(out, " | ")
}
