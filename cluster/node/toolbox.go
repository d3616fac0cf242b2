package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
	"flametree/engine/tool/openapi"
	"flametree/engine/tool/python"
	"flametree/persist/blob"
)

// toolbox opens what agents' files name: Python groups, MCP servers, OpenAPI
// documents.
type toolbox struct {
	pool   *python.Pool
	out    *http.Client
	blobs  *blob.Store
	secret func(*agent.Spec, string) string
	log    *slog.Logger

	test   sync.Once // of the sandbox, when the first group is opened
	mu     sync.Mutex
	opened []io.Closer
}

// hands run each tool where it belongs. Runners are safe for concurrent use.
type hands struct {
	by  map[string]tool.Runner
	env map[string]map[string]string // of a tool's group, beside the agent's
}

// Run implements actors.Hands.
func (h *hands) Run(ctx context.Context, c tool.Call) (tool.Outcome, error) {
	r := h.by[c.Name]
	if r == nil {
		return tool.Outcome{}, fmt.Errorf("the tool %s is not there: its group or server could not be opened: %w", c.Name, fault.Unavailable)
	}
	if more := h.env[c.Name]; len(more) > 0 {
		env := maps.Clone(c.Scene.Env)
		if env == nil {
			env = make(map[string]string, len(more))
		}
		maps.Copy(env, more)
		c.Scene.Env = env
	}
	return r.Run(ctx, c)
}

// kit is what an agent's groups and servers offer together. Missing names what
// could not be opened and why.
type kit struct {
	hands   *hands
	tools   []tool.Spec
	skills  []tool.Skill
	missing []error
}

// open opens everything a revision names. A group that cannot be read is an
// error; a server that does not answer is only missing.
func (b *toolbox) open(ctx context.Context, t tenant.ID, s *agent.Spec, pins []event.Pair) (kit, error) {
	k := kit{hands: &hands{by: make(map[string]tool.Runner), env: make(map[string]map[string]string)}}
	for _, g := range s.ToolGroups {
		r, err := b.group(ctx, t, g, pins)
		if err != nil {
			return k, fmt.Errorf("tool group %s: %w", groupName(g), err)
		}
		env := make(map[string]string, len(g.Env))
		for _, p := range g.Env {
			env[p.Key] = p.Value
		}
		if err := k.add(r, env); err != nil {
			return k, err
		}
	}
	for _, o := range s.OpenAPI {
		r, err := b.openAPI(s, o, pins)
		if err != nil {
			return k, fmt.Errorf("openapi %s: %w", o.Name, err)
		}
		if err := k.add(r, nil); err != nil {
			return k, err
		}
	}
	for _, m := range s.MCP {
		r, err := mcp.Connect(ctx, b.server(s, m), mcp.Options{HTTP: b.out, Log: b.log})
		if err != nil {
			k.missing = append(k.missing, fmt.Errorf("MCP server %s: %w", m.Name, err))
			continue
		}
		b.keep(r)
		if err := k.add(r, nil); err != nil {
			return k, err
		}
	}
	return k, nil
}

func groupName(g agent.ToolGroup) string {
	if g.Path != "" {
		return g.Path
	}
	return g.Name
}

// pin finds a blob that a revision keeps.
func pin(pins []event.Pair, key string) (string, bool) {
	i := slices.IndexFunc(pins, func(p event.Pair) bool { return p.Key == key })
	if i < 0 {
		return "", false
	}
	return pins[i].Value, true
}

