package scenario

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"flametree/engine/workflow/located"
)

// whenForms tells what may stand in when.
const whenForms = `"after the greeting", "after the answer", "after 1s of silence", "while the agent speaks, after 700ms", "at 2.3s" or "at once"`

// small are words of a when that carry no meaning.
var small = regexp.MustCompile(`\b(the|agent's|agents|agent|of|a|an|is|from|start|in)\b|[,:]`)

// when reads the English in which a step says when it begins. Case, commas and
// small words do not matter.
func when(text string) (When, bool) {
	words := strings.Fields(small.ReplaceAllString(strings.ToLower(text), " "))
	var kept []string
	var of time.Duration
	timed := false
	for _, w := range words {
		if d, ok := duration(w); ok && !timed {
			of, timed = d, true
			continue
		}
		kept = append(kept, w)
	}
	phrase := strings.Join(kept, " ")
	switch {
	case !timed && (phrase == "after greeting" || phrase == "after answer"):
		return When{Trigger: AfterAnswer}, true
	case !timed && (phrase == "once" || phrase == "at once" || phrase == "immediately"):
		return When{Trigger: AtOnce}, true
	case !timed && (phrase == "while speaks" || phrase == "while speaking"):
		return When{Trigger: WhileSpeaks, Of: 500 * time.Millisecond}, true
	case timed && (phrase == "while speaks after" || phrase == "while speaking after" || phrase == "while speaks" || phrase == "into answer" || phrase == "into greeting"):
		return When{Trigger: WhileSpeaks, Of: of}, true
	case timed && (phrase == "after silence" || phrase == "silence"):
		return When{Trigger: AfterSilence, Of: of}, true
	case timed && phrase == "at":
		return When{Trigger: At, Of: of}, true
	}
	return When{}, false
}

// duration reads 700ms, 2.3s or 1m; a bare number has no unit and is none.
func duration(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > longest || s == "0" {
		return 0, false
	}
	return d, true
}

// limit reads a duration into a Limit.
func (p *parser) limit(what string, to *Limit) func(located.Node) {
	return func(n located.Node) {
		d, ok := duration(n.Text)
		if n.Kind != located.Text || !ok || d == 0 {
			p.Fault(n, "%s must be a duration such as 800ms or 2.5s, at most %v; this is %s", what, longest, located.Describe(n))
			return
		}
		*to = Limit{Place: place(n), Of: d}
	}
}

// length reads a duration.
func (p *parser) length(what string, to *time.Duration) func(located.Node) {
	return func(n located.Node) {
		d, ok := duration(n.Text)
		if n.Kind != located.Text || !ok {
			p.Fault(n, "%s must be a duration such as 40ms or 2.5s, at most %v; this is %s", what, longest, located.Describe(n))
			return
		}
		*to = d
	}
}

// share reads 3% or 0.03.
func (p *parser) share(what string, to *float64) func(located.Node) {
	return func(n located.Node) {
		number, percent := strings.CutSuffix(strings.TrimSpace(n.Text), "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if percent {
			v /= 100
		}
		if n.Kind != located.Text || err != nil || !(v >= 0 && v <= 1) {
			p.Fault(n, "%s must be a share such as 3%% or 0.03; this is %s", what, located.Describe(n))
			return
		}
		*to = v
	}
}

// decibels reads 20dB, 20 dB or 20.
func (p *parser) decibels(what string, to *float64) func(located.Node) {
	return func(n located.Node) {
		number := strings.TrimSpace(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(n.Text)), "db"))
		v, err := strconv.ParseFloat(number, 64)
		if n.Kind != located.Text || err != nil || !(v >= -20 && v <= 80) {
			p.Fault(n, "%s must be decibels from -20 to 80, such as 20dB; this is %s", what, located.Describe(n))
			return
		}
		*to = v
	}
}

func place(n located.Node) Place { return Place{Line: n.Line, Col: n.Col} }
