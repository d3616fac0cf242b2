package agent

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"flametree/engine/workflow/located"
)

// Hours are one range of a week. From is inside, To is not; both count from
// midnight. Until after midnight takes two ranges.
type Hours struct {
	Days     []time.Weekday
	From, To time.Duration
}

// Covers reports whether t, in its own location, lies inside the range.
func (h Hours) Covers(t time.Time) bool {
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return slices.Contains(h.Days, t.Weekday()) && clock >= h.From && clock < h.To
}

// hours reads ranges such as "mon-fri 09:00-18:00" or "sat,sun 10:00-14:00".
func (p *parser) hours(what string, to *[]Hours) func(located.Node) {
	one := func(n located.Node) {
		var s string
		if p.String(what, MaxTitle, &s)(n); s == "" {
			return
		}
		h, ok := parseHours(s)
		if !ok {
			p.Fault(n, `%s must be days and a time, like "mon-fri 09:00-18:00", this is %s`, what, located.Describe(n))
			return
		}
		*to = append(*to, h)
	}
	return func(n located.Node) {
		if n.Kind == located.Text {
			one(n)
			return
		}
		p.Each(what, one)(n)
	}
}

func parseHours(s string) (Hours, bool) {
	days, clock, ok := strings.Cut(strings.ToLower(s), " ")
	from, to, both := strings.Cut(strings.TrimSpace(clock), "-")
	if !ok || !both {
		return Hours{}, false
	}
	h := Hours{}
	for part := range strings.SplitSeq(days, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, b := weekday(first), weekday(last)
		if a < 0 || b < 0 {
			return Hours{}, false
		}
		for d := a; ; d = (d + 1) % 7 {
			if !slices.Contains(h.Days, time.Weekday(d)) {
				h.Days = append(h.Days, time.Weekday(d))
			}
			if d == b {
				break
			}
		}
	}
	var good bool
	if h.From, good = clockTime(from); !good {
		return Hours{}, false
	}
	if h.To, good = clockTime(to); !good {
		return Hours{}, false
	}
	return h, h.From < h.To
}

// weekday reads at least three letters of an English name, -1 = none.
func weekday(s string) int {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if len(s) >= 3 && strings.HasPrefix(strings.ToLower(d.String()), s) {
			return int(d)
		}
	}
	return -1
}

// clockTime reads 09:00; 24:00 is the end of a day.
func clockTime(s string) (time.Duration, bool) {
	hour, minute, ok := strings.Cut(strings.TrimSpace(s), ":")
	h, err := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	good := ok && err == nil && err2 == nil && len(minute) == 2 && h >= 0 && m >= 0 && m < 60 && h*60+m <= 24*60
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, good
}
