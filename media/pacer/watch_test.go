package pacer

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLatenessClosesAtOnceAndOpensOnlyWhenItHasBeenCalm(t *testing.T) {
	w := Watch{Limit: 8 * time.Millisecond}
	begun := time.Unix(1000, 0)
	for _, step := range []struct {
		at            int // seconds
		late          time.Duration
		closed, turns bool
		why           string
	}{
		{0, 7 * time.Millisecond, false, false, "within the limit"},
		{1, 8 * time.Millisecond, false, false, "at the limit"},
		{2, 9 * time.Millisecond, true, true, "above it"},
		{3, 7 * time.Millisecond, true, false, "within the limit is not calm"},
		{4, 4 * time.Millisecond, true, false, "calm begins"},
		{7, 5 * time.Millisecond, true, false, "more than half: calm begins anew"},
		{8, 2 * time.Millisecond, true, false, "calm begins"},
		{12, 2 * time.Millisecond, true, false, "four seconds"},
		{13, 4 * time.Millisecond, false, true, "five seconds"},
		{14, 7 * time.Millisecond, false, false, "half of the limit counts only while closed"},
	} {
		closed, turned := w.Look(begun.Add(time.Duration(step.at)*time.Second), step.late)
		if closed != step.closed || turned != step.turns {
			t.Errorf("%s: closed %v, turned %v", step.why, closed, turned)
		}
	}
}

// Whatever the lateness does, calls are not taken and refused in turns: from a
// no to the next yes passes the time of calm.
func TestAdmissionDoesNotFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Watch{Limit: 8 * time.Millisecond, Calm: 3 * time.Second}
		now, closedAt := time.Unix(1000, 0), time.Time{}
		for range rapid.IntRange(1, 200).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
			late := time.Duration(rapid.IntRange(0, 20).Draw(t, "late")) * time.Millisecond
			closed, turned := w.Look(now, late)
			switch {
			case late > w.Limit && !closed:
				t.Fatal("too late, and calls are taken")
			case turned && closed:
				closedAt = now
			case turned && now.Sub(closedAt) < w.Calm:
				t.Fatalf("refused for %v only", now.Sub(closedAt))
			}
		}
	})
}
