package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flametree/cluster/voicescript"
	"flametree/cluster/voicescript/example"
	"flametree/engine/fault"
	"flametree/engine/scenario"
	"flametree/engine/workflow/located"
)

type scenarioCmd struct {
	Run      scenarioRunCmd      `cmd:"" help:"Call an agent as scenarios say, over real SIP and RTP, and judge the sound that comes back."`
	Validate scenarioValidateCmd `cmd:"" help:"Check scenarios without a call: every fault with its line and column."`
	Example  scenarioExampleCmd  `cmd:"" help:"Print a scenario to begin with."`
}

// Help implements kong.HelpProvider.
func (scenarioCmd) Help() string {
	return `A scenario is a telephone conversation in a YAML file: what the caller says and when, over which line, and what is expected of the agent.

    agent: bank.yaml
    line: {loss: 3%}
    noise: {kind: babble, snr: 20dB}
    steps:
      - expect: {says: [hello]}
      - say: What does the card cost?
        expect: {answers_within: 2500ms, says: [no monthly fee]}
      - say: Sorry, I mean the other one.
        when: while the agent speaks, after 700ms
        expect: {silent_within: 900ms}
      - hang_up
    end: {status: completed}

Acts of a step: say, wav, sound (cough click breath), digits, wait, hang_up. When: "after the answer" (also where nothing is said), "after 1s of silence", "while the agent speaks, after 700ms", "at 2.3s", "at once". Pauses stand within what is said: "My number is [600ms] five five".

Expectations of a step: says, says_any, says_not (recognised in the sound; words_right: 70% says how well), understood, answers_within, silent_within, goes_on_for, no_answer_for, interrupted, state, results, calls. At the end also: status, recording, every_answer_within, lasts_at_most.

Begin with: flametree scenario example > bank.scenario.yaml`
}

type scenarioExampleCmd struct{}

// Run implements the command.
func (scenarioExampleCmd) Run(e *Env) error {
	e.printf("%s", example.Text())
	return nil
}

type scenarioValidateCmd struct {
	Files []string `arg:"" help:"Scenario files." type:"existingfile"`
}

// Run implements the command.
func (v *scenarioValidateCmd) Run(e *Env) error {
	var faults []error
	for _, name := range v.Files {
		s, notes, err := readScenario(name)
		for _, n := range notes {
			e.printf("%s: warning: %s\n", name, n)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		e.printf("%s: %d steps, good\n", name, len(s.Steps))
	}
	return errors.Join(faults...)
}

// readScenario reads a scenario and gives it a name.
func readScenario(name string) (*scenario.Scenario, []located.Note, error) {
	text, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		return nil, nil, fmt.Errorf("scenario: %w: %w", fault.Invalid, err)
	}
	s, notes, err := scenario.Parse(text)
	if err != nil {
		return nil, notes, fmt.Errorf("%s: %w", name, err)
	}
	base, _, _ := strings.Cut(filepath.Base(name), ".")
	s.File, s.Name = name, cmp.Or(s.Name, base)
	return s, notes, nil
}

type scenarioRunCmd struct {
	Files    []string `arg:"" help:"Scenario files." type:"existingfile"`
	Server   string   `placeholder:"ADDR" help:"SIP address (host:port) of a server that runs, or its data folder. States, results and tools are only known through the data folder. Without it each agent gets a server of its own for as long as it is called."`
	Repeat   int      `default:"1" help:"Play each scenario so often, with seeds that count up."`
	Seed     *uint64  `help:"Seed of noise and of what happens to packets, in place of the file's."`
	Parallel int      `default:"1" help:"How many calls go on at once. Delays suffer on a machine that is too small for them."`
	Out      string   `placeholder:"DIR" help:"Folder for what each run leaves: WAV (left the caller, right the agent), picture (SVG), page (HTML), JSON." type:"path"`
	JSON     bool     `name:"json" help:"Print one object a run."`
	Quiet    bool     `help:"Print the last line only, and what failed."`
}

// Help implements kong.HelpProvider.
func (scenarioRunCmd) Help() string { return scenarioCmd{}.Help() }

// take is one run of one scenario.
type take struct {
	scenario *scenario.Scenario
	name     string // of its files
	outcome  voicescript.Outcome
	err      error
}

// Run implements the command.
func (r *scenarioRunCmd) Run(ctx context.Context, e *Env) (err error) {
	if r.Repeat < 1 || r.Parallel < 1 || r.Repeat > 10_000 || r.Parallel > 1000 {
		return fmt.Errorf("--repeat is 1 to 10000 and --parallel 1 to 1000: %w", fault.Invalid)
	}
	takes, err := r.takes(e)
	if err != nil {
		return err
	}
	begun := time.Now()
	show := &shower{env: e, run: r}
	stages := &stages{env: e, server: r.Server, tell: show.progress, ready: map[string]*stage{}}
	defer func() { err = errors.Join(err, stages.close()) }()
	if err := stages.open(ctx, takes); err != nil {
		return err
	}
	queue := make(chan *take, len(takes))
	for _, t := range takes {
		queue <- t
	}
	close(queue)
	var work sync.WaitGroup
	for range min(r.Parallel, len(takes)) {
		work.Go(func() {
			for t := range queue {
				if t.err = ctx.Err(); t.err == nil {
					t.outcome, t.err = stages.play(ctx, t)
				}
				show.take(t)
			}
		})
	}
	work.Wait()
	return show.sum(takes, time.Since(begun))
}