func (b *toolbox) blob(pins []event.Pair, key string) ([]byte, error) {
	name, ok := pin(pins, key)
	if !ok {
		return nil, fmt.Errorf("%s was not given when the agent was saved: save it from the folder where it stands: %w", key, fault.NotFound)
	}
	r, err := b.blobs.Get(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func (b *toolbox) group(ctx context.Context, t tenant.ID, g agent.ToolGroup, pins []event.Pair) (tool.Runner, error) {
	packed, err := b.blob(pins, "group/"+groupName(g))
	if err != nil {
		return nil, err
	}
	bundle, err := python.Unpack(packed)
	if err != nil {
		return nil, err
	}
	group, notes, err := python.Parse(bundle)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		b.log.Warn("tool group", "group", groupName(g), "err", n.String())
	}
	b.test.Do(func() {
		if err := b.pool.SelfTest(context.WithoutCancel(ctx)); err != nil {
			b.log.Error("tool groups are off: the sandbox does not hold", "err", err)
		}
	})
	r, err := b.pool.Open(ctx, t, group)
	if err != nil {
		if b.pool.Ready() != nil {
			return offline{group: group, why: err}, nil // its tools are known and fail one by one
		}
		return nil, err
	}
	b.keep(r)
	return r, nil
}

// offline stands for a group whose sandbox is missing: nothing of it runs.
type offline struct {
	group *python.Group
	why   error
}

// Tools implements tool.Runner.
func (o offline) Tools() []tool.Spec { return o.group.Tools() }

// Skills implements tool.Runner.
func (o offline) Skills() []tool.Skill { return o.group.Skills() }

// Run implements tool.Runner.
func (o offline) Run(context.Context, tool.Call) (tool.Outcome, error) { return tool.Outcome{}, o.why }

// Close implements tool.Runner.
func (offline) Close() error { return nil }

func (b *toolbox) openAPI(s *agent.Spec, o agent.OpenAPI, pins []event.Pair) (tool.Runner, error) {
	doc, err := b.blob(pins, "openapi/"+o.Document)
	if err != nil {
		return nil, err
	}
	r, warnings, err := openapi.New(openapi.Options{
		Name: o.Name, Document: doc, Operations: o.Operations, BaseURL: o.BaseURL, HTTP: b.out,
		Auth: openapi.Auth{Kind: openapi.AuthKind(o.Auth.Kind), Header: o.Auth.Header, Value: b.secret(s, o.Auth.ValueEnv)},
	})
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		b.log.Warn("openapi", "document", o.Document, "err", w)
	}
	b.keep(r)
	return r, nil
}

func (b *toolbox) server(s *agent.Spec, m agent.MCPServer) mcp.Server {
	out := mcp.Server{
		Name: m.Name, Description: m.Description, Code: m.Code, Endpoint: m.Endpoint, Transport: mcp.Transport(m.Transport),
		Auth:    mcp.Auth{Kind: mcp.AuthKind(m.Auth.Kind), Header: m.Auth.Header, Value: b.secret(s, m.Auth.ValueEnv)},
		Rename:  mcp.Rename{Prefix: m.Rename.Prefix, Suffix: m.Rename.Suffix},
		Include: m.Include, Exclude: m.Exclude,
	}
	for _, r := range m.Rename.Replace {
		out.Rename.Replace = append(out.Rename.Replace, mcp.Replacement{Old: r.From, New: r.To})
	}
	return out
}

func (b *toolbox) keep(c io.Closer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = append(b.opened, c)
}

// close ends everything that was opened.
func (b *toolbox) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, c := range slices.Backward(b.opened) {
		errs = append(errs, c.Close())
	}
	b.opened = nil
	return errors.Join(append(errs, b.pool.Close())...)
}

// add takes in what one group or server offers. No two may share a name.
func (k *kit) add(r tool.Runner, env map[string]string) error {
	for _, t := range r.Tools() {
		if k.hands.by[t.Name] != nil {
			return fmt.Errorf("two tools are called %s: %w", t.Name, fault.Conflict)
		}
		k.hands.by[t.Name], k.hands.env[t.Name] = r, env
		k.tools = append(k.tools, t)
	}
	for _, s := range r.Skills() {
		if k.hands.by[s.Name] != nil {
			return fmt.Errorf("two tools or skills are called %s: %w", s.Name, fault.Conflict)
		}
		k.hands.by[s.Name], k.hands.env[s.Name] = r, env
		k.skills = append(k.skills, s)
	}
	return nil
}

// names are those of all tools and skills, for the check of a workflow.
func (k *kit) names() (tools, skills []string) {
	for _, t := range k.tools {
		tools = append(tools, t.Name)
	}
	for _, s := range k.skills {
		skills = append(skills, s.Name)
	}
	return tools, skills
}

// outlines names what is missing in one line.
func (k *kit) outlines() string {
	var out []string
	for _, e := range k.missing {
		out = append(out, e.Error())
	}
	return strings.Join(out, "; ")
}
