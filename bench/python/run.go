package python

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"flametree/bench/report"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool"
	"flametree/engine/tool/python"
)

// Options of a run. The zero value makes 20,000 calls and weighs 64
// interpreters.
type Options struct {
	Calls   int // of a warm interpreter
	Workers int // interpreters that are weighed
	Runaway int // calls that never end by themselves; default 20
}

// The promises.
const (
	wantedWarm    = 60.0 // µs, p50
	wantedDead    = 20.0 // ms after the deadline, p99
	wantedWorkers = 0.5  // GB, 64 of them
	runawayLimit  = 100 * time.Millisecond
	together      = 8
	most          = 64
)

const source = `
def plain(ctx, place, seats): return {"place": place, "seats": seats, "channel": ctx.session.channel}
async def awaited(ctx, place, seats): return {"place": place, "seats": seats}
def loop(ctx):
    while True: pass
`

const plugin = `
kind: Plugin
name: bench
tools:
- {object_name: plain, description: d, implementation: m.plain, timeout: 30}
- {object_name: awaited, description: d, implementation: m.awaited, timeout: 30}
- {object_name: loop, description: d, implementation: m.loop, timeout: 0.1}
`

// run is one bench with what it has found.
type run struct {
	Options
	pool   *python.Pool
	report report.Report
}

// Run measures. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	for of, value := range map[*int]int{&opt.Calls: 20_000, &opt.Workers: most, &opt.Runaway: 20} {
		if *of == 0 {
			*of = value
		}
	}
	if opt.Calls < 0 || opt.Workers < 0 || opt.Workers > most || opt.Runaway < 0 {
		return report.Report{}, fmt.Errorf("bench python: at least one call and at most %d workers: %w", most, fault.Invalid)
	}
	pool, err := python.New(python.Options{})
	if err != nil {
		return report.Report{}, err
	}
	defer func() { _ = pool.Close() }()
	if err := pool.SelfTest(ctx); err != nil {
		return report.Report{}, err
	}
	r := run{Options: opt, pool: pool, report: report.Report{Name: "python", Machine: report.Here(time.Now())}}
	r.report.Params.Add("calls", opt.Calls)
	r.report.Params.Add("workers", opt.Workers)
	for _, step := range []func(context.Context) error{r.warm, r.runaway, r.weigh} {
		if err := step(ctx); err != nil {
			return report.Report{}, err
		}
	}
	r.report.Notes = []string{
		"A warm call goes through the pool to a sandboxed interpreter and back, JSON both ways. An opened group has its interpreter started and its module " +
			"imported; no call waits for that. A runaway is dead when no process of its sandbox holds a pipe any more. Memory is the proportional set " +
			"size of bubblewrap and the interpreter.",
	}
	return r.report, nil
}

func (r *run) open(ctx context.Context, t byte, code string) (tool.Runner, error) {
	g, _, err := python.Parse(python.Bundle{Plugin: []byte(plugin), Files: map[string][]byte{"m.py": []byte(code)}})
	if err != nil {
		return nil, err
	}
	return r.pool.Open(ctx, tenant.ID{t}, g)
}

func call(name string) tool.Call {
	c := tool.Call{
		Tenant: tenant.ID{1}, Key: "k", Name: name, Args: json.RawMessage(`{"place":"Almaty","seats":2}`),
		Scene: tool.Scene{
			Session: "0190", Channel: "web", Mode: "auto", Language: "en", Now: time.Now(),
			Results: map[string]string{"name": "Aigul"}, Env: map[string]string{"API_KEY": "abcdefgh"},
		},
	}
	if name == "loop" {
		c.Args = json.RawMessage("{}")
	}
	return c
}

// calls runs n calls one after the other and gives how long each took, in µs.
func calls(ctx context.Context, t tool.Runner, name string, n int) (micros []float64, err error) {
	for range n {
		start := time.Now()
		if _, err := t.Run(ctx, call(name)); err != nil {
			return nil, err
		}
		micros = append(micros, float64(time.Since(start))/float64(time.Microsecond))
	}
	return micros, nil
}

