package report

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Plot is one picture: either Series, drawn as the share of measurements that
// do not exceed a value, or Bars.
type Plot struct {
	Title  string
	Unit   string
	Series []Series
	Groups []Group // bars; Series is then empty
	Lines  []Line  // promises: upright in a distribution
}

// Series is one set of measurements.
type Series struct {
	Name   string
	Values []float64
}

// Group is one cluster of bars; clusters have the same bars in the same order.
type Group struct {
	Name string
	Bars []Bar
}

// Bar is one figure.
type Bar struct {
	Name  string
	Value float64
}

// Line marks a promised value.
type Line struct {
	Name string
	At   float64
}

// The size of a plot in its own units, and where its axes stand.
const (
	width, height         = 640.0, 260.0
	left, right           = 52.0, 14.0
	top, bottom           = 14.0, 40.0
	innerWide, innerHigh  = width - left - right, height - top - bottom
	samplesOfCurve        = 200
	barGap, mostBarWidth  = 2.0, 44.0
	tailShown, tailMargin = 0.999, 1.06
)

// svg draws the plot. The page's style gives the colours, for both themes.
func (p Plot) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height, html.EscapeString(p.Title))
	if len(p.Groups) > 0 {
		p.bars(&b)
	} else {
		p.curves(&b)
	}
	b.WriteString("</svg>")
	return b.String()
}

// curves draws distributions. The axis ends at the 99.9th percentile or the
// last promise near it, so that one outlier does not flatten all.
func (p Plot) curves(b *strings.Builder) {
	low, high := 0.0, 0.0
	sorted := make([][]float64, len(p.Series))
	for i, s := range p.Series {
		sorted[i] = slices.Sorted(slices.Values(s.Values))
		if n := len(sorted[i]); n > 0 {
			low = min(low, sorted[i][0])
			high = max(high, Percentile(sorted[i], 100*tailShown))
		}
	}
	high = p.reach(high)
	step := nice((high - low) * tailMargin / 6)
	low, high = math.Floor(low/step)*step, math.Ceil(high*tailMargin/step)*step
	if high <= low {
		high = low + 1
	}
	x := func(v float64) float64 { return left + innerWide*(min(v, high)-low)/(high-low) }
	y := func(share float64) float64 { return top + innerHigh*(1-share) }
	for share := 0.0; share <= 1; share += 0.25 {
		grid(b, y(share), fmt.Sprintf("%.0f %%", 100*share))
	}
	for v := low; v <= high+step/2; v += step {
		label(b, x(v), height-bottom+16, "middle", number(v))
	}
	label(b, width-right, height-6, "end", p.Unit)
	for i, l := range p.Lines {
		below := height - bottom - 8 - 14*float64(i)
		switch {
		case l.At > high:
			label(b, width-right-4, below, "end", l.Name+" "+number(l.At)+" \u2192")
			continue
		case x(l.At) > left+innerWide/2:
			label(b, x(l.At)-5, below, "end", l.Name)
		default:
			label(b, x(l.At)+5, below, "start", l.Name)
		}
		fmt.Fprintf(b, `<line class="promise" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, x(l.At), x(l.At), top, height-bottom)
	}
	for i, s := range sorted {
		curve(b, i, p.Series[i].Name, s, func(v, share float64) (float64, float64) { return x(v), y(share) })
	}
}

// reach widens the axis to the promises, unless one is so far off that nothing
// could be read any more.
func (p Plot) reach(high float64) float64 {
	const far = 6
	most := high
	for _, l := range p.Lines {
		if high == 0 || l.At <= far*high {
			most = max(most, l.At)
		}
	}
	return most
}

// curve draws one distribution as a line through evenly spread shares of it.
func curve(b *strings.Builder, i int, name string, sorted []float64, at func(v, share float64) (float64, float64)) {
	if len(sorted) == 0 {
		return
	}
	var points []string
	for n := range samplesOfCurve + 1 {
		share := float64(n) / samplesOfCurve
		px, py := at(Percentile(sorted, 100*share), share)
		points = append(points, fmt.Sprintf("%.1f,%.1f", px, py))
	}
	fmt.Fprintf(b, `<polyline class="line s%d" points="%s"/>`, i+1, strings.Join(points, " "))
	for _, share := range []float64{0.5, 0.99} {
		v := Percentile(sorted, 100*share)
		px, py := at(v, share)
		fmt.Fprintf(b, `<circle class="dot s%d" cx="%.1f" cy="%.1f" r="4"><title>%s p%g: %s</title></circle>`,
			i+1, px, py, html.EscapeString(name), 100*share, number(v))
		if i == 0 { // further series are read off the table
			label(b, px+8, py+14, "start", fmt.Sprintf("p%g %s", 100*share, number(Round(v))))
		}
	}
}

// bars draws groups of bars from zero.
func (p Plot) bars(b *strings.Builder) {
	most := 0.0
	for _, g := range p.Groups {
		for _, bar := range g.Bars {
			most = max(most, bar.Value)
		}
	}
	step := nice(most * tailMargin / 4)
	most = math.Ceil(most*tailMargin/step) * step
	y := func(v float64) float64 { return top + innerHigh*(1-v/most) }
	for v := 0.0; v <= most+step/2; v += step {
		grid(b, y(v), short(v))
	}
	wide := innerWide / float64(len(p.Groups))
	for i, g := range p.Groups {
		each := min(mostBarWidth, wide*0.7/float64(len(g.Bars)))
		from := left + wide*(float64(i)+0.5) - each*float64(len(g.Bars))/2
		for n, bar := range g.Bars {
			at := from + each*float64(n)
			fmt.Fprintf(b, `<rect class="bar s%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s %s: %s %s</title></rect>`,
				n+1, at, y(bar.Value), each-barGap, height-bottom-y(bar.Value),
				html.EscapeString(g.Name), html.EscapeString(bar.Name), number(bar.Value), html.EscapeString(p.Unit))
			label(b, at+(each-barGap)/2, y(bar.Value)-4, "middle", short(bar.Value))
		}
		label(b, left+wide*(float64(i)+0.5), height-bottom+16, "middle", g.Name)
	}
	label(b, width-right, height-6, "end", p.Unit)
}

// legend names the colours when there is more than one.
func (p Plot) legend() []string {
	var names []string
	for _, s := range p.Series {
		names = append(names, s.Name)
	}
	if len(p.Groups) > 0 {
		for _, bar := range p.Groups[0].Bars {
			names = append(names, bar.Name)
		}
	}
	if len(names) < 2 {
		return nil
	}
	return names
}

func grid(b *strings.Builder, y float64, text string) {
	fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, left, width-right, y, y)
	label(b, left-6, y+4, "end", text)
}

func label(b *strings.Builder, x, y float64, anchor, text string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(text))
}

// nice is the next of 1, 2, 5 times a power of ten.
func nice(v float64) float64 {
	if v <= 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v {
			return m * power
		}
	}
	return 10 * power
}

// short writes large numbers as people do.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return number(math.Round(v/1e4)/100) + "M"
	case v >= 1e4:
		return number(math.Round(v/1e2)/10) + "k"
	case v >= 100:
		return number(math.Round(v))
	}
	return number(math.Round(v*100) / 100)
}