// takes reads the files; all faults of all files are told at once.
func (r *scenarioRunCmd) takes(e *Env) ([]*take, error) {
	var out []*take
	var faults []error
	names := map[string]int{}
	for _, file := range r.Files {
		s, notes, err := readScenario(file)
		for _, n := range notes {
			_, _ = fmt.Fprintf(e.Err, "%s: warning: %s\n", file, n)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		base, _, _ := strings.Cut(filepath.Base(file), ".")
		if names[base]++; names[base] > 1 {
			base = fmt.Sprintf("%s-%d", base, names[base])
		}
		for i := range r.Repeat {
			again := *s
			if r.Seed != nil {
				again.Seed = *r.Seed
			}
			again.Seed += uint64(i)
			name := base
			if r.Repeat > 1 {
				name = fmt.Sprintf("%s-seed%d", base, again.Seed)
				again.Name = fmt.Sprintf("%s, seed %d", s.Name, again.Seed)
			}
			out = append(out, &take{scenario: &again, name: name})
		}
	}
	return out, errors.Join(faults...)
}

// shower prints, one run after the other.
type shower struct {
	env *Env
	run *scenarioRunCmd
	mu  sync.Mutex
}

// progress prints what happens while it happens.
func (s *shower) progress(name string, at time.Duration, what string) {
	if s.run.Quiet || s.run.JSON {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run.Parallel > 1 {
		s.env.printf("%-24.24s ", name)
	}
	s.env.printf("%7.1f s  %s\n", at.Seconds(), what)
}

// take prints a run that is over.
func (s *shower) take(t *take) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := ""
	if t.err == nil && s.run.Out != "" {
		kept, t.err = voicescript.Write(s.run.Out, t.name, t.outcome)
	}
	r := t.outcome.Report
	switch {
	case t.err != nil:
		_, _ = fmt.Fprintf(s.env.Err, "%s: %v\n", t.scenario.Name, t.err)
	case s.run.JSON:
		_ = json.NewEncoder(s.env.Out).Encode(r) // as any other line
	case s.run.Quiet && r.Passed:
	default:
		s.show(t.scenario, r)
		if kept != "" {
			s.env.printf("  kept     %s\n", kept)
		}
	}
}

func (s *shower) show(sc *scenario.Scenario, r scenario.Report) {
	e := s.env
	verdict := "passed"
	if !r.Passed {
		verdict = "FAILED"
	}
	e.printf("\n%s: %s\n\n", r.Scenario, verdict)
	if !s.run.Quiet {
		e.printf("%s\n", r.Timeline())
		for _, line := range r.Story() {
			e.printf("%s\n", line)
		}
		e.printf("\n")
	}
	at := -1
	for _, v := range r.Verdicts {
		if v.Step != at {
			at = v.Step
			e.printf("  %s\n", stepName(sc, at))
		}
		e.printf("    %s\n", v)
	}
	if r.Fault != "" {
		e.printf("  ✗ %s\n", r.Fault)
	}
	e.printf("  session  %s, %s; the call ended: %s; seed %d\n", cmp.Or(r.Session, "not known"), cmp.Or(r.Status, "status not known"), r.Ended, r.Seed)
	p := r.Packets
	e.printf("  packets  %d sent, %d heard, %d missing", p.Sent, p.Heard, p.Missing)
	if p.RoadSeen > 0 {
		e.printf("; the road lost %d of %d, %d were overtaken", p.RoadLost, p.RoadSeen, p.Overtaken)
	}
	e.printf("\n")
}

func stepName(sc *scenario.Scenario, n int) string {
	if n == 0 {
		return "at the end"
	}
	return fmt.Sprintf("step %d  %s", n, scenario.Label(sc.Steps[n-1]))
}

// sum prints the last line and gives the error of the whole.
func (s *shower) sum(takes []*take, took time.Duration) error {
	passed, broken := 0, []error(nil)
	for _, t := range takes {
		if t.err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", t.scenario.Name, t.err))
		} else if t.outcome.Report.Passed {
			passed++
		}
	}
	if !s.run.JSON {
		s.env.printf("%d of %d passed in %s\n", passed, len(takes), took.Round(100*time.Millisecond))
	}
	switch {
	case len(broken) == len(takes):
		return broken[0]
	case passed < len(takes):
		return &failure{code: exitFailed, err: fmt.Errorf("%d of %d scenarios failed", len(takes)-passed, len(takes))}
	}
	return nil
}
