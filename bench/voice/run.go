package voice

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"flametree/bench/report"
	"flametree/bench/rig"
	"flametree/engine/fault"
)

// Options of a run. The zero value is one call of a minute.
type Options struct {
	Calls     int
	Length    time.Duration // during which all calls are up
	Period    time.Duration // from one turn of a caller to the next, 3 to 14 s; default 10 s
	Interrupt int           // every how many turns the caller interrupts; default 5
	Script    rig.Script    // default: 40 ms, 120 ms, 10 ms, 60 ms
	Profile   string        // file for a CPU profile of the server; "" = none
}

func (o *Options) fill() error {
	if o.Calls == 0 {
		o.Calls = 1
	}
	if o.Length == 0 {
		o.Length = time.Minute
	}
	if o.Period == 0 {
		o.Period = 10 * time.Second
	}
	if o.Interrupt == 0 {
		o.Interrupt = 5
	}
	if o.Script == (rig.Script{}) {
		o.Script = rig.Script{
			Final: 40 * time.Millisecond, FirstToken: 120 * time.Millisecond, Token: 10 * time.Millisecond, FirstByte: 60 * time.Millisecond,
		}
	}
	if o.Script.Reply == "" {
		o.Script.Reply = rig.Reply(max(9, int(o.Period*28/100/rig.WordTime)))
	}
	if o.Calls < 1 || o.Length < 0 || o.Interrupt < 2 || o.Period < 3*time.Second || o.Period > 14*time.Second {
		return fmt.Errorf("bench voice: at least 1 call, a turn every 3 to 14 s, an interruption at most every 2 turns: %w", fault.Invalid)
	}
	return nil
}

// The callers come one after the other, evenly over a period where that is
// soon enough.
const mostStagger = 100 * time.Millisecond

// plan makes callers speak for half of the time, so that what of it is voice is
// over 40 percent; a good quarter is the agent's, the rest goes into waiting
// for the end of the turn.
func (o *Options) plan(target string) plan {
	return plan{
		Target: target, Calls: o.Calls, Length: o.Length, Period: o.Period, Utterance: o.Period*52/100 + breath,
		Reply: o.Script.Spoken(), Interrupt: o.Interrupt, Stagger: min(mostStagger, o.Period/time.Duration(o.Calls)),
	}
}

// usage is what the server used while all calls were up.
type usage struct {
	cpu, took     time.Duration
	before, after int64 // bytes resident
	disk          []float64
}

// Run makes the calls and judges them. A report comes also with an error of
// sums that do not come out. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	if err := opt.fill(); err != nil {
		return report.Report{}, err
	}
	dir, err := os.MkdirTemp("", "bench-voice-")
	if err != nil {
		return report.Report{}, fmt.Errorf("bench voice: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server := rig.Server{
		Data: dir, Script: opt.Script, Phone: true,
		Agent: rig.Agent("inbound_voice", "VOICE_RECORD", "True"),
	}
	calls, used, err := opt.call(ctx, server)
	if err != nil {
		return report.Report{}, err
	}
	journal, err := read(ctx, server)
	if err != nil {
		return report.Report{}, err
	}
	f := judge(calls, journal, opt.Script)
	r := opt.report(f, used)
	if len(f.faults) > 0 {
		slices.Sort(f.faults)
		err = fmt.Errorf("bench voice: %d calls failed, such as: %s: %w", len(f.faults), f.faults[0], fault.Unavailable)
	}
	return r, errors.Join(err, r.Failed())
}

// call runs both children and watches the server while all calls are up.
func (o *Options) call(ctx context.Context, s rig.Server) (calls []called, used usage, err error) {
	server, err := rig.Spawn(ctx, rig.ServerName, s)
	if err != nil {
		return nil, used, err
	}
	defer func() { err = errors.Join(err, server.End()) }()
	var ready rig.Ready
	if err := server.Hear(&ready); err != nil {
		return nil, used, err
	}
	if used.before, err = rig.RSS(server.PID()); err != nil {
		return nil, used, err
	}
	callers, err := rig.Spawn(ctx, CallersName, o.plan(ready.Agent.SIP))
	if err != nil {
		return nil, used, err
	}
	defer func() { err = errors.Join(err, callers.End()) }()
	var up, closing, end news
	if err := callers.Hear(&up); err != nil {
		return nil, used, err
	}
	if o.Profile != "" {
		var begun bool
		if err := errors.Join(server.Tell(rig.Wish{Profile: o.Profile}), server.Hear(&begun)); err != nil {
			return nil, used, err
		}
	}
	if err := used.watch(ctx, server.PID(), s.Data, func() error { return callers.Hear(&closing) }); err != nil {
		return nil, used, err
	}
	err = callers.Hear(&end)
	return end.Calls, used, err
}

