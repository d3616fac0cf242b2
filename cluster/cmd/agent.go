package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flametree/cluster/node"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/wizard"
)

type agentCmd struct {
	Validate  agentValidateCmd  `cmd:"" help:"Check an agent file and all that it names; no server is needed."`
	Run       agentRunCmd       `cmd:"" help:"Chat in the terminal with the agent of a file, or play a script; no server is needed."`
	List      agentListCmd      `cmd:"" help:"List the agents of the running server."`
	Save      agentSaveCmd      `cmd:"" help:"Make a revision of a file; new conversations take it unless it says require_publish."`
	Publish   agentPublishCmd   `cmd:"" help:"Make a revision the one that new conversations take."`
	Revisions agentRevisionsCmd `cmd:"" help:"List the revisions of an agent."`
	Diff      agentDiffCmd      `cmd:"" help:"Show what changed between two revisions."`
	Restore   agentRestoreCmd   `cmd:"" help:"Make a new revision of an old one."`
	Start     agentStartCmd     `cmd:"" help:"Let an agent answer."`
	Stop      agentStopCmd      `cmd:"" help:"Let an agent answer no more; its conversations wait until it is started."`
	Export    agentExportCmd    `cmd:"" help:"Write an agent with all it names into a sealed file; the key is shown once."`
	Import    agentImportCmd    `cmd:"" help:"Make an agent of an export."`
	Copy      agentCopyCmd      `cmd:"" help:"Make another agent out of one."`
	Models    agentModelsCmd    `cmd:"" help:"Show how the models do that agents name."`
	Wizard    agentWizardCmd    `cmd:"" help:"Make an agent of a template and a file of answers."`
}

type agentValidateCmd struct {
	File string `arg:"" help:"Agent file." type:"existingfile"`
}

// Run implements the command.
func (a *agentValidateCmd) Run(_ context.Context, e *Env) error {
	f, err := agentFile(a.File)
	if err != nil {
		return err
	}
	notes, err := node.Inspect(f)
	for _, n := range notes {
		e.printf("warning: %s\n", n)
	}
	if err != nil {
		return err
	}
	spec, _, _ := agent.Parse(f.Text)
	e.printf("%s is valid: %s\n", a.File, summary(spec))
	return nil
}

// summary tells in one line what an agent has.
func summary(s *agent.Spec) string {
	parts := []string{fmt.Sprintf("%q, %s", s.Name, s.Type)}
	count := func(n int, one, many string) {
		switch n {
		case 0:
		case 1:
			parts = append(parts, "1 "+one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	if s.Flow != nil {
		count(len(s.Flow.States), "state", "states")
	}
	count(len(s.Results), "result", "results")
	count(len(s.FAQs), "question", "questions")
	count(len(s.Texts)+len(s.Files)+len(s.Websites)+len(s.YouTube)+len(s.Library), "source", "sources")
	count(len(s.ToolGroups), "tool group", "tool groups")
	count(len(s.MCP), "MCP server", "MCP servers")
	count(len(s.OpenAPI), "API", "APIs")
	return strings.Join(parts, ", ")
}

// agentFile reads a file with the folder it stands in.
func agentFile(name string) (node.AgentFile, error) {
	text, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		return node.AgentFile{}, fmt.Errorf("agent file: %w: %w", fault.Invalid, err)
	}
	folder, err := filepath.Abs(filepath.Dir(name))
	return node.AgentFile{Name: name, Folder: folder, Text: text}, err
}

type agentListCmd struct{}

// Run implements the command.
func (agentListCmd) Run(ctx context.Context, e *Env) error {
	var list []node.AgentCard
	if err := e.ask(ctx, "/agents", &list); err != nil {
		return err
	}
	e.printf("%-28s %-9s %4s  %-12s %s\n", "AGENT", "STATUS", "LIVE", "ALIAS", "NAME")
	for _, a := range list {
		e.printf("%-28s %-9s %4d  %-12s %s\n", a.ID, a.Status, a.Live, a.Alias, a.Name)
	}
	return nil
}

type agentModelsCmd struct{}

// Run implements the command.
func (agentModelsCmd) Run(ctx context.Context, e *Env) error {
	var list []node.ModelHealth
	if err := e.ask(ctx, "/models", &list); err != nil {
		return err
	}
	e.printf("%-4s %-18s %-28s %-9s %-19s %s\n", "KIND", "PROVIDER", "MODEL", "STATE", "SINCE", "REASON")
	for _, m := range list {
		e.printf("%-4s %-18s %-28s %-9s %-19s %s\n", m.Kind, m.Provider, m.Model, m.State, m.Since.Local().Format("2006-01-02 15:04:05"), m.Reason)
	}
	if len(list) == 0 {
		e.printf("no agent names a model outside of this program\n")
	}
	return nil
}

// ask reads from the running server.
func (e *Env) ask(ctx context.Context, path string, into any) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	body, err := dial(c.Data).do(ctx, http.MethodGet, path, nil)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no server runs on %s: start one with flametree serve: %w", c.Data, fault.Unavailable)
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return json.NewDecoder(body).Decode(into)
}

// tell changes something at the running server.
func (e *Env) tell(ctx context.Context, path string, send, into any) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	err = dial(c.Data).post(ctx, path, send, into)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no server runs on %s: start one with flametree serve: %w", c.Data, fault.Unavailable)
	}
	return err
}

