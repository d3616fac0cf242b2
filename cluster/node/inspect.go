package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/engine/guard"
	"flametree/engine/tool/openapi"
	"flametree/engine/tool/python"
	"flametree/engine/workflow/located"
)

// Inspect reads an agent file and what it names by path, as far as that can be
// judged without a server: it starts nothing and reaches no network. It returns
// warnings for people; the error names every fault with its place.
func Inspect(f AgentFile) (notes []string, err error) {
	spec, warnings, err := agent.Parse(f.Text)
	for _, w := range warnings {
		notes = append(notes, "file "+w.String())
	}
	if err != nil {
		return notes, err
	}
	report := located.NewReport("file")
	guard.Read(spec.Guardrails, report)
	for _, w := range report.Warnings() {
		notes = append(notes, "file "+w.String())
	}
	i := inspector{folder: f.Folder, spec: spec, faults: []error{report.Err()}, notes: notes}
	i.groups()
	i.documents()
	i.files()
	i.workflow()
	i.words(f.Text)
	return i.notes, errors.Join(i.faults...)
}

// inspector collects what is wrong.
type inspector struct {
	folder        string
	spec          *agent.Spec
	faults        []error
	notes         []string
	tools, skills []string
	unsure        bool // something offers tools that cannot be known here
}

func (i *inspector) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(i.folder, name)
}

func (i *inspector) groups() {
	for _, g := range i.spec.ToolGroups {
		if g.Path == "" {
			i.unsure = true
			continue
		}
		b, err := python.ReadDir(i.path(g.Path))
		if err != nil {
			i.faults = append(i.faults, fmt.Errorf("tool group %s: %w", g.Path, err))
			i.unsure = true
			continue
		}
		for _, m := range b.Missing() {
			i.notes = append(i.notes, g.Path+": "+m+" is not beside the plugin: the server must have it as a shared resource (flametree tool resource list)")
		}
		b.Elsewhere = b.Missing()
		group, notes, err := python.Parse(b)
		for _, n := range notes {
			i.notes = append(i.notes, g.Path+" "+n.String())
		}
		if err != nil {
			i.faults = append(i.faults, fmt.Errorf("%s: %w", g.Path, err))
			i.unsure = true
			continue
		}
		for _, t := range group.Tools() {
			i.tools = append(i.tools, t.Name)
		}
		for _, s := range group.Skills() {
			i.skills = append(i.skills, s.Name)
		}
	}
}

func (i *inspector) documents() {
	i.unsure = i.unsure || len(i.spec.MCP) > 0
	for _, o := range i.spec.OpenAPI {
		if web(o.Document) {
			i.unsure = true
			continue
		}
		if err := i.document(o); err != nil {
			i.unsure = true
			i.faults = append(i.faults, fmt.Errorf("openapi %s: %w", o.Document, err))
		}
	}
}

// document reads one OpenAPI document for the tools it makes.
func (i *inspector) document(o agent.OpenAPI) error {
	text, err := readFile(context.Background(), i.path(o.Document))
	if err != nil {
		return err
	}
	run, warnings, err := openapi.New(openapi.Options{Name: o.Name, Document: text, Operations: o.Operations, BaseURL: o.BaseURL})
	for _, w := range warnings {
		i.notes = append(i.notes, o.Document+": "+w)
	}
	if err != nil {
		return err
	}
	for _, t := range run.Tools() {
		i.tools = append(i.tools, t.Name)
	}
	return run.Close()
}

func (i *inspector) files() {
	names := slices.Clone(i.spec.Files)
	for _, c := range i.spec.Catalogs {
		if c.Path != "" {
			names = append(names, c.Path)
		}
	}
	for _, n := range names {
		if _, err := os.Stat(i.path(n)); err != nil {
			i.faults = append(i.faults, fmt.Errorf("knowledge %s: %w: %w", n, fault.Invalid, err))
		}
	}
}

func (i *inspector) workflow() {
	if i.unsure {
		return
	}
	flow := i.spec.Flow
	var lines []string
	for _, n := range slices.Concat(flow.Check(i.tools), flow.CheckSkills(slices.Concat(i.skills, i.tools))) {
		lines = append(lines, "file "+n.String())
	}
	if len(lines) > 0 {
		i.faults = append(i.faults, fmt.Errorf("%s: %w", strings.Join(lines, "\n"), fault.Invalid))
	}
}

// words warns of texts that contradict each other.
func (i *inspector) words(file []byte) {
	r := located.NewReport("file")
	root := located.Parse(file, r)
	var parts []guard.Part
	for _, key := range []string{"identity", "speech_style", "task"} {
		parts = append(parts, guard.Part{Name: key, Node: root.Get(key)})
	}
	for _, st := range located.Unfold(root.Get("workflow"), r).Items {
		parts = append(parts, guard.Part{Name: "state " + st.Get("name").Text, Node: st.Get("description")})
	}
	for _, n := range guard.Contradictions(parts) {
		i.notes = append(i.notes, "file "+n.String())
	}
}
