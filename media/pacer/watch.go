package pacer

import "time"

// Watch judges by lateness whether more calls can be taken, and does not change
// its mind with every packet: it says no above Limit, and yes again only when
// the lateness has been at most half of that for Calm. It belongs to whoever
// guards it; the zero value of its state is yes.
type Watch struct {
	Limit time.Duration
	Calm  time.Duration // 0 is five seconds, half of what Wheel.Late looks back over

	late bool
	well time.Time // since when it has been at most half of Limit, while late
}

// Look takes the lateness of now and reports whether packets are too late;
// changed says that it was otherwise at the last look.
func (w *Watch) Look(now time.Time, late time.Duration) (tooLate, changed bool) {
	switch {
	case late > w.Limit:
		changed = !w.late
		w.late, w.well = true, time.Time{}
	case !w.late:
	case late > w.Limit/2:
		w.well = time.Time{}
	case w.well.IsZero():
		w.well = now
	case now.Sub(w.well) >= w.calm():
		w.late, changed = false, true
	}
	return w.late, changed
}

func (w *Watch) calm() time.Duration {
	if w.Calm == 0 {
		return window
	}
	return w.Calm
}
