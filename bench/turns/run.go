package turns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"flametree/bench/report"
	"flametree/bench/rig"
	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/media/sip"
)

// Options of a run. The zero value of each means its default.
type Options struct {
	Seed  uint64 // of the dialogues
	N     int    // dialogues; default 200
	Calls int    // at once, at most; default 32
	Ears  string // truth or pocketsphinx; default truth
	Cases bool   // every case that went wrong is told in the notes
	Now   bool   // begins however busy the machine is
}

// kind is an agent that is measured.
type kind struct {
	name  string
	share int // of the dialogues: every how many
	env   []string
}

// kinds are the agents of a run. The fixed rule is the same machine with all
// that is measured here turned off.
func kinds() []kind {
	return []kind{
		{name: "ours", share: 1},
		{name: "unspeculating", share: 4, env: []string{"VOICE_SPECULATE", "False"}},
		{name: "baseline", share: 1, env: []string{
			"VOICE_EOT_MODEL", "none",
			"VOICE_EOT_MS", "500", "VOICE_EOT_FINISHED_MS", "500", "VOICE_EOT_UNFINISHED_MS", "500",
			"VOICE_EOT_LEARN", "False", "VOICE_BACKCHANNEL_WORDS", "0", "VOICE_SPECULATE", "False",
		}},
	}
}

func (o *Options) fill() error {
	if o.N == 0 {
		o.N = 200
	}
	if o.Calls == 0 {
		o.Calls = 32
	}
	if o.Ears == "" {
		o.Ears = "truth"
	}
	if o.N < 1 || o.N > 100_000 || o.Calls < 1 || o.Calls > 500 || o.Ears != "truth" && o.Ears != "pocketsphinx" {
		return fmt.Errorf("bench turns: 1 to 100,000 dialogues, 1 to 500 calls at once, ears of truth or pocketsphinx: %w", fault.Invalid)
	}
	o.Calls = min(o.Calls, o.N*len(kinds()))
	return nil
}

// Run holds the dialogues and judges them. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	if err := opt.fill(); err != nil {
		return report.Report{}, err
	}
	dir, err := os.MkdirTemp("", "bench-turns-")
	if err != nil {
		return report.Report{}, fmt.Errorf("bench turns: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	h := house{opt: opt, tallies: map[string]*tally{}, door: make(chan struct{}, 1)}
	if h.conf, err = (rig.Server{Data: dir, Phone: true}).Settings(); err != nil {
		return report.Report{}, err
	}
	h.conf.Metrics = "127.0.0.1:0"
	begun := time.Now()
	calls, err := h.hold(ctx)
	if err != nil {
		return report.Report{}, err
	}
	if err := h.judge(ctx, calls); err != nil {
		return report.Report{}, err
	}
	r := h.report(time.Since(begun))
	if len(h.faults) > 0 {
		err = fmt.Errorf("bench turns: %d calls failed, such as: %s: %w", len(h.faults), h.faults[0], fault.Unavailable)
	}
	return r, err
}

// house is the server and all that is known of its calls.
type house struct {
	opt     Options
	conf    config.Config
	slots   []*slot
	tallies map[string]*tally
	weather *weather
	stormy  bool // the machine was not calm before the first call

	door chan struct{} // full while a call begins

	mu     sync.Mutex
	faults []string
}

// job is a dialogue for one kind of agent.
type job struct {
	n    int
	kind kind
}

// call is one that took place.
type call struct {
	job
	seen seen
}

// providers gives each slot its own ears and model; the voice is everybody's.
func (h *house) providers(string) (node.Providers, error) {
	p, err := rig.Script{FirstByte: ttsFirst}.Providers("")
	if err != nil {
		return p, err
	}
	var hears provider.Transcriber
	if h.opt.Ears == "pocketsphinx" {
		all, err := node.Builtins(h.conf)
		if err != nil {
			return p, err
		}
		hears = all.Transcribers["builtin"]
	}
	for i, s := range h.slots {
		p.Completers[slotName(i)] = s
		p.Transcribers[slotName(i)] = s
		if hears != nil {
			p.Transcribers[slotName(i)] = hears
		}
	}
	return p, nil
}

func slotName(i int) string { return fmt.Sprintf("slot%d", i) }

// agentFile is the agent of one kind in one slot.
func agentFile(i int, k kind) node.AgentFile {
	text := rig.Agent("inbound_voice", k.env...)
	name := k.name + "-" + slotName(i)
	text = strings.NewReplacer(
		"name: Bench agent", "name: "+name, "alias: "+rig.Alias, "alias: "+name, "llm: fake", "llm: "+slotName(i), "stt: fake", "stt: "+slotName(i),
		rig.Greeting, "Hello. How can I help you?",
	).Replace(text)
	return node.AgentFile{Name: name, Text: []byte(text)}
}

// hold starts the server, holds every dialogue with every kind of agent, and
// stops it.
func (h *house) hold(ctx context.Context) ([]call, error) {
	var files []node.AgentFile
	for i := range h.opt.Calls {
		h.slots = append(h.slots, &slot{})
		h.slots[i].begin()
		for _, k := range kinds() {
			files = append(files, agentFile(i, k))
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := node.Start(ctx, node.Options{
		Config: h.conf, Providers: h.providers, Version: "bench", Agents: files, Log: log,
		Fatal: func(err error) { panic("the journal cannot go on: " + err.Error()) },
	})
	if err != nil {
		return nil, err
	}
	defer n.Stop(time.Second)
	targets := map[string]string{}
	for _, a := range n.Agents() {
		targets[a.Name] = a.SIP
	}
	phone, err := sip.Listen(ctx, sip.Options{UDP: "127.0.0.1:0", NewMedia: newLine, Log: log})
	if err != nil {
		return nil, err
	}
	defer h.observe(ctx, n.Addresses().Metrics)()
	calls, err := h.dialogues(ctx, phone, targets)
	return calls, errors.Join(err, phone.Close())
}

// observe follows how late the machine is until it is told to stop.
func (h *house) observe(ctx context.Context, metrics string) (stop func()) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: lookEvery}
	h.weather = &weather{ask: asking(client, metrics)}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { h.weather.watch(ctx) })
	return func() {
		cancel()
		done.Wait()
		client.CloseIdleConnections()
	}
}

