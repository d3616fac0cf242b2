package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/cluster/script"
	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/engine/provider"
)

type agentRunCmd struct {
	File   string `arg:"" help:"Agent file." type:"existingfile"`
	Script string `help:"Play this dialogue and compare with what it expects; the first difference ends it." type:"existingfile"`
	Model  string `help:"Answers of the model by line of the human, in place of the agent's own model." type:"existingfile"`
	Keep   string `help:"Folder to keep the conversation in (default: a temporary one)."`
}

// Run implements the command.
func (a *agentRunCmd) Run(ctx context.Context, e *Env) (err error) {
	f, err := agentFile(a.File)
	if err != nil {
		return err
	}
	var play *script.Script
	if a.Script != "" {
		if play, err = readScript(a.Script); err != nil {
			return err
		}
	}
	dir := a.Keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "flametree-run-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	n, err := a.start(ctx, e, f, dir)
	if err != nil {
		return err
	}
	defer n.Stop(time.Second)
	if err := n.SourcesRead(ctx); err != nil {
		return err
	}
	remote := &script.Remote{BaseURL: "http://" + n.Addresses().HTTP, Agent: n.Agents()[0].ID, Token: n.Agents()[0].Token}
	if play == nil {
		return script.Chat(ctx, remote, e.In, e.Out)
	}
	begun := time.Now()
	if err := script.Play(ctx, remote, play, func(t script.Turn) { showTurn(e, t) }); err != nil {
		return &failure{code: exitFailed, err: err}
	}
	e.printf("%s: %d steps as expected, %s\n", a.Script, len(play.Steps), time.Since(begun).Round(time.Millisecond))
	return nil
}

func readScript(name string) (*script.Script, error) {
	text, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("script: %w: %w", fault.Invalid, err)
	}
	s, _, err := script.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.File = name
	return s, nil
}

// start runs a server of its own on free ports, without telephony.
func (a *agentRunCmd) start(ctx context.Context, e *Env, f node.AgentFile, dir string) (*node.Node, error) {
	flags := map[string]string{"data": dir, "http": "127.0.0.1:0", "sip": "off", "metrics": "off", "disk.low": "16MB", "disk.ballast": "1MB"}
	for k, v := range e.Flags {
		if k != "data" {
			flags[k] = v
		}
	}
	c, err := config.Load(config.Sources{Flags: flags, Getenv: config.Getenv})
	if err != nil {
		return nil, err
	}
	opt := node.Options{Config: c, Agents: []node.AgentFile{f}, Version: Version(), Log: e.logger("warn")}
	if a.Model != "" {
		text, err := os.ReadFile(filepath.Clean(a.Model))
		if err != nil {
			return nil, fmt.Errorf("model: %w: %w", fault.Invalid, err)
		}
		model, err := script.ParseModel(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Model, err)
		}
		spec, _, err := agent.Parse(f.Text)
		if err != nil {
			return nil, err
		}
		name := spec.LLM.Provider
		if name == "" {
			name = "builtin"
		}
		opt.Providers = func(string) (node.Providers, error) {
			p, err := node.Builtins(c)
			if err == nil {
				p.Completers = map[string]provider.Completer{name: model, "builtin": model}
			}
			return p, err
		}
	}
	return node.Start(ctx, opt)
}

func showTurn(e *Env, t script.Turn) {
	for _, c := range t.Calls {
		line := "  · " + c.Name
		if c.Args != "" && c.Args != "{}" {
			line += " " + c.Args
		}
		switch {
		case c.Refused != "":
			line += "  refused: " + c.Refused
		case c.Fault != "":
			line += "  failed: " + c.Fault
		}
		e.printf("%s\n", line)
	}
	e.printf("agent  %s\n", strings.Join(t.Says, "\n       "))
}
