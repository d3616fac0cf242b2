package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/agent/demo"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/replay"
)

type demoCmd struct {
	JSON  bool   `name:"json" help:"Print one object."`
	WAV   string `name:"wav" help:"A WAV file that the caller says in place of the built-in script." type:"existingfile"`
	Out   string `help:"Where the stereo recording goes." default:"demo.wav"`
	Keep  bool   `help:"Keep the data folder; it is kept when --data is given."`
	Quiet bool   `help:"Do not show the server's log."`
}

// demoTurn is one turn as the demo shows it.
type demoTurn struct {
	Heard       string             `json:"heard"`
	Said        string             `json:"said"`
	Interrupted bool               `json:"interrupted"`
	Stages      map[string]float64 `json:"stages_ms"`
	order       []string
	waited      string
}

// demoReport is what `demo --json` prints.
type demoReport struct {
	Turns       []demoTurn        `json:"turns"`
	Results     map[string]string `json:"results"`
	Silence     float64           `json:"silence_after_yield_ms"`
	ReplayEqual bool              `json:"replay_equal"`
	Recording   string            `json:"recording"`
	Session     string            `json:"session"`
	Status      string            `json:"status"`
	differences []replay.Difference
}

// demoLines is the call of the demo: a greeting heard, a question, an
// interruption, a name, a goodbye.
func demoLines() []step {
	return []step{
		{Say: "What is the daily limit of the premium debit card?"},
		{Say: "Please tell me how I can get a new card."},
		{Say: "Sorry, how can I block a lost card?", Interrupt: 2500 * time.Millisecond},
		{Say: "My name is John Smith."},
		{Say: "No thank you, that is all. Goodbye."},
	}
}

// Run implements the command.
func (d *demoCmd) Run(ctx context.Context, e *Env) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	c, cleanup, err := d.settings(e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cleanup()) }()
	level := "warn"
	if d.Quiet || d.JSON {
		level = "error"
	}
	var files []node.AgentFile
	for _, f := range demo.Files() {
		files = append(files, node.AgentFile{Name: f.Name, Text: f.Text})
	}
	n, err := node.Start(ctx, node.Options{Config: c, Agents: files, Demo: true, Version: Version(), Log: e.logger(level)})
	if err != nil {
		return err
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			n.Stop(time.Second)
		}
	}
	defer stop()
	target := ""
	for _, a := range n.Agents() {
		if strings.Contains(a.SIP, "sip:bank@") {
			target = a.SIP
		}
	}
	if !d.JSON {
		e.printf("calling %s over SIP and RTP, from a second process\n\n", target)
	}
	heard, err := d.call(ctx, e, target)
	if err != nil {
		return err
	}
	out, err := d.read(ctx, n, heard)
	if err != nil {
		return err
	}
	stop()
	if err := d.show(e, out); err != nil {
		return err
	}
	if !out.ReplayEqual {
		return errDiffers
	}
	return nil
}

// settings puts the demo's server into a folder and on ports of its own.
func (d *demoCmd) settings(e *Env) (config.Config, func() error, error) {
	cleanup := func() error { return nil }
	if e.Flags["data"] == "" {
		dir, err := os.MkdirTemp("", "flametree-demo-")
		if err != nil {
			return config.Config{}, cleanup, err
		}
		e.Flags["data"] = dir
		if !d.Keep {
			cleanup = func() error { return os.RemoveAll(dir) }
		}
	}
	maps.Copy(e.Flags, map[string]string{
		"http": "127.0.0.1:0", "sip": "127.0.0.1:0", "rtp": "0-0", "metrics": "off", "disk.low": "64MB", "disk.ballast": "1MB",
	})
	c, err := e.settings()
	return c, cleanup, err
}

