package turns

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"flametree/bench/report"
	"flametree/engine/fault"
)

const (
	// spacing parts the beginnings of calls: those that begin at one moment do
	// their costly things at one moment too.
	spacing = 150 * time.Millisecond
	// calm is how late the server's packets may be, p99 of the last seconds, for
	// another call to begin, and roomWithin how long a call waits for that.
	calm       = 6 * time.Millisecond
	roomWithin = 3 * time.Second
	// calmFor is for how long the machine must have been calm before the first
	// call, and calmWithin how long that is waited for.
	calmFor    = 3 * time.Second
	calmWithin = 90 * time.Second
	// lookEvery is how often the server is asked how late it is, and tickEvery
	// how often the machine is.
	lookEvery = time.Second
	tickEvery = 10 * time.Millisecond
	// busyPacer and busyShare are what a machine that measures callers and agents,
	// and not itself, stays below: lateness of the server's packets, p99 of some
	// seconds, and percent of the callers' packets that leave a packet's time late.
	busyPacer = 20.0
	busyShare = 0.5
)

// weather is how late the machine is while calls are held. It is safe for
// concurrent use.
type weather struct {
	ask func(context.Context) (time.Duration, error) // how late the server's packets are

	mu     sync.Mutex
	ticks  []float64 // how late a timer of this process was, in milliseconds
	pacer  []float64 // each second, p99 of the server's packets
	now    time.Duration
	rough  time.Time // the last tick that was late
	held   int       // calls that began although it was not calm
	frames int       // of the callers
	late   int       // of them, those that left a packet's time late or later
	worst  time.Duration
}

// watch follows the weather until ctx ends.
func (w *weather) watch(ctx context.Context) {
	var done sync.WaitGroup
	done.Go(func() { w.tick(ctx) })
	for ok := true; ok; ok = wait(ctx, lookEvery) {
		late, err := w.ask(ctx)
		if err != nil {
			continue // it is ending, or so late that it does not answer in time: the ticks tell
		}
		w.mu.Lock()
		w.now = late
		w.pacer = append(w.pacer, millis(late))
		w.mu.Unlock()
	}
	done.Wait()
}

func (w *weather) tick(ctx context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		due := time.Now().Add(tickEvery)
		t.Reset(tickEvery)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			now := time.Now() // the timer tells when it was sent, and not when somebody ran
			late := max(0, now.Sub(due))
			w.mu.Lock()
			w.ticks = append(w.ticks, millis(late))
			if late > calm {
				w.rough = now
			}
			w.mu.Unlock()
		}
	}
}

// settle waits until the machine has been calm for a while. It reports false
// when it never was.
func (w *weather) settle(ctx context.Context) bool {
	w.mu.Lock()
	w.rough = time.Now()
	w.mu.Unlock()
	return w.until(ctx, calmWithin, func() bool { return time.Since(w.rough) >= calmFor && w.now <= calm })
}

// room waits until another call may begin, for no longer than roomWithin.
func (w *weather) room(ctx context.Context) {
	if !w.until(ctx, roomWithin, func() bool { return w.now <= calm }) {
		w.mu.Lock()
		w.held++
		w.mu.Unlock()
	}
}

// until asks cond, with the mutex held, until it holds, and reports whether it did.
func (w *weather) until(ctx context.Context, most time.Duration, cond func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		w.mu.Lock()
		ok := cond()
		w.mu.Unlock()
		if ok || !wait(ctx, spacing) {
			return ok
		}
	}
}

// sent takes in how a caller's packets left.
func (w *weather) sent(frames, late int, worst time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames, w.late, w.worst = w.frames+frames, w.late+late, max(w.worst, worst)
}

// busy reports whether the machine was too busy for the figures to tell of
// anything but itself.
func (w *weather) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return report.Of(w.pacer).P99 > busyPacer || percent(w.late, w.frames) > busyShare
}

// values are the figures of the weather.
func (w *weather) values() report.Values {
	w.mu.Lock()
	defer w.mu.Unlock()
	var v report.Values
	v.Add("pacer_late_p99_ms", report.Of(w.pacer))
	v.Add("timer_late_ms", report.Of(w.ticks))
	v.Add("caller_packets", w.frames)
	v.Add("caller_packets_late", w.late)
	v.Add("caller_packets_late_percent", percent(w.late, w.frames))
	v.Add("caller_packet_latest_ms", millis(w.worst))
	v.Add("calls_begun_though_not_calm", w.held)
	return v
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// lateMetric is the server's own figure of how late its packets are.
const lateMetric = "flametree_voice_pacer_late_seconds"

// asking reads that figure from the server's metrics at an address.
func asking(client *http.Client, address string) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
		if err != nil {
			return 0, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, fmt.Errorf("metrics: %w: %w", fault.Unavailable, err)
		}
		defer func() { _ = resp.Body.Close() }()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), lateMetric+" "); ok {
				s, err := strconv.ParseFloat(rest, 64)
				return time.Duration(s * float64(time.Second)), err
			}
		}
		return 0, fmt.Errorf("metrics without %s: %w", lateMetric, fault.NotFound)
	}
}
