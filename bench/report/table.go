package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table writes the report for people at a terminal.
func (r Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) }
	line(r.Title())
	line(r.Machine.String())
	line("")
	for _, row := range rows("", r.Metrics) {
		line("  "+row.name, row.value)
	}
	if len(r.Gates) > 0 {
		line("")
		for _, g := range r.Gates {
			line("  "+g.Name, g.Measured(), "wanted "+g.Wanted(), verdict(g.Met(), "met", "NOT MET"), g.Last)
		}
	}
	if len(r.Checks) > 0 {
		line("")
		for _, c := range r.Checks {
			line("  "+c.Name, number(c.Left), "against "+number(c.Right), verdict(c.Holds(), "comes out", "DOES NOT COME OUT"))
		}
	}
	for _, n := range r.Notes {
		line("")
		line("  " + n)
	}
	return t.Flush()
}

// Title is the bench with its parameters in one line.
func (r Report) Title() string {
	parts := []string{r.Name}
	for _, p := range r.Params {
		parts = append(parts, fmt.Sprintf("%s=%v", p.Name, p.Of))
	}
	return strings.Join(parts, " ")
}

// String is the machine in one line.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s, %s", m.CPU, m.Cores, m.Kernel, m.Go, m.Date)
}

// Measured is the figure with its unit.
func (g Gate) Measured() string { return strings.TrimSpace(number(g.Got) + " " + g.Unit) }

// Wanted is the promise in words.
func (g Gate) Wanted() string {
	bound := "at most"
	if g.AtLeast {
		bound = "at least"
	}
	return strings.TrimSpace(bound + " " + number(g.Want) + " " + g.Unit)
}

func verdict(good bool, yes, no string) string {
	if good {
		return yes
	}
	return no
}

// row is one line of figures.
type row struct{ name, value string }

// rows flattens values; what is nested is named by its path, or stands in one
// line when it is a few numbers.
func rows(prefix string, values Values) []row {
	var out []row
	for _, v := range values {
		switch of := v.Of.(type) {
		case Values:
			if text, ok := of.line(); ok {
				out = append(out, row{prefix + v.Name, text})
				continue
			}
			out = append(out, rows(prefix+v.Name+".", of)...)
		case Dist:
			text := fmt.Sprintf("p50 %s  p99 %s  max %s  (%d)", number(of.P50), number(of.P99), number(of.Max), of.N)
			out = append(out, row{prefix + v.Name, text})
		case float64:
			out = append(out, row{prefix + v.Name, number(of)})
		default:
			out = append(out, row{prefix + v.Name, fmt.Sprint(of)})
		}
	}
	return out
}

// line writes plain values one after the other, false when they are none.
func (v Values) line() (string, bool) {
	var parts []string
	for _, one := range v {
		switch of := one.Of.(type) {
		case Values, Dist:
			return "", false
		case float64:
			parts = append(parts, one.Name+" "+number(of))
		default:
			parts = append(parts, fmt.Sprintf("%s %v", one.Name, of))
		}
	}
	return strings.Join(parts, "  "), true
}

func number(f float64) string { return strconv.FormatFloat(Round(f), 'f', -1, 64) }
