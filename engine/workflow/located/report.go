package located

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"flametree/engine/fault"
)

// maxNotes keeps a hopeless file from filling a screen.
const maxNotes = 100

// Note is something to say about one place of a file.
type Note struct {
	Line, Col int
	Text      string
}

// String writes "12:5: text".
func (n Note) String() string { return fmt.Sprintf("%d:%d: %s", n.Line, n.Col, n.Text) }

// Faults are all faults of one file, in the order of their lines. They are
// fault.Invalid.
type Faults struct {
	Name  string // what the file is called: "file", "workflow"
	Notes []Note
}

// Error writes one fault a line: "file 14:3: text".
func (f *Faults) Error() string {
	var b strings.Builder
	for i, n := range f.Notes {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.Name + " " + n.String())
	}
	return b.String()
}

// Unwrap says that the writer of the file must change it.
func (*Faults) Unwrap() error { return fault.Invalid }

// Report gathers what is wrong or strange in one file, so that all of it can be
// told at once. It belongs to one goroutine.
type Report struct {
	name             string
	faults, warnings []Note
}

// NewReport makes a Report on a file that messages shall call name.
func NewReport(name string) *Report { return &Report{name: name} }

// Fault notes what makes the file unusable.
func (r *Report) Fault(at Node, format string, args ...any) {
	r.faults = note(r.faults, at, format, args)
}

// Warn notes what is accepted though hardly meant.
func (r *Report) Warn(at Node, format string, args ...any) {
	r.warnings = note(r.warnings, at, format, args)
}

func note(to []Note, at Node, format string, args []any) []Note {
	if len(to) >= maxNotes {
		return to
	}
	n := Note{Line: max(1, at.Line), Col: max(1, at.Col), Text: fmt.Sprintf(format, args...)}
	if slices.Contains(to, n) {
		return to
	}
	return append(to, n)
}

// Warnings are the warnings so far, in the order of the file.
func (r *Report) Warnings() []Note { return sorted(r.warnings) }

// Err is a *Faults, or nil if there were none.
func (r *Report) Err() error {
	if len(r.faults) == 0 {
		return nil
	}
	return &Faults{Name: r.name, Notes: sorted(r.faults)}
}

func sorted(notes []Note) []Note {
	out := slices.Clone(notes)
	slices.SortStableFunc(out, func(a, b Note) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return out
}

// Key is one key of a map and what reads its value. Read is called for a
// present key only, also when its value is absent.
type Key struct {
	Name string
	Read func(Node)
}

// Map reads a map: each known key once, an unknown one is a warning with the
// nearest known key. what names the map in messages.
func (r *Report) Map(n Node, what string, keys ...Key) {
	switch n.Kind {
	case Absent:
		return
	case Map:
	case Text, List:
		r.Fault(n, "%s must be a mapping, this is %s", what, Describe(n))
		return
	}
	for _, p := range n.Pairs {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == p.Key.Text })
		if i >= 0 {
			keys[i].Read(p.Value)
			continue
		}
		names := make([]string, len(keys))
		for i, k := range keys {
			names[i] = k.Name
		}
		r.Warn(p.Key, "unknown key %q in %s is ignored%s", p.Key.Text, what, Suggest(p.Key.Text, names))
	}
}

// Each reads every item of a list with read.
func (r *Report) Each(what string, read func(Node)) func(Node) {
	return func(n Node) {
		switch n.Kind {
		case Absent:
		case List:
			for _, i := range n.Items {
				read(i)
			}
		case Text, Map:
			r.Fault(n, "%s must be a list, this is %s", what, Describe(n))
		}
	}
}

// String reads a text of at most limit characters, blanks around it removed.
func (r *Report) String(what string, limit int, to *string) func(Node) {
	return func(n Node) {
		switch n.Kind {
		case Absent:
		case Text:
			text := strings.TrimSpace(n.Text)
			if c := utf8.RuneCountInString(text); c > limit {
				r.Fault(n, "%s has %d characters; %d are allowed", what, c, limit)
				return
			}
			*to = text
		case List, Map:
			r.Fault(n, "%s must be a text, this is %s", what, n.Kind)
		}
	}
}

// Strings reads a list of texts; a single text is a list of one.
func (r *Report) Strings(what string, limit int, to *[]string) func(Node) {
	add := func(n Node) {
		var s string
		if r.String(what, limit, &s)(n); s != "" {
			*to = append(*to, s)
		}
	}
	return func(n Node) {
		if n.Kind == Text {
			add(n)
			return
		}
		r.Each(what, add)(n)
	}
}

// Bool reads true or false, however it is capitalised.
func (r *Report) Bool(what string, to *bool) func(Node) {
	return func(n Node) {
		if n.Kind == Absent {
			return
		}
		switch strings.ToLower(n.Text) {
		case "true", "yes", "on":
			*to = true
		case "false", "no", "off":
			*to = false
		default:
			r.Fault(n, "%s must be true or false, this is %s", what, Describe(n))
		}
	}
}

// Int reads a whole number between low and high.
func (r *Report) Int(what string, low, high int, to *int) func(Node) {
	return func(n Node) {
		if n.Kind == Absent {
			return
		}
		v, err := strconv.Atoi(n.Text)
		if n.Kind != Text || err != nil || v < low || v > high {
			r.Fault(n, "%s must be a whole number from %d to %d, this is %s", what, low, high, Describe(n))
			return
		}
		*to = v
	}
}

// Suggest writes `, did you mean "x"?` if one of known is near word, "" otherwise.
func Suggest(word string, known []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, least := "", 1+max(1, len(word)/3)
	for _, k := range known {
		a, b := strings.ToLower(word), strings.ToLower(k)
		d := distance(a, b)
		if len(a) > 3 && strings.HasPrefix(b, a) { // the end was left out
			d = min(d, 1)
		}
		if d < least || d == least && len(k) < len(best) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance is how many letters must be added, left out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