func (e *Env) kept(k node.Kept) {
	for _, n := range k.Notes {
		e.printf("note: %s\n", n)
	}
	e.printf("agent %s %q: revision %d", k.ID, k.Name, k.Revision)
	switch k.Live {
	case 0:
		e.printf(", none is live: publish one\n")
	case k.Revision:
		e.printf(", live\n")
	default:
		e.printf(", %d is live\n", k.Live)
	}
	if k.Token != "" {
		e.printf("token %s (shown once)\n", k.Token)
	}
}

func agentPath(what, rest string) string { return "/agents/" + url.PathEscape(what) + rest }

type agentSaveCmd struct {
	File  string `arg:"" help:"Agent file." type:"existingfile"`
	Agent string `help:"Id, alias or name of the agent to change (default: the name in the file)."`
}

// Run implements the command.
func (a *agentSaveCmd) Run(ctx context.Context, e *Env) error {
	f, err := agentFile(a.File)
	if err != nil {
		return err
	}
	var k node.Kept
	if err := e.tell(ctx, "/agents", node.SaveBody{Agent: a.Agent, Name: f.Name, Folder: f.Folder, File: string(f.Text)}, &k); err != nil {
		return err
	}
	e.kept(k)
	return nil
}

type agentPublishCmd struct {
	Agent    string `arg:""`
	Revision uint64 `arg:""`
}

// Run implements the command.
func (a *agentPublishCmd) Run(ctx context.Context, e *Env) error {
	return e.change(ctx, a.Agent, node.ChangeBody{Publish: a.Revision})
}

func (e *Env) change(ctx context.Context, what string, b node.ChangeBody) error {
	var k node.Kept
	if err := e.tell(ctx, agentPath(what, "/change"), b, &k); err != nil {
		return err
	}
	e.kept(k)
	return nil
}

type agentRestoreCmd struct {
	Agent    string `arg:""`
	Revision uint64 `arg:""`
}

// Run implements the command.
func (a *agentRestoreCmd) Run(ctx context.Context, e *Env) error {
	return e.change(ctx, a.Agent, node.ChangeBody{Restore: a.Revision})
}

type agentStartCmd struct {
	Agent string `arg:""`
}

// Run implements the command.
func (a *agentStartCmd) Run(ctx context.Context, e *Env) error {
	run := true
	return e.change(ctx, a.Agent, node.ChangeBody{Run: &run})
}

type agentStopCmd struct {
	Agent string `arg:""`
}

