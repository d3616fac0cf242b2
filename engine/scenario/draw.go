package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The picture: each character is a cell of time.
const (
	cell  = 200 * time.Millisecond
	cells = 75
	row   = cells * cell
)

// Timeline draws who spoke when: two lanes over a time axis, a row for each 15
// seconds. X in the agent's lane is where the caller made it fall silent.
func (r Report) Timeline() string {
	var b strings.Builder
	for from := time.Duration(0); from == 0 || from < r.Length; from += row {
		axis := strings.Builder{}
		for at := from; at < from+row; at += 10 * cell {
			fmt.Fprintf(&axis, "%-10s", fmt.Sprintf("%.0fs", at.Seconds()))
		}
		fmt.Fprintf(&b, "          %s\n", strings.TrimRight(axis.String(), " "))
		fmt.Fprintf(&b, "  caller  %s\n", lane(r.Caller, nil, from, r.Length))
		fmt.Fprintf(&b, "  agent   %s\n", lane(r.Speaks, r.Breaks, from, r.Length))
	}
	return b.String()
}

// lane draws one party in one row.
func lane(spans []Span, breaks []time.Duration, from, length time.Duration) string {
	out := make([]rune, 0, cells)
	for at := from; at < from+row && at < length; at += cell {
		in := func(s Span) bool { return s.From < at+cell && s.To > at }
		cut := func(d time.Duration) bool { return d >= at && d < at+cell }
		switch {
		case slices.ContainsFunc(breaks, cut):
			out = append(out, 'X')
		case slices.ContainsFunc(spans, in):
			out = append(out, '█')
		default:
			out = append(out, '·')
		}
	}
	return string(out)
}

// Story tells the conversation line by line, in the order of time.
func (r Report) Story() []string {
	type line struct {
		at   time.Duration
		text string
	}
	var lines []line
	add := func(at time.Duration, who, text string) {
		lines = append(lines, line{at, fmt.Sprintf("%7.1f s  %-7s %s", at.Seconds(), who, text)})
	}
	for _, s := range r.Caller {
		add(s.From, "caller", clip(s.Text, 300))
	}
	for _, s := range r.Speaks {
		add(s.From, "agent", quote(s.Text))
	}
	for _, b := range r.Breaks {
		add(b, "", "the agent falls silent for the caller")
	}
	if r.Facts != nil {
		for _, f := range r.Facts.Heard {
			add(f.At, "", "understood as "+quote(f.Text))
		}
		for _, f := range r.Facts.States {
			add(f.At, "state", f.Text)
		}
		for _, f := range r.Facts.Calls {
			add(f.At, "tool", strings.TrimSpace(f.Name+" "+f.Fault))
		}
		for _, f := range r.Facts.Results {
			add(f.At, "result", f.Name+" = "+clip(f.Text, 80))
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.text
	}
	return out
}

func clip(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// String tells a verdict in one line, without the step it belongs to.
func (v Verdict) String() string {
	mark := "✗"
	if v.Met {
		mark = "✓"
	}
	return fmt.Sprintf("%s %s: wanted %s, measured %s (line %d)", mark, v.Key, v.Want, v.Got, v.Place.Line)
}

// The measures of the drawing in units of SVG.
const (
	perSecond = 60
	left      = 70
	laneHigh  = 34
)

// SVG draws the timeline as a picture that browsers show; what was said is in
// the title of each stretch. It names nothing outside of itself.
func (r Report) SVG() string {
	x := func(d time.Duration) float64 { return left + d.Seconds()*perSecond }
	width, height := x(r.Length)+20, 3*laneHigh+50
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" font-family="sans-serif" font-size="12" role="img">`, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(cmp.Or(r.Scenario, r.File)))
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	for at := time.Duration(0); at <= r.Length; at += time.Second {
		shade := "#eee"
		if at%(5*time.Second) == 0 {
			shade = "#bbb"
			fmt.Fprintf(&b, `<text x="%.0f" y="14" fill="#555">%.0f s</text>`, x(at)+2, at.Seconds())
		}
		fmt.Fprintf(&b, `<line x1="%.0f" y1="0" x2="%.0f" y2="%d" stroke="%s"/>`+"\n", x(at), x(at), height, shade)
	}
	draw := func(name string, y int, fill string, spans []Span) {
		fmt.Fprintf(&b, `<text x="6" y="%d" fill="#222">%s</text>`+"\n", y+laneHigh/2, name)
		for _, s := range spans {
			wide := max(2, x(s.To)-x(s.From))
			fmt.Fprintf(&b, `<g><title>%.1f s to %.1f s: %s</title><rect x="%.1f" y="%d" width="%.1f" height="%d" rx="3" fill="%s"/>`,
				s.From.Seconds(), s.To.Seconds(), escape(s.Text), x(s.From), y, wide, laneHigh-10, fill)
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#fff">%s</text></g>`+"\n", x(s.From)+4, y+laneHigh/2, escape(fit(s.Text, wide-8)))
		}
	}
	draw("caller", 30, "#2f6f4f", r.Caller)
	draw("agent", 30+laneHigh, "#31589c", r.Speaks)
	for _, at := range r.Breaks {
		fmt.Fprintf(&b, `<g><title>the agent falls silent for the caller</title><path d="M%.1f 24 V%d" stroke="#c22" stroke-width="2" stroke-dasharray="4 3"/></g>`+"\n", x(at), 30+2*laneHigh)
	}
	for _, a := range r.Answers {
		y := 40 + 2*laneHigh
		fmt.Fprintf(&b, `<path d="M%.1f %d H%.1f" stroke="#888"/><text x="%.1f" y="%d" fill="#555">%d ms</text>`+"\n",
			x(a.From), y, x(a.From+a.Took), x(a.From), y+14, millis(a.Took))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// fit cuts a text to what a width holds.
func fit(s string, wide float64) string {
	const letter = 6.2
	most := int(wide / letter)
	r := []rune(s)
	switch {
	case len(r) <= most:
		return s
	case most < 3:
		return ""
	}
	return string(r[:most-1]) + "…"
}

// escape makes a text safe within XML.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(strings.Map(func(c rune) rune {
		if c < ' ' {
			return ' '
		}
		return c
	}, s))
}
