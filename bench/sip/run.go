package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"flametree/bench/report"
	"flametree/bench/rig"
	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// Options of a run. The zero value is 500 calls a second for a minute.
type Options struct {
	Rate    float64       // calls a second
	Length  time.Duration // during which they are placed
	Hold    time.Duration // from ACK to BYE; default 100 ms
	Sockets int           // of the callers; default 4
	Peers   time.Duration // how long each peer is measured; less than 0: none; default 15 s
	Profile string        // file for a CPU profile of the server; "" = none
}

func (o *Options) fill() error {
	o.Rate = orElse(o.Rate, 500)
	o.Length = orElse(o.Length, time.Minute)
	o.Hold = orElse(o.Hold, 100*time.Millisecond)
	o.Sockets = orElse(o.Sockets, 4)
	o.Peers = orElse(o.Peers, 15*time.Second)
	if o.Rate < 0 || o.Length < 0 || o.Hold < 0 || o.Sockets < 1 || o.Sockets > 100 || o.Rate*o.Length.Seconds() < 1 {
		return fmt.Errorf("bench sip: at least one call, and 1 to 100 sockets: %w", fault.Invalid)
	}
	return nil
}

func orElse[T float64 | int | time.Duration](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}

func (o *Options) plan(target string, length time.Duration) plan {
	return plan{
		Target: target, User: rig.Alias, Rate: o.Rate, Calls: max(1, int(o.Rate*length.Seconds())), Hold: o.Hold, Sockets: o.Sockets,
	}
}

// result is what came of one of those who were called.
type result struct {
	tally
	cpu   time.Duration // of a call
	beats bool          // it was measured
}

// Run calls the server and its peers. A report comes also with an error of sums
// that do not come out. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	if err := opt.fill(); err != nil {
		return report.Report{}, err
	}
	dir, err := os.MkdirTemp("", "bench-sip-")
	if err != nil {
		return report.Report{}, fmt.Errorf("bench sip: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := run{Options: opt, dir: dir, server: rig.Server{
		Data: dir + "/data", Script: rig.Script{FirstToken: time.Second, FirstByte: 60 * time.Millisecond, Reply: rig.Reply(9)}, Phone: true,
		Agent: rig.Agent("inbound_voice"),
	}}
	if err := errors.Join(os.Mkdir(r.server.Data, 0o700), r.ours(ctx)); err != nil {
		return report.Report{}, err
	}
	if opt.Peers > 0 {
		if err := r.peers(ctx); err != nil {
			return report.Report{}, err
		}
	}
	out := r.report()
	return out, errors.Join(r.failures(), out.Failed())
}

// run is one run.
type run struct {
	Options
	dir    string
	server rig.Server

	us, bare, kamailio, sipp result
	before, after            rig.Heap
	journal                  ledger
	absent                   []string
}

// ours measures the server, with our callers and then with a foreign one.
func (r *run) ours(ctx context.Context) (err error) {
	server, err := rig.Spawn(ctx, ServerName, r.server)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, server.End()); err == nil {
			r.journal, err = count(ctx, r.server)
		}
	}()
	var ready rig.Ready
	if err := server.Hear(&ready); err != nil {
		return err
	}
	_, target, _ := strings.Cut(ready.Agent.SIP, "@")
	weight := func(h *rig.Heap) error {
		return errors.Join(server.Tell(rig.Wish{Heap: true}), server.Hear(h))
	}
	if err := weight(&r.before); err != nil {
		return err
	}
	if r.Profile != "" {
		var begun bool
		if err := errors.Join(server.Tell(rig.Wish{Profile: r.Profile}), server.Hear(&begun)); err != nil {
			return err
		}
	}
	spent := func() (time.Duration, error) { return rig.CPU(server.PID()) }
	if r.us, err = weigh(ctx, r.plan(target, r.Length), spent); err != nil {
		return err
	}
	if err := weight(&r.after); err != nil || r.Peers < 0 {
		return err
	}
	return r.foreign(ctx, r.plan(target, r.Peers), spent)
}

// foreign has sipp call the same server.
func (r *run) foreign(ctx context.Context, p plan, spent func() (time.Duration, error)) error {
	before, err := spent()
	if err != nil {
		return err
	}
	seen, err := p.sipp(ctx, r.dir)
	if errors.Is(err, errMissing) {
		r.absent = append(r.absent, "sipp")
		return nil
	}
	if err != nil {
		return err
	}
	if !until(ctx, time.Now().Add(settle)) {
		return ctx.Err()
	}
	after, err := spent()
	r.sipp = result{
		tally: tally{Completed: seen.completed, Failed: seen.failed, Repeated: seen.repeated}, cpu: (after - before) / time.Duration(p.Calls), beats: true,
	}
	return err
}

// settle is how long what follows a call may take: the last events, closed sockets.
const settle = time.Second

// weigh has our callers call somebody and says what that cost him.
func weigh(ctx context.Context, p plan, spent func() (time.Duration, error)) (r result, err error) {
	before, err := spent()
	if err != nil {
		return r, err
	}
	callers, err := rig.Spawn(ctx, CallersName, p)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, callers.End()) }()
	if err := callers.Hear(&r.tally); err != nil {
		return r, err
	}
	if !until(ctx, time.Now().Add(settle)) {
		return r, ctx.Err()
	}
	after, err := spent()
	r.cpu, r.beats = (after-before)/time.Duration(p.Calls), true
	return r, err
}

