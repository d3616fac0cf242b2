package cmd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flametree/cluster/config"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool"
	"flametree/engine/tool/python"
	"flametree/gateway/egress"
)

type toolCmd struct {
	List toolListCmd `cmd:"" help:"List the tools and skills of a plugin; nothing of it runs."`
	Test toolTestCmd `cmd:"" help:"Run one tool or skill of a plugin in the sandbox and show what it gave; no server is needed."`

	Resource resourceCmd `cmd:"" help:"Files that several tool groups share: dependencies that no plugin needs to have beside it."`
}

type toolListCmd struct {
	File      string `arg:"" help:"YAML file of the plugin." type:"existingfile"`
	Resources string `help:"Folder that stands for the server's shared resources." type:"existingdir"`
}

// Run implements the command.
func (t *toolListCmd) Run(e *Env) error {
	g, err := plugin(e, t.File, t.Resources)
	if err != nil {
		return err
	}
	for _, one := range g.Tools() {
		e.printf("tool   %-24s %s  %s\n", one.Name, one.Timeout, oneLine(one.Description))
		e.printf("       %s\n", one.Schema)
	}
	for _, one := range g.Skills() {
		e.printf("skill  %-24s %s  %s\n", one.Name, one.Timeout, oneLine(one.Description))
	}
	if r := g.Requirements(); len(r) > 0 {
		e.printf("needs  %s\n", strings.Join(r, ", "))
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// plugin reads a plugin with what stands beside it, and in a folder of shared
// resources.
func plugin(e *Env, name, resources string) (*python.Group, error) {
	b, err := python.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := borrowed(&b, resources); err != nil {
		return nil, err
	}
	if m := b.Missing(); len(m) > 0 && resources == "" {
		e.printf("note: %s: not beside the plugin; --resources names a folder with shared resources\n", strings.Join(m, ", "))
	}
	g, notes, err := python.Parse(b)
	for _, n := range notes {
		e.printf("warning: %s\n", n)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

type toolTestCmd struct {
	File  string   `arg:"" help:"YAML file of the plugin." type:"existingfile"`
	Tool  string   `arg:"" help:"Name of the tool or skill (see flametree tool list)."`
	Args  string   `help:"Arguments, one JSON object." default:"{}"`
	Env   []string `help:"A variable for the code; may be given several times." placeholder:"KEY=VALUE" sep:"none"`
	Agent string   `help:"Agent file whose variables the code gets too." type:"existingfile"`

	Resources string `help:"Folder that stands for the server's shared resources." type:"existingdir"`
}

// Run implements the command.
func (t *toolTestCmd) Run(ctx context.Context, e *Env) error {
	g, err := plugin(e, t.File, t.Resources)
	if err != nil {
		return err
	}
	if err := t.fits(g); err != nil {
		return err
	}
	env, err := t.variables()
	if err != nil {
		return err
	}
	c, err := e.settings()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "flametree-tool-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out, err := t.run(ctx, e, g, place{settings: c, dir: dir, env: env})
	for _, l := range out.Logs {
		e.printf("log     %s\n", l)
	}
	for _, k := range sorted(out.Results) {
		e.printf("set     %s = %s\n", k, out.Results[k])
	}
	if err != nil {
		return fmt.Errorf("%w (after %s)", err, out.Took.Round(time.Microsecond))
	}
	e.printf("result  %s\ntook    %s\n", out.Value, out.Took.Round(time.Microsecond))
	return nil
}

func sorted(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// fits says whether what is asked for can be run at all.
func (t *toolTestCmd) fits(g *python.Group) error {
	var names []string
	for _, one := range g.Tools() {
		names = append(names, one.Name)
	}
	for _, one := range g.Skills() {
		names = append(names, one.Name)
	}
	if !slices.Contains(names, t.Tool) {
		return fmt.Errorf("%s has no tool or skill %q; it has %s: %w", t.File, t.Tool, strings.Join(names, ", "), fault.Invalid)
	}
	var args map[string]json.RawMessage
	if err := json.Unmarshal([]byte(t.Args), &args); err != nil || args == nil {
		return fmt.Errorf(`--args must be one JSON object, such as {"name":"Ann"}: %w`, fault.Invalid)
	}
	return nil
}

// variables are those of the agent's file, then of its group, then those given.
func (t *toolTestCmd) variables() (map[string]string, error) {
	env := make(map[string]string)
	if t.Agent != "" {
		f, err := agentFile(t.Agent)
		if err != nil {
			return nil, err
		}
		spec, _, err := agent.Parse(f.Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Agent, err)
		}
		put(env, spec.Env)
		for _, g := range spec.ToolGroups {
			if same(filepath.Join(f.Folder, g.Path), t.File) || same(g.Path, t.File) {
				put(env, g.Env)
			}
		}
	}
	for _, pair := range t.Env {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("--env: write KEY=VALUE: %w", fault.Invalid) // it may be a secret: not repeated
		}
		env[k] = v
	}
	return env, nil
}

func put(to map[string]string, pairs []event.Pair) {
	for _, p := range pairs {
		to[p.Key] = p.Value
	}
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// place is where and with what a tool runs.
type place struct {
	settings config.Config
	dir      string
	env      map[string]string
}

// run opens the group as a server does, and runs one of its tools once.
func (t *toolTestCmd) run(ctx context.Context, e *Env, g *python.Group, at place) (out tool.Outcome, err error) {
	if err := egress.CheckAllow(at.settings.Egress); err != nil {
		return out, err
	}
	guard := egress.New(egress.Options{Allow: at.settings.Egress})
	defer guard.Close()
	client := guard.Client()
	p := at.settings.Python
	pool, err := python.New(python.Options{
		Python: p.Path, Workers: min(p.Workers, 4), Wheels: p.Wheels, Index: p.Index, Cache: filepath.Join(at.dir, "python"),
		KV: &python.MemoryStore{}, Log: e.logger("error"),
		HTTP: func(ctx context.Context, r *http.Request) (*http.Response, error) {
			return client.Do(r.WithContext(ctx)) //nolint:gosec // the client is the egress guard
		},
	})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if err := pool.SelfTest(ctx); err != nil {
		return out, fmt.Errorf("nothing was run: %w", err)
	}
	var of tenant.ID
	if _, err := rand.Read(of[:]); err != nil {
		return out, err
	}
	r, err := pool.Open(ctx, of, g)
	if err != nil {
		return out, fmt.Errorf("%s: %w", t.File, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.Run(ctx, tool.Call{
		Tenant: of, Key: "test", Name: t.Tool, Args: json.RawMessage(t.Args),
		Scene: tool.Scene{Session: "test", Agent: "test", Channel: "test", Env: at.env, Now: time.Now(), Seed: 1},
	})
}
