package voice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"flametree/bench/report"
	"flametree/engine/fault"
)

// The search for the most calls: it begins with a few, and is content when it is
// as near as this.
const (
	fewest   = 25
	mostEver = 6400
	nearness = 0.1
)

// attempt is one run of the search.
type attempt struct {
	calls int
	why   string // what did not hold, "" when all did
	of    report.Report
}

// Limit searches for the most calls that keep every promise: it doubles until
// one breaks, then bisects. What the run that broke first spent its time on is
// in its notes. Options.Calls is where it begins; each run is as long as
// Options.Length, which is 20 s when it is zero.
func Limit(ctx context.Context, opt Options) (report.Report, error) {
	if opt.Length == 0 {
		opt.Length = 20 * time.Second
	}
	dir, err := os.MkdirTemp("", "bench-limit-")
	if err != nil {
		return report.Report{}, fmt.Errorf("bench voice: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	opt.Profile = filepath.Join(dir, "cpu.pprof")
	var tried []attempt
	good, bad, err := search(max(opt.Calls, fewest), func(calls int) (bool, error) {
		a, err := opt.attempt(ctx, calls)
		if err != nil {
			return false, err
		}
		if a.why != "" {
			a.of.Notes = top(ctx, opt.Profile)
		}
		tried = append(tried, a)
		return a.why == "", nil
	})
	if err != nil {
		return report.Report{}, err
	}
	return opt.found(good, bad, tried), nil
}

// search finds neighbours: with good calls everything held, with bad calls, 0 if
// there was no such number, something did not.
func search(first int, holds func(calls int) (bool, error)) (good, bad int, err error) {
	for n := first; bad == 0 && n <= mostEver; n *= 2 {
		ok, err := holds(n)
		switch {
		case err != nil:
			return good, bad, err
		case ok:
			good = n
		default:
			bad = n
		}
	}
	for bad > 0 && bad-good > max(1, int(nearness*float64(bad))) {
		n := (good + bad) / 2
		ok, err := holds(n)
		switch {
		case err != nil:
			return good, bad, err
		case ok:
			good = n
		default:
			bad = n
		}
	}
	return good, bad, nil
}

// attempt is one run; calls that fail are something that does not hold.
func (o *Options) attempt(ctx context.Context, calls int) (attempt, error) {
	one := *o
	one.Calls = calls
	r, err := Run(ctx, one)
	a := attempt{calls: calls, of: r}
	if r.Name == "" || ctx.Err() != nil {
		return a, errors.Join(err, ctx.Err())
	}
	var why []string
	if err != nil {
		if !errors.Is(err, fault.Unavailable) && len(r.Checks) == 0 {
			return a, err
		}
		why = append(why, err.Error())
	}
	for _, g := range r.Gates {
		if !g.Met() {
			why = append(why, fmt.Sprintf("%s is %s, wanted %s", g.Name, g.Measured(), g.Wanted()))
		}
	}
	a.why = strings.Join(why, "; ")
	return a, nil
}

func (o *Options) found(good, bad int, tried []attempt) report.Report {
	r := o.head()
	r.Name, r.Params = "voice limit", r.Params[1:]
	r.Metrics.Add("calls_that_hold", good)
	r.Metrics.Add("calls_that_do_not", bad)
	first := true
	for _, a := range tried {
		verdict := "holds"
		if a.why != "" {
			verdict = a.why
		}
		r.Metrics.Add(fmt.Sprintf("with_%d", a.calls), verdict)
		if a.why != "" && first {
			first = false
			r.Notes = append([]string{fmt.Sprintf("What the server did with %d calls:", a.calls)}, a.of.Notes...)
		}
	}
	return r
}

// top are the first lines of a profile, as far as the Go tools are here.
func top(ctx context.Context, profile string) []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=15", self, profile).Output()
	if err != nil {
		return []string{"no profile is told: the Go tools are not here"}
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