// call runs the caller in a second process.
func (d *demoCmd) call(ctx context.Context, e *Env, target string) (callerReport, error) {
	steps := demoLines()
	if d.WAV != "" {
		steps = []step{{WAV: d.WAV, Say: d.WAV}}
	}
	in, err := json.Marshal(steps)
	if err != nil {
		return callerReport{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return callerReport{}, err
	}
	var report callerReport
	cmd := exec.CommandContext(ctx, self, "caller", target)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, e.Err
	if err := cmd.Run(); err != nil {
		return report, fmt.Errorf("caller: %w: %w", fault.Unavailable, err)
	}
	return report, json.Unmarshal(out.Bytes(), &report)
}

// read takes the story of the call from the journal.
func (d *demoCmd) read(ctx context.Context, n *node.Node, heard callerReport) (demoReport, error) {
	s, err := n.LastSession(ctx)
	if err != nil {
		return demoReport{}, err
	}
	out := demoReport{Session: s.ID, Results: map[string]string{}, Status: string(s.Status)}
	j := n.Journal()
	events, err := collect(ctx, j, event.Stream{Tenant: s.Tenant, Kind: event.SessionStream, ID: s.ID})
	if err != nil {
		return out, err
	}
	out.tell(events)
	call, err := collect(ctx, j, event.Stream{Tenant: s.Tenant, Kind: event.CallStream, ID: s.Call})
	if err != nil {
		return out, err
	}
	out.Silence = silence(call, heard.Voice)
	if out.Recording, err = d.keep(ctx, n, s.ID, call); err != nil {
		return out, err
	}
	report, err := again(ctx, j, s.ID, nil)
	out.ReplayEqual, out.differences = err == nil && len(report.Differences) == 0, report.Differences
	return out, err
}

func (r *demoReport) tell(events []event.Envelope) {
	at := func(turn uint64) *demoTurn {
		for uint64(len(r.Turns)) <= turn {
			r.Turns = append(r.Turns, demoTurn{Stages: map[string]float64{}})
		}
		return &r.Turns[turn]
	}
	for _, e := range events {
		switch b := e.Body.(type) {
		case event.UtteranceHeard:
			at(b.Turn).Heard = b.Text.Text
		case event.ReplySpoken:
			t := at(b.Turn)
			t.Said = strings.TrimSpace(t.Said + " " + b.Text.Text)
			t.Interrupted = t.Interrupted || b.Interrupted
		case event.ResultSet:
			r.Results[b.Field] = b.Value.Text
		case event.TurnTimed:
			t := at(b.Turn)
			t.waited = b.Waited
			for _, s := range b.Stages {
				t.Stages[s.Name] = float64(s.Took.Microseconds()) / 1000
				t.order = append(t.order, s.Name)
			}
		default:
		}
	}
}

// silence is how long the agent was still heard after the decision to yield, at
// the caller's socket; the longest of all yields, in milliseconds.
func silence(call []event.Envelope, voice []voiceReport) float64 {
	var began int64
	worst := time.Duration(0)
	for _, e := range call {
		switch b := e.Body.(type) {
		case event.CallAnswered:
			began = b.Began
		case event.CallInputs:
			for _, in := range b.Inputs {
				at, ok := yielded(in)
				if !ok {
					continue
				}
				decided := began + int64(at)
				for _, v := range voice {
					if v.FirstNS <= decided && v.LastNS > decided {
						worst = max(worst, time.Duration(v.LastNS-decided))
					}
				}
			}
		default:
		}
	}
	return float64(worst.Microseconds()) / 1000
}

// yielded finds the instant of a decision to yield.
func yielded(in event.TurnInput) (time.Duration, bool) {
	for _, d := range in.Decisions {
		f := strings.Fields(d)
		if len(f) > 1 && f[1] == "yield" {
			at, err := time.ParseDuration(f[0])
			return at, err == nil
		}
	}
	return 0, false
}

// keep opens the sealed recording and copies it to where the user wants it.
func (d *demoCmd) keep(ctx context.Context, n *node.Node, session string, events []event.Envelope) (string, error) {
	for _, e := range events {
		if _, ok := e.Body.(event.RecordingClosed); !ok {
			continue
		}
		r, err := n.Recording(ctx, session)
		if err != nil {
			return "", err
		}
		f, err := os.Create(filepath.Clean(d.Out))
		if err != nil {
			return "", errors.Join(err, r.Close())
		}
		_, err = io.Copy(f, r)
		path, err2 := filepath.Abs(d.Out)
		return path, errors.Join(err, err2, f.Close(), r.Close())
	}
	return "", fmt.Errorf("the call has no recording: %w", fault.NotFound)
}

func (d *demoCmd) show(e *Env, r demoReport) error {
	if d.JSON {
		return json.NewEncoder(e.Out).Encode(r)
	}
	for i, t := range r.Turns {
		if t.Heard != "" || i > 0 {
			e.printf("caller  %s\n", t.Heard)
		}
		cut := ""
		if t.Interrupted {
			cut = " -- interrupted"
		}
		e.printf("agent   %s%s\n", t.Said, cut)
		waterfall(e, t)
		e.printf("\n")
	}
	for k, v := range r.Results {
		e.printf("result  %s = %s\n", k, v)
	}
	e.printf("session %s ended as %s\n", r.Session, r.Status)
	e.printf("silent  %.1f ms after the decision to yield, at the caller's socket\n", r.Silence)
	e.printf("stereo  %s (left the caller, right the agent)\n", r.Recording)
	if r.ReplayEqual {
		e.printf("replay  every decision came out the same\n")
	} else {
		e.printf("replay  %d decisions differ\n", len(r.differences))
		for _, x := range r.differences {
			e.printf("  at %d\n    recorded   %s\n    recomputed %s\n", x.Pos, x.Recorded, x.Recomputed)
		}
	}
	return nil
}

// waterfall draws the stages of a turn, 20 ms a character.
func waterfall(e *Env, t demoTurn) {
	for _, name := range t.order {
		ms := t.Stages[name]
		bar := strings.Repeat("#", min(60, int(ms/20)+1))
		note := ""
		if name == "eot" && t.waited != "" {
			note = " (" + t.waited + ")"
		}
		e.printf("        %-17s %8.1f ms %s%s\n", name, ms, bar, note)
	}
}
