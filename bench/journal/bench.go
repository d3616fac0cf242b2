package journal

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"flametree/engine/fault"
)

// Options of a run. The zero value measures 1, 16 and 256 writers for 21 s in
// the system's temporary folder.
type Options struct {
	Writers  []int
	Duration time.Duration // of the whole run, without making and closing the stores
	Dir      string        // on the disk to be measured; what is made there is removed
}

// rounds is how often the systems take turns for each number of writers.
const rounds = 7

// Row is one system with one number of writers.
type Row struct {
	System  string        `json:"system"` // journal pebble raw
	Writers int           `json:"writers"`
	Events  uint64        `json:"events"`
	Rate    float64       `json:"events_per_second"` // median of the rounds
	P50     time.Duration `json:"p50_ns"`            // of one append, over all rounds
	P99     time.Duration `json:"p99_ns"`
	CPU     time.Duration `json:"cpu_per_event_ns"` // of the whole process, writers included
}

// Report is what a run measured.
type Report struct {
	Bytes int   `json:"bytes_per_event"` // as stored, on average
	Rows  []Row `json:"rows"`
	// Ratios are the journal's rate by that of bare Pebble, by writers: the
	// median over the rounds, because the turns of a round share the machine's mood.
	Ratios map[int]float64 `json:"ratios"`
}

// Metrics flattens the report for a bench's "metrics" object.
func (r Report) Metrics() map[string]any {
	m := map[string]any{"bytes_per_event": r.Bytes}
	for _, row := range r.Rows {
		m[fmt.Sprintf("%s_%d", row.System, row.Writers)] = map[string]any{
			"events_per_second": row.Rate, "p50_ms": ms(row.P50), "p99_ms": ms(row.P99),
			"cpu_us_per_event": float64(row.CPU) / float64(time.Microsecond), "events": row.Events,
		}
	}
	for writers, ratio := range r.Ratios {
		m[fmt.Sprintf("ratio_%d", writers)] = ratio
	}
	return m
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// appender makes one event durable. It is called by many writers, each with its
// own number and its own count from 0 on.
type appender func(ctx context.Context, writer int, n uint64) error

// system is one thing to measure: it opens a fresh store.
type system struct {
	name string
	open func(dir string, writers int) (appender, func() error, error)
}

// Run measures. It leaves nothing behind and takes a little longer than
// opt.Duration.
func Run(ctx context.Context, opt Options) (Report, error) {
	if len(opt.Writers) == 0 {
		opt.Writers = []int{1, 16, 256}
	}
	if opt.Duration <= 0 {
		opt.Duration = 21 * time.Second
	}
	if slices.Min(opt.Writers) < 1 {
		return Report{}, fmt.Errorf("bench journal: %v writers: %w", opt.Writers, fault.Invalid)
	}
	dir, err := os.MkdirTemp(opt.Dir, "bench-journal-")
	if err != nil {
		return Report{}, fmt.Errorf("bench journal: %w", err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			slog.Warn("bench journal: cannot tidy up", "err", err)
		}
	}()
	sizes, err := eventSizes()
	if err != nil {
		return Report{}, err
	}
	report := Report{Ratios: map[int]float64{}}
	for _, size := range sizes {
		report.Bytes += size
	}
	report.Bytes /= len(sizes)
	systems := []system{{"journal", openJournal}, {"pebble", openPebble(sizes)}, {"raw", openRaw(sizes)}}
	each := opt.Duration / time.Duration(len(opt.Writers)*len(systems)*rounds)
	for _, writers := range opt.Writers {
		samples := make([][]sample, len(systems))
		for round := range rounds {
			for i, s := range systems {
				one, err := measure(ctx, s, filepath.Join(dir, fmt.Sprintf("%s-%d-%d", s.name, writers, round)), writers, each)
				if err != nil {
					return Report{}, fmt.Errorf("bench journal: %s with %d writers: %w", s.name, writers, err)
				}
				samples[i] = append(samples[i], one)
			}
		}
		for i, s := range systems {
			report.Rows = append(report.Rows, row(s.name, writers, samples[i]))
		}
		report.Ratios[writers] = ratio(samples[0], samples[1])
	}
	return report, nil
}

// ratio is the median of the rounds' ratios.
func ratio(ours, bare []sample) float64 {
	var rs []float64
	for i := range ours {
		rs = append(rs, ours[i].rate()/bare[i].rate())
	}
	slices.Sort(rs)
	return rs[len(rs)/2]
}

// sample is one turn of one system.
type sample struct {
	events    uint64
	took      time.Duration
	cpu       time.Duration
	latencies []time.Duration
}

func (s sample) rate() float64 { return float64(s.events) / s.took.Seconds() }

// measure lets the writers append for a while in a fresh store.
func measure(ctx context.Context, s system, dir string, writers int, d time.Duration) (sample, error) {
	write, closeStore, err := s.open(dir, writers)
	if err != nil {
		return sample{}, err
	}
	var work sync.WaitGroup
	var stop atomic.Bool
	var once sync.Once
	var failed error
	latencies := make([][]time.Duration, writers)
	begin, cpu := time.Now(), processorTime()
	for w := range writers {
		work.Go(func() {
			for n := uint64(0); !stop.Load(); n++ {
				t := time.Now()
				if err := write(ctx, w, n); err != nil {
					once.Do(func() { failed = err })
					return
				}
				latencies[w] = append(latencies[w], time.Since(t))
			}
		})
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	stop.Store(true)
	work.Wait()
	one := sample{took: time.Since(begin), cpu: processorTime() - cpu}
	for _, l := range latencies {
		one.latencies = append(one.latencies, l...)
	}
	one.events = uint64(len(one.latencies))
	err = closeStore()
	if failed != nil {
		err = failed
	}
	if err == nil {
		err = ctx.Err()
	}
	return one, err
}

// row sums up the turns of one system.
func row(name string, writers int, turns []sample) Row {
	r := Row{System: name, Writers: writers}
	var all []time.Duration
	var rates []float64
	var cpu time.Duration
	for _, s := range turns {
		r.Events += s.events
		cpu += s.cpu
		all = append(all, s.latencies...)
		rates = append(rates, s.rate())
	}
	slices.Sort(rates)
	r.Rate = rates[len(rates)/2]
	if len(all) > 0 {
		slices.Sort(all)
		r.P50, r.P99 = all[len(all)/2], all[len(all)*99/100]
		r.CPU = cpu / time.Duration(len(all))
	}
	return r
}

// processorTime is what this process has used so far, user and system.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