// peers measures bare sipgo, and Kamailio that relays to it.
func (r *run) peers(ctx context.Context) (err error) {
	bare, err := rig.Spawn(ctx, BareName, struct{}{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.End()) }()
	var ready bareReady
	if err := bare.Hear(&ready); err != nil {
		return err
	}
	if r.bare, err = weigh(ctx, r.plan(ready.At, r.Peers), func() (time.Duration, error) { return rig.CPU(bare.PID()) }); err != nil {
		return err
	}
	k, err := relay(ctx, r.dir, ready.At)
	if errors.Is(err, errMissing) {
		r.absent = append(r.absent, "kamailio")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.end()) }()
	r.kamailio, err = weigh(ctx, r.plan(k.at, r.Peers), k.cpu)
	return err
}

// ledger is what the journal tells of the run.
type ledger struct{ offered, ended, sessions, closed, events int }

// count reads the journal of a server that has ended.
func count(ctx context.Context, s rig.Server) (l ledger, err error) {
	c, err := s.Settings()
	if err != nil {
		return l, err
	}
	j, err := node.OpenJournal(c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return l, fmt.Errorf("read the run's journal: %w", err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	last := j.Position()
	for e, err := range j.Subscribe(ctx, 1) {
		if err != nil {
			return l, fmt.Errorf("read the run's journal: %w", err)
		}
		switch e.Body.(type) {
		case event.CallOffered:
			l.offered++
		case event.CallEnded:
			l.ended++
		case event.SessionCreated:
			l.sessions++
		case event.SessionEnded:
			l.closed++
		default:
		}
		if l.events++; e.Position >= last {
			break
		}
	}
	return l, nil
}

// failures names what kept calls from being completed.
func (r *run) failures() error {
	if r.us.Failed == 0 && r.sipp.Failed == 0 {
		return nil
	}
	var why []string
	for _, text := range slices.Sorted(maps.Keys(r.us.Faults)) {
		why = append(why, fmt.Sprintf("%d: %s", r.us.Faults[text], text))
	}
	return fmt.Errorf("bench sip: %d calls failed, %d of sipp: %s: %w", r.us.Failed, r.sipp.Failed, strings.Join(why, "; "), fault.Unavailable)
}

func (r *run) report() report.Report {
	out := report.Report{Name: "sip", Machine: report.Here(time.Now())}
	out.Params.Add("rate", r.Rate)
	out.Params.Add("seconds", r.Length.Seconds())
	out.Params.Add("hold_ms", millis(r.Hold))
	out.Params.Add("sockets", r.Sockets)
	m := &out.Metrics
	m.Add("calls", r.us.Completed)
	m.Add("failed", r.us.Failed)
	m.Add("setup_ms", report.Of(r.us.Setup))
	m.Add("cpu_ms_per_call", millis(r.us.cpu))
	m.Add("repeated", r.us.Repeated)
	m.Add("most_at_once", r.us.Most)
	m.Add("rate_reached", float64(r.us.Completed)/r.us.Took.Seconds())
	m.Add("caller_late_ms", report.Of(r.us.Late))
	m.Add("events_per_call", float64(r.journal.events)/float64(max(1, r.journal.offered)))
	m.Add("heap_bytes_kept_per_call", (float64(r.after.Bytes)-float64(r.before.Bytes))/float64(max(1, r.us.Completed+r.us.Failed)))
	m.Add("goroutines_before", r.before.Goroutines)
	m.Add("goroutines_after", r.after.Goroutines)
	for _, p := range []struct {
		name string
		of   result
	}{{"sipp_calls_us", r.sipp}, {"bare_sipgo", r.bare}, {"kamailio_relay", r.kamailio}} {
		if p.of.beats {
			m.Add(p.name, report.Values{
				{Name: "calls", Of: p.of.Completed},
				{Name: "failed", Of: p.of.Failed},
				{Name: "cpu_ms_per_call", Of: millis(p.of.cpu)},
				{Name: "setup_ms", Of: report.Of(p.of.Setup)},
				{Name: "repeated", Of: p.of.Repeated},
			})
		}
	}
	out.Gates = []report.Gate{
		{Name: "failed calls", Want: 0, Got: float64(r.us.Failed + r.sipp.Failed)},
		{Name: "CPU per call", Want: 0.4, Got: millis(r.us.cpu), Unit: "ms"},
	}
	placed := float64(r.us.Completed + r.us.Failed + r.sipp.Completed + r.sipp.Failed)
	out.Checks = []report.Check{
		{Name: "calls: placed, offered in the journal", Left: placed, Right: float64(r.journal.offered)},
		{Name: "calls: offered, ended in the journal", Left: float64(r.journal.offered), Right: float64(r.journal.ended)},
		{Name: "sessions: created, ended in the journal", Left: float64(r.journal.sessions), Right: float64(r.journal.closed)},
		{Name: "calls and sessions in the journal", Left: float64(r.journal.offered), Right: float64(r.journal.sessions)},
	}
	out.Plots = []report.Plot{{Title: "Set-up: from INVITE to 200", Unit: "ms", Series: []report.Series{{Name: "set-up", Values: r.us.Setup}}}}
	out.Notes = []string{
		"CPU per call: all that the server's process used, from before the first INVITE until a second after the last BYE, by the kernel's count. " +
			"It holds the media of the call while it is up, and its greeting. Admission by late packets is off here.",
		"Bare sipgo answers and makes nothing; Kamailio relays to it by tm with Record-Route, its figure is of its own processes. " +
			"Neither has media, session or journal.",
	}
	for _, name := range r.absent {
		out.Notes = append(out.Notes, name+" is not installed here: it was left out")
	}
	return out
}
