// Package cmd is the command line: it reads flags and settings, runs what was
// asked for and turns errors into exit codes. What the commands do is done by
// the packages below it.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"flametree/cluster/config"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
)

// Exit codes of the program.
const (
	exitOK      = 0
	exitFailed  = 1 // what was asked for did not work, or a comparison differs
	exitUsage   = 2 // the command line or a setting is wrong
	exitJournal = 3 // the journal ended the process: a full or failing disk
)

// Env is what a command runs with.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Flags    map[string]string // settings given as flags
	File     string            // of settings, "" = flametree.yaml when it is there
}

type cli struct {
	ConfigFile string  `name:"config" help:"File of settings (default: flametree.yaml, if there is one)."`
	Data       *string `help:"Folder of everything that is kept (default ./data)."`
	LogLevel   *string `name:"log" help:"Least level that is logged: debug info warn error."`

	Serve      serveCmd      `cmd:"" help:"Answer calls and chats."`
	Demo       demoCmd       `cmd:"" help:"Call the demo agent over real SIP and RTP and show what was said and how long each part took."`
	Agent      agentCmd      `cmd:"" help:"Agents: check, try, save, publish, export, import."`
	Tool       toolCmd       `cmd:"" help:"Tool groups: look at one, try its tools."`
	Knowledge  knowledgeCmd  `cmd:"" help:"What agents know: add sources, index, connect, search, unanswered questions."`
	Catalog    catalogCmd    `cmd:"" help:"What agents sell: catalogues, products, import, export, connect, invitations."`
	Connection connectionCmd `cmd:"" help:"Telephone connections: PBX accounts, providers, trunks."`
	Call       callCmds      `cmd:"" help:"Have an agent call somebody; listen to a call, whisper, barge in, capture."`
	Scenario   scenarioCmd   `cmd:"" help:"Conversations by voice as tests: play one, check one, begin with one."`
	Recording  recordingCmd  `cmd:"" help:"Recordings of calls: list, get, peaks, delete."`
	Replay     replayCmd     `cmd:"" help:"Decide a recorded conversation again from its inputs and compare."`
	Sessions   sessionsCmd   `cmd:"" help:"Conversations."`
	Calls      callsCmd      `cmd:"" help:"Running calls, and how a call went."`
	Journal    journalCmd    `cmd:"" help:"The journal."`
	Doctor     doctorCmd     `cmd:"" help:"Check what this machine has of what flametree needs."`
	Config     configCmd     `cmd:"" help:"Settings."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Caller     callerCmd     `cmd:"" hidden:"" help:"The caller of demo and bench, in a process of its own."`
}

// Main runs one command and returns the exit code.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) > 0 && args[0] == ingest.Command { // the child that reads files limits itself first of all
		return ingest.Main(args[1:], in, out)
	}
	var c cli
	code := -1
	parser, err := kong.New(&c, kong.Name("flametree"), kong.Writers(out, errs), kong.Exit(func(n int) { code = n }),
		kong.Description("AI customer operations: agents that answer calls and chats, and a journal of all that happened."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		_, _ = fmt.Fprintln(errs, "flametree:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if code >= 0 { // --help
		return code
	}
	if err != nil {
		_, _ = fmt.Fprintf(errs, "flametree: %v (try --help)\n", err)
		return exitUsage
	}
	env := &Env{In: in, Out: out, Err: errs, File: c.ConfigFile, Flags: map[string]string{}}
	env.flag("data", c.Data)
	env.flag("log", c.LogLevel)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	k.Bind(env)
	return env.exit(k.Run())
}

// failure is an error with an exit code of its own.
type failure struct {
	code int
	err  error
}

// Error implements error.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap implements errors.Unwrap.
func (f *failure) Unwrap() error { return f.err }

func (e *Env) exit(err error) int {
	if err == nil {
		return exitOK
	}
	var f *failure
	code := exitFailed
	switch {
	case errors.As(err, &f):
		code = f.code
	case fault.KindOf(err) == fault.Invalid:
		code = exitUsage
	}
	_, _ = fmt.Fprintln(e.Err, "flametree:", err)
	return code
}

func (e *Env) flag(key string, v *string) {
	if v != nil {
		e.Flags[key] = *v
	}
}

// settings loads the configuration.
func (e *Env) settings() (config.Config, error) {
	name := e.File
	if name == "" {
		name = "flametree.yaml"
	}
	text, err := os.ReadFile(filepath.Clean(name))
	if err != nil && (e.File != "" || !errors.Is(err, os.ErrNotExist)) {
		return config.Config{}, fmt.Errorf("settings: %w: %w", fault.Invalid, err)
	}
	return config.Load(config.Sources{Flags: e.Flags, Getenv: config.Getenv, FileName: name, File: text})
}

func (e *Env) logger(level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(e.Err, &slog.HandlerOptions{Level: l}))
}

func (e *Env) printf(format string, args ...any) { _, _ = fmt.Fprintf(e.Out, format, args...) }

type versionCmd struct{}

// Run implements the command.
func (versionCmd) Run(e *Env) error {
	e.printf("flametree %s\n", Version())
	return nil
}

// Version is the version of this build, from the build's own record.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	rev, changed := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			rev = " " + s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+"
			}
		}
	}
	return info.Main.Version + rev + changed + " " + info.GoVersion
}

type configCmd struct {
	Print   configPrintCmd   `cmd:"" help:"Show every setting as it is and where it comes from."`
	Explain configExplainCmd `cmd:"" help:"Show what every setting means."`
}

type configPrintCmd struct{}

// Run implements the command.
func (configPrintCmd) Run(e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	for _, v := range c.Values {
		e.printf("%-26s %-22q # %s\n", v.Key+":", v.Text, v.From)
	}
	return nil
}

type configExplainCmd struct{}

// Run implements the command.
func (configExplainCmd) Run(e *Env) error {
	for _, s := range config.Table() {
		e.printf("%s\n    %s\n    environment %s, default %q\n", s.Key, s.Help, s.Env(), s.Default)
	}
	return nil
}
