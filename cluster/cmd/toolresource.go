package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/engine/tool/python"
)

type resourceCmd struct {
	Add    resourceAddCmd    `cmd:"" help:"Share a file, or give a shared one another content. Agents take it when they are saved next."`
	List   resourceListCmd   `cmd:"" help:"List the shared files and how many agents use them."`
	Remove resourceRemoveCmd `cmd:"" help:"Share a file no more. What was saved with it keeps it."`
	UsedBy resourceUsedByCmd `cmd:"" name:"used-by" help:"Show which agents were saved with a shared file, and whether they have what it holds now."`
}

type resourceAddCmd struct {
	File string `arg:"" help:"The file." type:"existingfile"`
	Name string `help:"Name by which plugins list it among their dependencies, such as shared/money.py (default: the file's own name)."`
}

// Run implements the command.
func (r *resourceAddCmd) Run(ctx context.Context, e *Env) error {
	f, err := os.Open(r.File)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", r.File, fault.NotFound, err)
	}
	defer func() { _ = f.Close() }()
	name := r.Name
	if name == "" {
		name = filepath.Base(r.File)
	}
	var card node.ResourceCard
	if err := e.alter(ctx, http.MethodPost, "/tools/resources?name="+url.QueryEscape(name), f, &card); err != nil {
		return err
	}
	e.printf("resource %s: %d bytes, %s\n", card.Name, card.Bytes, card.Blob[:12])
	behind(e, card)
	return nil
}

// behind names the live revisions that have older content.
func behind(e *Env, card node.ResourceCard) {
	for _, u := range card.UsedBy {
		if u.Live && !u.Current {
			e.printf("agent %s %q runs with the older content until it is saved again\n", u.Agent, u.Name)
		}
	}
}

type resourceListCmd struct {
	JSON bool `name:"json" help:"One object a line."`
}

// Run implements the command.
func (r *resourceListCmd) Run(ctx context.Context, e *Env) error {
	var list []node.ResourceCard
	if err := e.ask(ctx, "/tools/resources", &list); err != nil {
		return err
	}
	if !r.JSON {
		e.printf("%-40s %10s  %-12s %s\n", "RESOURCE", "BYTES", "SHA256", "AGENTS")
	}
	for _, c := range list {
		if r.JSON {
			if err := json.NewEncoder(e.Out).Encode(c); err != nil {
				return err
			}
			continue
		}
		names := map[string]string{}
		for _, u := range c.UsedBy {
			names[u.Agent] = u.Name
		}
		used := make([]string, 0, len(names))
		for _, id := range sorted(names) {
			used = append(used, names[id])
		}
		if len(used) == 0 {
			used = []string{"(unused)"}
		}
		e.printf("%-40s %10d  %-12s %s\n", c.Name, c.Bytes, c.Blob[:12], strings.Join(used, ", "))
	}
	return nil
}

type resourceRemoveCmd struct {
	Name  string `arg:"" help:"Name of the shared file (see flametree tool resource list)."`
	Force bool   `help:"Also one that agents use."`
}

// Run implements the command.
func (r *resourceRemoveCmd) Run(ctx context.Context, e *Env) error {
	q := url.Values{"name": {r.Name}}
	if r.Force {
		q.Set("force", "1")
	}
	var card node.ResourceCard
	if err := e.alter(ctx, http.MethodDelete, "/tools/resources?"+q.Encode(), nil, &card); err != nil {
		return err
	}
	e.printf("resource %s is shared no more\n", card.Name)
	return nil
}

type resourceUsedByCmd struct {
	Name string `arg:"" help:"Name of the shared file (see flametree tool resource list)."`
	JSON bool   `name:"json" help:"One object a line."`
}

// Run implements the command.
func (r *resourceUsedByCmd) Run(ctx context.Context, e *Env) error {
	var card node.ResourceCard
	if err := e.ask(ctx, "/tools/resource?name="+url.QueryEscape(r.Name), &card); err != nil {
		return err
	}
	for _, u := range card.UsedBy {
		if r.JSON {
			if err := json.NewEncoder(e.Out).Encode(u); err != nil {
				return err
			}
			continue
		}
		state, content := "", "older content"
		if u.Live {
			state = " (live)"
		}
		if u.Current {
			content = "as it is now"
		}
		e.printf("agent %s %q revision %d%s: %s, %s\n", u.Agent, u.Name, u.Revision, state, u.Group, content)
	}
	if len(card.UsedBy) == 0 && !r.JSON {
		e.printf("no agent uses %s\n", card.Name)
	}
	return nil
}

// borrowed puts the dependencies that a plugin does not have beside it into its
// bundle, out of a folder that stands for the server's shared resources.
func borrowed(b *python.Bundle, dir string) error {
	if dir == "" {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("--resources: %w: %w", fault.NotFound, err)
	}
	defer func() { _ = root.Close() }()
	for _, name := range b.Missing() {
		err := fs.WalkDir(root.FS(), name, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(root.FS(), path)
			b.Files[path] = data
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--resources: %s: %w: %w", name, fault.Invalid, err)
		}
	}
	return nil
}
