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
	"flametree/media/codec"
)

// Options of a run. The zero value is one call of a minute.
type Options struct {
	Calls     int
	Length    time.Duration // during which all calls are up
	Period    time.Duration // from one turn of a caller to the next, 3 to 14 s; default 10 s
	Interrupt int           // every how many turns the caller interrupts; default 5
	Script    rig.Script    // default: 40 ms, 120 ms, 10 ms, 60 ms
	Profile   string        // file for a CPU profile of the server; "" = none
	Codec     string        // that callers offer; default PCMU
	Browser   bool          // callers are browsers: no SIP
	Mode      string        // "" whole calls; Packets: legs alone, without ears, mouth and journal
}

// Packets is the mode that measures legs alone.
const Packets = "rtp"

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
	if o.Browser {
		o.Codec = "opus"
	}
	if o.Codec == "" {
		o.Codec = "PCMU"
	}
	if _, err := codec.Find(o.Codec); err != nil || o.Mode != "" && o.Mode != Packets {
		return fmt.Errorf("bench voice: codec %q, mode %q: want a codec such as PCMU or opus, and no mode or %s: %w", o.Codec, o.Mode, Packets, fault.Invalid)
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
func (o *Options) plan(to rig.Ready) plan {
	var browser *Browser
	if o.Browser {
		browser = &Browser{HTTP: to.HTTP, Agent: to.Agent.ID, Token: to.Agent.Token}
	}
	return plan{
		Target: to.Agent.SIP, Browser: browser, Calls: o.Calls, Length: o.Length, Period: o.Period, Utterance: o.Period*52/100 + breath,
		Reply: o.Script.Spoken(), Interrupt: o.Interrupt, Stagger: min(mostStagger, o.Period/time.Duration(o.Calls)),
		Codec: o.Codec, Packets: o.Mode == Packets,
	}
}

// usage is what the server used while all calls were up.
type usage struct {
	cpu, took     time.Duration
	before, after int64 // bytes resident
	idle, busy    rig.Heap
	disk          []float64
	legs          legsSum // in the mode of legs alone
}

// memory is what a call holds on heap and stacks.
func (u *usage) memory(calls int) float64 {
	return (float64(u.busy.Bytes) - float64(u.idle.Bytes)) / float64(calls)
}

// share is what a call takes of a core, in percent.
func (u *usage) share(calls int) float64 {
	return 100 * u.cpu.Seconds() / u.took.Seconds() / float64(calls)
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
	if opt.Mode == Packets {
		return opt.packets(ctx, dir)
	}
	server := rig.Server{
		Data: dir, Script: opt.Script, Phone: true,
		Agent: rig.Agent("inbound_voice", "VOICE_RECORD", "True"),
	}
	calls, used, err := opt.call(ctx, child{rig.ServerName, server}, dir)
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

// child is a serving child and what it is told first. It answers rig.Ready, and
// understands rig.Wish.
type child struct {
	name  string
	first any
}

// call runs both children and watches the server while all calls are up.
func (o *Options) call(ctx context.Context, who child, dir string) (calls []called, used usage, err error) {
	server, err := rig.Spawn(ctx, who.name, who.first)
	if err != nil {
		return nil, used, err
	}
	defer func() { err = errors.Join(err, server.End()) }()
	var ready rig.Ready
	if err := server.Hear(&ready); err != nil {
		return nil, used, err
	}
	weigh := func(h any) error { return errors.Join(server.Tell(rig.Wish{Heap: true}), server.Hear(h)) }
	if err := weigh(&used.idle); err != nil {
		return nil, used, err
	}
	if used.before, err = rig.RSS(server.PID()); err != nil {
		return nil, used, err
	}
	callers, err := rig.Spawn(ctx, CallersName, o.plan(ready))
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
	if err := used.watch(ctx, server.PID(), dir, func() error { return callers.Hear(&closing) }); err != nil {
		return nil, used, err
	}
	// All calls are up for as long as it takes an agent to finish.
	if err := errors.Join(weigh(&used.busy), callers.Hear(&end)); err != nil {
		return nil, used, err
	}
	if o.Mode == Packets {
		err = weigh(&used.legs)
	}
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
	r := o.head()
	r.Params.Add("period_s", o.Period.Seconds())
	r.Params.Add("interrupt_every", o.Interrupt)
	r.Params.Add("stt_final_ms", millis(o.Script.Final))
	r.Params.Add("llm_first_ms", millis(o.Script.FirstToken))
	r.Params.Add("tts_first_ms", millis(o.Script.FirstByte))
	r.Metrics = o.metrics(f, used)
	r.Checks = f.checks()
	r.Gates = o.gates(f, used)
	r.Plots = o.plots(f)
	r.Notes = []string{
		"Overhead: the agent's first packet with sound at the caller's socket (kernel time), less the instant the turn was due to be committed, " +
			"less the scripted delays of model and voice, less the pacer's slot.",
		"Silence: the agent's last packet with sound, less the decision that silenced it: the pause, or the yield where none came first. " +
			"Interrupt to silence: the same packet, less the caller's first one.",
		"Memory per call: heap and stacks with all calls up, less those without, after collections..",
		"Disk sync: a small append and fsync beside the run, ten times a second. A turn waits for at least one before it may be heard.",
	}
	return r
}

// head is what every report of this bench begins with.
func (o *Options) head() report.Report {
	r := report.Report{Name: "voice", Machine: report.Here(time.Now())}
	r.Params.Add("calls", o.Calls)
	r.Params.Add("seconds", o.Length.Seconds())
	r.Params.Add("codec", o.Codec)
	if o.Mode != "" {
		r.Params.Add("mode", o.Mode)
	}
	if o.Browser {
		r.Name = "webrtc"
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
	m.Add("cpu_percent_per_call", used.share(o.Calls))
	m.Add("memory_bytes_per_call", used.memory(o.Calls))
	m.Add("goroutines_per_call", float64(used.busy.Goroutines-used.idle.Goroutines)/float64(o.Calls))
	m.Add("rss_bytes_per_call", (used.after-used.before)/int64(o.Calls))
	m.Add("rss_bytes", used.after)
	m.Add("setup_ms", report.Of(f.setup))
	if o.Browser {
		m.Add("answer_ms", report.Of(f.answer))
	}
	m.Add("disk_sync_ms", report.Of(used.disk))
	m.Add("pacer_wait_ms", report.Of(f.pacerWait))
	var stages report.Values
	for _, name := range slices.Sorted(maps.Keys(f.stages)) {
		stages.Add(name, report.Of(f.stages[name]))
	}
	m.Add("stages_ms", stages)
	m.Add("speech_percent", 100*f.voiced.Seconds()/max(f.onLine.Seconds(), 1e-9))
	m.Add("dials_refused", f.refused)
	m.Add("turns", f.turnsClosed)
	m.Add("speculations", f.guesses)
	m.Add("turns_thought_ahead", f.ahead)
	m.Add("interruptions", f.yields)
	m.Add("packets", f.received+f.sent)
	m.Add("recorded_s", f.recorded.Seconds())
	return m
}

// wanted is the overhead that was promised, in milliseconds: for a single call,
// for up to a hundred, and for more.
func (o *Options) wanted() (p50, p99 float64) {
	switch {
	case o.Browser && o.Calls > 1:
		return 4, 40
	case o.Calls == 1:
		return 5, 25
	case o.Calls <= 100:
		return 3, 20
	}
	return 6, 40
}

// Promises about what a call costs.
const (
	wantPacing  = 5.0      // ms, p99
	wantQuiet   = 40.0     // ms, p99
	wantSetup   = 30.0     // ms, p50, of a browser's call: offer to connection
	wantCPU     = 0.3      // percent of a core
	wantPackets = 0.06     // the same, of legs alone
	wantNarrow  = 250 * kB // bytes, G.711
	wantWide    = 400 * kB // the same, wide codecs
	kB          = 1000.0
)

// gates are the promises beside what was measured. What a call costs is not told
// of one alone, which carries what the whole process costs.
func (o *Options) gates(f figures, used usage) []report.Gate {
	p50, p99 := o.wanted()
	over, quiet, after := report.Of(f.overhead), report.Of(f.silence), report.Of(f.afterYield)
	g := []report.Gate{
		{Name: "overhead p50", Want: p50, Got: over.P50, Unit: "ms"},
		{Name: "overhead p99", Want: p99, Got: over.P99, Unit: "ms"},
		{Name: "silence p99", Want: wantQuiet, Got: quiet.P99, Unit: "ms"},
		{Name: "silence after a yield p99", Want: wantQuiet, Got: after.P99, Unit: "ms"},
	}
	if o.Browser { // what is promised of its calls
		g = []report.Gate{g[0], {Name: "set-up p50", Want: wantSetup, Got: report.Of(f.setup).P50, Unit: "ms"}}
		return append(g, o.carried(f)[1])
	}
	if o.Calls > 1 {
		g = append(g, o.carried(f)...)
		g = append(g, report.Gate{Name: "CPU per call", Want: wantCPU, Got: used.share(o.Calls), Unit: "%"}, o.weight(used))
	}
	return g
}

// carried are the promises about packets.
func (o *Options) carried(f figures) []report.Gate {
	return []report.Gate{
		{Name: "pacing p99", Want: wantPacing, Got: report.Of(f.pacing).P99, Unit: "ms"},
		{Name: "lost packets", Want: 0, Got: float64(f.lost)},
	}
}

func (o *Options) weight(used usage) report.Gate {
	g := report.Gate{Name: "memory per call", Want: wantWide, Got: used.memory(o.Calls), Unit: "B"}
	if o.Codec == "PCMU" || o.Codec == "PCMA" {
		g.Want = wantNarrow
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
