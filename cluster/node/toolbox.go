package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
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
	"flametree/engine/dialog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/guard"
	"flametree/engine/tenant"
	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
	"flametree/engine/tool/openapi"
	"flametree/engine/tool/python"
	"flametree/engine/tool/remote"
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
	// commands is the folder with programs that may be MCP servers, beside /usr.
	commands string

	test    sync.Once // of the sandbox, when the first group is opened
	mu      sync.Mutex
	opened  []io.Closer
	servers map[[32]byte]tool.Runner // by tenant and declaration
}

// hands run each tool where it belongs. Runners are safe for concurrent use.
type hands struct {
	by  map[string]tool.Runner
	env map[string]map[string]string // of a tool's group, beside the agent's

	secrets   []string                  // values of secret variables, of the agent and its groups
	concealed map[string][]tool.Binding // of a tool: arguments that no record of a call holds
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
	if bound := h.concealed[c.Name]; len(bound) > 0 {
		var err error
		if c.Args, err = fill(c.Args, bound, c.Scene.Parameters); err != nil {
			return tool.Outcome{}, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	out, err := r.Run(ctx, c)
	return veil(out, err, h.secrets, dialog.Hidden(c.Scene.Parameters))
}

// fill puts the parameters that arguments are bound to into a call.
func fill(args json.RawMessage, bound []tool.Binding, parameters map[string]json.RawMessage) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(args, &fields); err != nil {
		return nil, fmt.Errorf("the arguments are no JSON object: %w", fault.Invalid)
	}
	for _, b := range bound {
		v, ok := parameters[strings.TrimPrefix(b.From, "params.")]
		if !ok {
			return nil, fmt.Errorf("argument %s: %w", b.Arg, guard.Unknown)
		}
		fields[b.Arg] = v
	}
	return json.Marshal(fields)
}

// leastVeiled is how long a value must be to be taken out of texts: shorter ones
// stand in every text by chance.
const leastVeiled = 6

// veil takes out of what a run gave what its code was told in confidence:
// secret variables everywhere, and from errors and logs the parameters for code
// only. A result may hold those: code proves by them who the customer is.
func veil(out tool.Outcome, err error, secrets, hidden []string) (tool.Outcome, error) {
	all := veiler(slices.Concat(secrets, hidden))
	for i, l := range out.Logs {
		out.Logs[i] = all.Replace(l)
	}
	if err != nil {
		if text := all.Replace(err.Error()); text != err.Error() {
			return out, veiled{text: text, err: err}
		}
		return out, err
	}
	own := veiler(secrets)
	for k, v := range out.Results {
		out.Results[k] = own.Replace(v)
	}
	if text := own.Replace(string(out.Value)); text != string(out.Value) {
		out.Value = json.RawMessage(text)
		if !json.Valid(out.Value) { // it stood in a number
			out.Value = json.RawMessage(`"***"`)
		}
	}
	return out, nil
}

// veiler writes "***" in place of values, as they are and as JSON writes them.
func veiler(values []string) *strings.Replacer {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return len(v) < leastVeiled })
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) }) // one may begin with another
	var pairs []string
	for _, v := range values {
		if quoted, err := json.Marshal(v); err == nil {
			pairs = append(pairs, string(quoted[1:len(quoted)-1]), "***")
		}
		pairs = append(pairs, v, "***")
	}
	return strings.NewReplacer(pairs...)
}

// veiled is an error that says less.
type veiled struct {
	text string
	err  error
}

// Error implements error.
func (v veiled) Error() string { return v.text }

// Unwrap gives the kind of trouble.
func (v veiled) Unwrap() error { return v.err }

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
	k := kit{hands: &hands{by: make(map[string]tool.Runner), env: make(map[string]map[string]string), secrets: secretsOf(s), concealed: make(map[string][]tool.Binding)}}
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
		declared := b.server(s, m)
		if err := declared.Validate(); err != nil {
			return k, err
		}
		r, err := b.connect(ctx, t, declared)
		if err != nil {
			k.missing = append(k.missing, fmt.Errorf("MCP server %s: %w", m.Name, err))
			continue
		}
		if err := k.add(r, nil); err != nil {
			return k, err
		}
	}
	return k, nil
}

// connect reaches an MCP server. Revisions and agents of one tenant that declare
// it alike share the connection: saving again does not make another.
func (b *toolbox) connect(ctx context.Context, t tenant.ID, s mcp.Server) (tool.Runner, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.Bug, err)
	}
	id := sha256.Sum256(append(t[:], text...))
	b.mu.Lock()
	r := b.servers[id]
	b.mu.Unlock()
	if r != nil {
		return r, nil
	}
	if r, err = mcp.Connect(ctx, s, mcp.Options{HTTP: b.out, Log: b.log, Start: b.begin}); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if other := b.servers[id]; other != nil { // somebody was faster
		return other, r.Close()
	}
	if b.servers == nil {
		b.servers = make(map[[32]byte]tool.Runner)
	}
	b.servers[id] = r
	b.opened = append(b.opened, r)
	return r, nil
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
	b.ready(ctx)
	r, err := b.pool.Open(ctx, t, group)
	if err != nil {
		if b.pool.Ready() != nil {
			return offline{group: group, why: err}, nil //nolint:nilerr // its tools are known and fail one by one
		}
		return nil, err
	}
	b.keep(r)
	return r, nil
}

// ready tries the sandbox once, before anything is started in it.
func (b *toolbox) ready(ctx context.Context) {
	b.test.Do(func() {
		if err := b.pool.SelfTest(context.WithoutCancel(ctx)); err != nil {
			b.log.Error("tool groups are off: the sandbox does not hold", "err", err)
		}
	})
}

// begin starts the command of an MCP server in the sandbox.
func (b *toolbox) begin(ctx context.Context, argv []string) (io.ReadWriteCloser, error) {
	b.ready(ctx)
	return b.pool.Command(ctx, argv, b.commands)
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
		Auth: remote.Auth{Kind: remote.AuthKind(o.Auth.Kind), Header: o.Auth.Header, Value: b.secret(s, o.Auth.ValueEnv)},
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
		Auth:    remote.Auth{Kind: remote.AuthKind(m.Auth.Kind), Header: m.Auth.Header, Value: b.secret(s, m.Auth.ValueEnv)},
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
		for _, b := range t.Bind {
			if dialog.Concealed(b) {
				k.hands.concealed[t.Name] = append(k.hands.concealed[t.Name], b)
			}
		}
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