// watch sees what the server uses, and what the disk takes, until all is over.
func (u *usage) watch(ctx context.Context, pid int, dir string, over func() error) error {
	begun := time.Now()
	cpu, err := rig.CPU(pid)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var probing sync.WaitGroup
	var probed error
	probing.Go(func() { u.disk, probed = rig.Probe(ctx, dir) })
	err = over()
	stop()
	probing.Wait()
	if err = errors.Join(err, probed); err != nil {
		return err
	}
	u.took = time.Since(begun)
	if u.cpu, err = rig.CPU(pid); err != nil {
		return err
	}
	u.cpu -= cpu
	u.after, err = rig.RSS(pid)
	return err
}

func (o *Options) report(f figures, used usage) report.Report {
	r := report.Report{Name: "voice", Machine: report.Here(time.Now())}
	r.Params.Add("calls", o.Calls)
	r.Params.Add("seconds", o.Length.Seconds())
	r.Params.Add("period_s", o.Period.Seconds())
	r.Params.Add("interrupt_every", o.Interrupt)
	r.Params.Add("stt_final_ms", millis(o.Script.Final))
	r.Params.Add("llm_first_ms", millis(o.Script.FirstToken))
	r.Params.Add("tts_first_ms", millis(o.Script.FirstByte))
	r.Metrics = o.metrics(f, used)
	r.Checks = f.checks()
	r.Gates = o.gates(f)
	r.Plots = o.plots(f)
	r.Notes = []string{
		"Overhead: the agent's first packet with sound at the caller's socket (kernel time), less the instant the turn was due to be committed, " +
			"less the scripted delays of model and voice, less the pacer's slot.",
		"Silence: the agent's last packet with sound, less the decision that silenced it: the pause, or the yield where none came first. " +
			"Interrupt to silence: the same packet, less the caller's first one.",
		"Disk sync: a small append and fsync beside the run, ten times a second. A turn waits for at least one before it may be heard.",
	}
	return r
}

func (o *Options) metrics(f figures, used usage) report.Values {
	var m report.Values
	m.Add("overhead_ms", report.Of(f.overhead))
	m.Add("silence_ms", report.Of(f.silence))
	m.Add("silence_after_yield_ms", report.Of(f.afterYield))
	m.Add("interrupt_to_silence_ms", report.Of(f.interrupt))
	m.Add("pacing_ms", report.Of(f.pacing))
	m.Add("lost_packets", f.lost)
	m.Add("cpu_percent_per_call", 100*used.cpu.Seconds()/used.took.Seconds()/float64(o.Calls))
	m.Add("rss_bytes_per_call", (used.after-used.before)/int64(o.Calls))
	m.Add("rss_bytes", used.after)
	m.Add("setup_ms", report.Of(f.setup))
	m.Add("disk_sync_ms", report.Of(used.disk))
	m.Add("pacer_wait_ms", report.Of(f.pacerWait))
	var stages report.Values
	for _, name := range slices.Sorted(maps.Keys(f.stages)) {
		stages.Add(name, report.Of(f.stages[name]))
	}
	m.Add("stages_ms", stages)
	m.Add("speech_percent", 100*f.voiced.Seconds()/max(f.onLine.Seconds(), 1e-9))
	m.Add("turns", f.turnsClosed)
	m.Add("speculations", f.guesses)
	m.Add("turns_thought_ahead", f.ahead)
	m.Add("interruptions", f.yields)
	m.Add("packets", f.received+f.sent)
	m.Add("recorded_s", f.recorded.Seconds())
	return m
}

// wanted is the overhead that was promised, in milliseconds: for a single call,
// and for many.
func (o *Options) wanted() (p50, p99 float64) {
	if o.Calls == 1 {
		return 5, 25
	}
	return 10, 60
}

// gates are the promises beside what was measured.
func (o *Options) gates(f figures) []report.Gate {
	p50, p99 := o.wanted()
	over, quiet := report.Of(f.overhead), report.Of(f.silence)
	g := []report.Gate{
		{Name: "overhead p50", Want: p50, Got: over.P50, Unit: "ms"},
		{Name: "overhead p99", Want: p99, Got: over.P99, Unit: "ms"},
		{Name: "silence p99", Want: 40, Got: quiet.P99, Unit: "ms"},
	}
	if o.Calls > 1 {
		g = append(g, report.Gate{Name: "lost packets", Want: 0, Got: float64(f.lost)})
	}
	return g
}

func (o *Options) plots(f figures) []report.Plot {
	p50, p99 := o.wanted()
	return []report.Plot{
		{
			Title: "Overhead of a turn", Unit: "ms", Series: []report.Series{{Name: "overhead", Values: f.overhead}},
			Lines: []report.Line{{Name: "p50 wanted", At: p50}, {Name: "p99 wanted", At: p99}},
		},
		{
			Title: "Interrupted: from the caller's first packet to the agent's last", Unit: "ms",
			Series: []report.Series{{Name: "interrupt to silence", Values: f.interrupt}},
		},
		{Title: "Pacing: distance of a packet gap from 20 ms", Unit: "ms", Series: []report.Series{{Name: "pacing", Values: f.pacing}}},
		{Title: "Set-up: from INVITE to answer", Unit: "ms", Series: []report.Series{{Name: "set-up", Values: f.setup}}},
	}
}