func (r *run) warm(ctx context.Context) error {
	t, err := r.open(ctx, 1, source)
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	plot := report.Plot{Title: "A warm call", Unit: "µs", Lines: []report.Line{{Name: "p50 wanted", At: wantedWarm}}}
	for _, name := range []string{"plain", "awaited"} {
		micros, err := calls(ctx, t, name, r.Calls)
		if err != nil {
			return err
		}
		d := report.Of(micros)
		r.report.Metrics.Add("warm_"+name+"_us", d)
		plot.Series = append(plot.Series, report.Series{Name: name, Values: micros})
		if name == "plain" {
			r.report.Gates = append(r.report.Gates, report.Gate{Name: "warm call p50", Want: wantedWarm, Got: d.P50, Unit: "µs"})
		}
	}
	r.report.Plots = append(r.report.Plots, plot)
	var all sync.WaitGroup
	errs := make(chan error, together)
	start := time.Now()
	for range together {
		all.Go(func() {
			if _, err := calls(ctx, t, "plain", r.Calls/together); err != nil {
				errs <- err
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	r.report.Metrics.Add("calls_per_second_8", float64(r.Calls/together*together)/time.Since(start).Seconds())
	return nil
}

func (r *run) runaway(ctx context.Context) error {
	t, err := r.open(ctx, 1, source)
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	var late []float64
	for range r.Runaway {
		start := time.Now()
		if _, err := t.Run(ctx, call("loop")); fault.KindOf(err) != fault.Unavailable {
			return fmt.Errorf("bench python: a runaway ended otherwise: %w", err)
		}
		late = append(late, float64(time.Since(start)-runawayLimit)/float64(time.Millisecond))
	}
	d := report.Of(late)
	r.report.Metrics.Add("runaway_dead_after_deadline_ms", d)
	r.report.Gates = append(r.report.Gates, report.Gate{Name: "runaway dead after its deadline, p99", Want: wantedDead, Got: d.P99, Unit: "ms"})
	return nil
}

// weigh opens groups that differ, so that each has an interpreter of its own.
func (r *run) weigh(ctx context.Context) error {
	var runners []tool.Runner
	defer func() {
		for _, t := range runners {
			_ = t.Close()
		}
	}()
	before, err := memory()
	if err != nil {
		return err
	}
	var opened []float64
	for i := range r.Workers {
		start := time.Now()
		t, err := r.open(ctx, 2, fmt.Sprintf("%s\nnumber = %d\n", source, i))
		if err != nil {
			return err
		}
		opened = append(opened, float64(time.Since(start))/float64(time.Millisecond))
		runners = append(runners, t)
	}
	after, err := memory()
	if err != nil {
		return err
	}
	r.report.Metrics.Add("open_group_ms", report.Of(opened))
	gigabytes := float64(after-before) / 1e9 * most / float64(r.Workers)
	r.report.Metrics.Add("worker_mb", float64(after-before)/1e6/float64(r.Workers))
	r.report.Gates = append(r.report.Gates, report.Gate{Name: "64 workers", Want: wantedWorkers, Got: gigabytes, Unit: "GB"})
	return nil
}

// memory is the proportional set size of all processes that this one has
// started, and theirs (proc(5)), in bytes.
func memory() (total int64, err error) {
	pids := []string{fmt.Sprint(os.Getpid())}
	for i := 0; i < len(pids); i++ {
		tasks, err := os.ReadDir("/proc/" + pids[i] + "/task")
		if err != nil {
			continue // it has ended
		}
		for _, t := range tasks {
			text, err := os.ReadFile("/proc/" + pids[i] + "/task/" + t.Name() + "/children")
			if err == nil {
				pids = append(pids, strings.Fields(string(text))...)
			}
		}
		if i == 0 {
			continue // this process is not weighed
		}
		text, err := os.ReadFile("/proc/" + pids[i] + "/smaps_rollup")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		var kilo int64
		if _, err := fmt.Sscan(rest, &kilo); err == nil {
			total += kilo << 10
		}
	}
	if len(pids) == 1 {
		return 0, fmt.Errorf("bench python: /proc shows no children: %w", fault.Unavailable)
	}
	return total, nil
}
