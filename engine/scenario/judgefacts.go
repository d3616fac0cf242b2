package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// inside judges by the journal. Where nobody could look, nothing is as expected.
func (j *judge) inside(p Place, key, want string, look func(*Facts) (got string, met bool)) {
	if j.o.Facts == nil {
		why := j.o.Blind
		if why == "" {
			why = "nobody could look into the session"
		}
		j.say(p, key, want, "not known: "+why, false)
		return
	}
	got, met := look(j.o.Facts)
	j.say(p, key, want, got, met)
}

// facts judges what the journal says of a window.
func (j *judge) facts(e Expect, w window) {
	for _, t := range e.Understood {
		j.inside(t.Place, "understood", j.wanted(t.Text), func(f *Facts) (string, bool) {
			var had []string
			for _, h := range w.of(f.Heard) {
				had = append(had, words(h.Text)...)
			}
			share := heard(t.Text, had)
			return j.share(share, quote(strings.Join(had, " "))), share >= j.s.Right
		})
	}
	if e.State.Text != "" {
		j.inside(e.State.Place, "state", e.State.Text, func(f *Facts) (string, bool) {
			got := latest(f.States, w.to, "there are no states", func(Fact) bool { return true })
			return got, got == e.State.Text
		})
	}
	for _, r := range e.Results {
		j.inside(r.Place, "results", r.Name+" = "+value(r.Value), func(f *Facts) (string, bool) {
			got := latest(f.Results, w.to, "", func(s Fact) bool { return s.Name == r.Name })
			return value(got), matches(r.Value, got)
		})
	}
	j.calls(e, w)
	if e.Interrupted != nil {
		j.inside(e.Interrupted.Place, "interrupted", yes(e.Interrupted.On), func(f *Facts) (string, bool) {
			// What was broken off is closed just after the caller began to speak.
			got := slices.ContainsFunc(w.of(f.Said), func(s Fact) bool { return s.Fault != "" })
			return yes(got), got == e.Interrupted.On
		})
	}
}

// of are the facts of a window.
func (w window) of(all []Fact) (out []Fact) {
	for _, f := range all {
		if f.At >= w.from && f.At < w.to {
			out = append(out, f)
		}
	}
	return out
}

// latest is the text of the last fact before an instant that fits.
func latest(all []Fact, before time.Duration, none string, fits func(Fact) bool) string {
	for _, f := range all {
		if f.At < before && fits(f) {
			none = f.Text
		}
	}
	return none
}

// matches compares a value with what a file wants: case does not matter, and *
// stands for anything, but not for nothing.
func matches(want, got string) bool {
	want, got = strings.ToLower(strings.TrimSpace(want)), strings.ToLower(strings.TrimSpace(got))
	parts := strings.Split(want, "*")
	if len(parts) == 1 || got == "" {
		return want == got
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(got) < len(first)+len(last) || !strings.HasPrefix(got, first) || !strings.HasSuffix(got, last) {
		return false
	}
	got = got[len(first) : len(got)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(got, p)
		if !found {
			return false
		}
		got = after
	}
	return true
}

func value(s string) string {
	if s == "" {
		return "unset"
	}
	return quote(s)
}

// calls judges which tools were called.
func (j *judge) calls(e Expect, w window) {
	if e.NoCalls != nil {
		j.inside(e.NoCalls.Place, "calls", "no tool is called", func(f *Facts) (string, bool) {
			all := w.of(f.Calls)
			return named(all), len(all) == 0
		})
	}
	for _, c := range e.Calls {
		want := c.Name
		if c.Failed {
			want += " that fails"
		}
		if c.Times >= 0 {
			want += fmt.Sprintf(", %d times", c.Times)
		}
		j.inside(c.Place, "calls", want, func(f *Facts) (string, bool) {
			n := 0
			all := w.of(f.Calls)
			for _, x := range all {
				if x.Name == c.Name && (x.Fault != "") == c.Failed {
					n++
				}
			}
			return named(all), n == c.Times || c.Times < 0 && n > 0
		})
	}
}

func named(calls []Fact) string {
	if len(calls) == 0 {
		return "none"
	}
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = c.Name
		if c.Fault != "" {
			out[i] += " (" + c.Fault + ")"
		}
	}
	return strings.Join(out, ", ")
}