// begin lets one call begin after the other, each when there is room for it.
func (h *house) begin(ctx context.Context) {
	h.door <- struct{}{}
	defer func() { <-h.door }()
	if !h.opt.Now {
		h.weather.room(ctx)
	}
	wait(ctx, spacing)
}

// dialogues works through all jobs, one call a slot at a time.
func (h *house) dialogues(ctx context.Context, phone *sip.Endpoint, targets map[string]string) ([]call, error) {
	studio, err := newStudio()
	if err != nil {
		return nil, err
	}
	if err := studio.rehearse(ctx, h.opt); err != nil {
		return nil, err
	}
	h.stormy = !h.opt.Now && !h.weather.settle(ctx)
	jobs := make(chan job)
	var calls []call
	var working sync.WaitGroup
	for i, s := range h.slots {
		working.Go(func() {
			for j := range jobs {
				h.begin(ctx)
				t := &talk{dialogue: write(h.opt.Seed, j.n), slot: s, studio: studio}
				err := hold(ctx, phone, targets[j.kind.name+"-"+slotName(i)], t, uint64(j.n))
				h.weather.sent(t.seen.frames, t.seen.late, t.seen.latest)
				h.mu.Lock()
				calls = append(calls, call{j, t.seen})
				h.fault(j, err)
				h.mu.Unlock()
			}
		})
	}
	for n := range h.opt.N {
		for _, k := range kinds() {
			if n%k.share != 0 || ctx.Err() != nil {
				continue
			}
			select {
			case jobs <- job{n, k}:
			case <-ctx.Done():
			}
		}
	}
	close(jobs)
	working.Wait()
	return calls, ctx.Err()
}

// fault notes a dialogue that could not be held. The mutex is held.
func (h *house) fault(j job, err error) {
	if err != nil {
		h.faults = append(h.faults, fmt.Sprintf("dialogue %d with %s: %v", j.n, j.kind.name, err))
	}
}

// judge judges the calls by what was heard and what the journal says.
func (h *house) judge(ctx context.Context, calls []call) (err error) {
	j, err := node.OpenJournal(h.conf, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return fmt.Errorf("read the run's journal: %w", err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	told, err := read(ctx, j)
	if err != nil {
		return err
	}
	slices.SortFunc(calls, func(a, b call) int { return a.n - b.n })
	for _, c := range calls {
		t := h.tallies[c.kind.name]
		if t == nil {
			t = &tally{}
			h.tallies[c.kind.name] = t
		}
		if story := told[c.seen.id]; story != nil {
			t.judge(&c.seen, story)
		}
	}
	return nil
}
