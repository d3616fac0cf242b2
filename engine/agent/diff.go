package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"flametree/engine/fault"
)

// Hunk is one stretch of changes between two revisions.
type Hunk struct {
	Line    int      // where it begins in the older file, from 1
	Section string   // the top-level key it begins in: "workflow", "" = before the first
	Lines   []string // "-" removed, "+" added, " " around them
}

// Diff says what changed from one revision to another; revision 0 is the empty
// file. Values of secret variables are not shown; where only they differ, the
// answer is one hunk that says so.
func (s *State) Diff(from, to uint64) ([]Hunk, error) {
	var texts [2]string
	for i, n := range []uint64{from, to} {
		if n == 0 {
			continue
		}
		f, err := s.revision("compare", n)
		if err != nil {
			return nil, err
		}
		if texts[i], _, err = Mask(f.File, true); err != nil {
			return nil, fmt.Errorf("compare revision %d: %w", n, err)
		}
	}
	a, _ := s.File(from)
	b, _ := s.File(to)
	if texts[0] == texts[1] && a != b {
		return []Hunk{{Line: 1, Section: "env", Lines: []string{"values of secret variables differ"}}}, nil
	}
	return hunks(texts[0], texts[1])
}

func hunks(before, after string) ([]Hunk, error) {
	d, err := udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), udiff.DefaultContextLines)
	if err != nil {
		return nil, fmt.Errorf("compare files: %w: %w", err, fault.Bug)
	}
	lines := strings.Split(before, "\n")
	var out []Hunk
	for _, h := range d.Hunks {
		hunk := Hunk{Line: max(1, h.FromLine)}
		changed := hunk.Line
		for i, l := range h.Lines {
			mark := " "
			switch l.Kind {
			case udiff.Delete:
				mark = "-"
			case udiff.Insert:
				mark = "+"
			case udiff.Equal:
				if changed == hunk.Line+i {
					changed++
				}
			}
			hunk.Lines = append(hunk.Lines, mark+strings.TrimSuffix(l.Content, "\n"))
		}
		hunk.Section = section(lines[:min(changed, len(lines))])
		out = append(out, hunk)
	}
	return out, nil
}

// section is the last top-level key of lines.
func section(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if key, ok := topKey(line); ok {
			return key
		}
	}
	return ""
}

// topKey reads a key at the very beginning of a line.
func topKey(line string) (string, bool) {
	key, _, ok := strings.Cut(line, ":")
	if !ok || key == "" || strings.ContainsAny(key[:1], " \t#-{[\"'") {
		return "", false
	}
	return key, true
}