// Run implements the command.
func (a *agentStopCmd) Run(ctx context.Context, e *Env) error {
	run := false
	return e.change(ctx, a.Agent, node.ChangeBody{Run: &run})
}

type agentRevisionsCmd struct {
	Agent string `arg:""`
}

// Run implements the command.
func (a *agentRevisionsCmd) Run(ctx context.Context, e *Env) error {
	var card node.AgentCard
	if err := e.ask(ctx, agentPath(a.Agent, ""), &card); err != nil {
		return err
	}
	e.printf("%s %q, %s\n", card.ID, card.Name, card.Status)
	for _, r := range card.Revisions {
		mark := ""
		if r.Number == card.Live {
			mark = "  live"
		}
		e.printf("%4d  %s  %7d bytes%s\n", r.Number, r.At.Local().Format("2006-01-02 15:04:05"), r.Bytes, mark)
	}
	if card.Draft != "" {
		e.printf("a later file is kept as a draft; it cannot be used:\n%s\n", card.Draft)
	}
	return nil
}

type agentDiffCmd struct {
	Agent string `arg:""`
	From  uint64 `arg:"" help:"Older revision, 0 = the empty file."`
	To    uint64 `arg:"" optional:"" help:"Newer revision (default: the newest)."`
}

// Run implements the command.
func (a *agentDiffCmd) Run(ctx context.Context, e *Env) error {
	var hunks []agent.Hunk
	path := fmt.Sprintf("/diff?from=%d&to=%d", a.From, a.To)
	if err := e.ask(ctx, agentPath(a.Agent, path), &hunks); err != nil {
		return err
	}
	for _, h := range hunks {
		e.printf("@@ line %d %s\n", h.Line, h.Section)
		for _, l := range h.Lines {
			e.printf("%s\n", l)
		}
	}
	if len(hunks) == 0 {
		e.printf("nothing changed\n")
	}
	return nil
}

type agentExportCmd struct {
	Agent             string `arg:""`
	Out               string `help:"File to write (default: NAME.zip.age)."`
	RemoveSensitive   bool   `help:"Leave out keys and passwords."`
	ForceSkills       bool   `help:"The import overwrites tool groups that exist."`
	ForceKnowledge    bool   `help:"The import overwrites sources of knowledge that exist."`
	ForceIntegrations bool   `help:"The import overwrites integrations that exist."`
}

// Run implements the command.
func (a *agentExportCmd) Run(ctx context.Context, e *Env) error {
	var x node.Exported
	send := node.ExportBody{
		RemoveSensitive: a.RemoveSensitive, ForceSkills: a.ForceSkills, ForceKnowledge: a.ForceKnowledge, ForceIntegrations: a.ForceIntegrations,
	}
	if err := e.tell(ctx, agentPath(a.Agent, "/export"), send, &x); err != nil {
		return err
	}
	name := a.Out
	if name == "" {
		name = strings.Map(func(r rune) rune {
			if strings.ContainsRune(`/\ :`, r) {
				return '-'
			}
			return r
		}, a.Agent) + ".zip.age"
	}
	if err := os.WriteFile(name, x.Archive, 0o600); err != nil {
		return err
	}
	e.printf("%s, %d bytes\nsecret key %s (shown once; the import asks for it)\n", name, len(x.Archive), x.Key)
	return nil
}

type agentImportCmd struct {
	File   string `arg:"" type:"existingfile"`
	Key    string `required:"" help:"Secret key of the export."`
	DryRun bool   `help:"Only say what would change."`
}

// Run implements the command.
func (a *agentImportCmd) Run(ctx context.Context, e *Env) error {
	sealed, err := os.ReadFile(filepath.Clean(a.File))
	if err != nil {
		return err
	}
	var x node.Imported
	if err := e.tell(ctx, "/import", node.ImportBody{Key: a.Key, Archive: sealed, Apply: !a.DryRun}, &x); err != nil {
		return err
	}
	e.printf("agent %q\n", x.Agent)
	for _, s := range x.Steps {
		e.printf("  %-10s %s\n", s.Value, s.Key)
	}
	if a.DryRun {
		for _, n := range x.Notes {
			e.printf("note: %s\n", n)
		}
		return nil
	}
	e.kept(x.Kept)
	e.printf("it is stopped: look at it, then flametree agent start %s\n", x.Kept.ID)
	return nil
}

type agentCopyCmd struct {
	Agent string   `arg:""`
	Set   []string `help:"Another value for a key of the file, KEY=VALUE; may be given several times." placeholder:"KEY=VALUE"`
}

// Run implements the command.
func (a *agentCopyCmd) Run(ctx context.Context, e *Env) error {
	var set []event.Pair
	for _, s := range a.Set {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("--set %q: write KEY=VALUE: %w", s, fault.Invalid)
		}
		set = append(set, event.Pair{Key: k, Value: v})
	}
	var k node.Kept
	if err := e.tell(ctx, agentPath(a.Agent, "/copy"), node.CopyBody{Set: set}, &k); err != nil {
		return err
	}
	e.kept(k)
	e.printf("it is stopped: look at it, then flametree agent start %s\n", k.ID)
	return nil
}

type agentWizardCmd struct {
	Template string `arg:"" optional:"" help:"creator_ai_twin, telegram_ai_sales or website_ai_sales; none: show them."`
	Answers  string `help:"JSON file of answers: {\"Name\",\"About\",\"Behaviour\",\"Files\",\"Results\",\"Token\"}." type:"existingfile"`
}

// Run implements the command.
func (a *agentWizardCmd) Run(ctx context.Context, e *Env) error {
	if a.Template == "" || a.Answers == "" {
		return a.show(e)
	}
	text, err := os.ReadFile(filepath.Clean(a.Answers))
	if err != nil {
		return err
	}
	b := node.WizardBody{Template: wizard.Template(a.Template)}
	if err := json.Unmarshal(text, &b.Answers); err != nil {
		return fmt.Errorf("%s: %w: %w", a.Answers, fault.Invalid, err)
	}
	if b.Folder, err = filepath.Abs(filepath.Dir(a.Answers)); err != nil {
		return err
	}
	var k node.Kept
	if err := e.tell(ctx, "/wizard", b, &k); err != nil {
		return err
	}
	e.printf("agent %s %q is being made\ntoken %s (shown once)\n", k.ID, k.Name, k.Token)
	return a.wait(ctx, e, k.ID)
}

// wait shows how the agent comes along, until it is there or has failed.
func (a *agentWizardCmd) wait(ctx context.Context, e *Env, id string) error {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		var card node.AgentCard
		if err := e.ask(ctx, agentPath(id, ""), &card); err != nil {
			return err
		}
		switch card.Status {
		case "Creating":
			if card.Reason != last {
				last = card.Reason
				e.printf("%s\n", last)
			}
		case "Error":
			return fmt.Errorf("%s: %w", card.Reason, fault.Invalid)
		default:
			if card.Reason != "" {
				e.printf("note: %s\n", card.Reason)
			}
			e.printf("it is stopped: try it, then flametree agent start %s\n", id)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			e.printf(".\n")
		}
	}
}

func (a *agentWizardCmd) show(e *Env) error {
	if a.Template != "" {
		if _, err := wizard.Find(wizard.Template(a.Template)); err != nil {
			return err
		}
	}
	for _, f := range wizard.Templates() {
		if a.Template != "" && string(f.Template) != a.Template {
			continue
		}
		e.printf("%s  %s\n    %s\n", f.Template, f.Title, f.Description)
		if a.Template == "" {
			continue
		}
		for i, p := range f.Pages {
			need := ""
			if p.Required {
				need = " (required)"
			}
			e.printf("  %s. %s%s\n", strconv.Itoa(i+1), p.Title, need)
			if p.Help != "" {
				e.printf("     %s\n", p.Help)
			}
		}
	}
	return nil
}
