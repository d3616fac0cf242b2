package node

import (
	"context"
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
	"time"

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

	// retry is the longest wait between two attempts to reach a server that is
	// away, 0 = 30 s; changed is told when a server offers something else.
	retry   time.Duration
	changed func()

	test   sync.Once // of the sandbox, when the first group is opened
	mu     sync.Mutex
	shares map[shareID]*share
	closed bool
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
	box     *toolbox
	parts   []part
	secrets []string // of the agent and its groups
	hands   *hands
	tools   []tool.Spec
	skills  []tool.Skill
	missing []error
}

// open opens everything a revision names. A group that cannot be read is an
// error; a server that does not answer is only missing. The caller closes the kit.
func (b *toolbox) open(ctx context.Context, t tenant.ID, s *agent.Spec, pins []event.Pair) (k *kit, err error) {
	k = &kit{box: b, secrets: secretsOf(s)}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	for _, g := range s.ToolGroups {
		p, err := b.group(ctx, t, g, pins)
		if err != nil {
			return k, fmt.Errorf("tool group %s: %w", groupName(g), err)
		}
		env := make(map[string]string, len(g.Env))
		for _, p := range g.Env {
			env[p.Key] = p.Value
		}
		k.take(p, groupName(g), env)
	}
	for _, o := range s.OpenAPI {
		p, err := b.openAPI(t, s, o, pins)
		if err != nil {
			return k, fmt.Errorf("openapi %s: %w", o.Name, err)
		}
		k.take(p, o.Name, nil)
	}
	for _, m := range s.MCP {
		p, err := b.await(ctx, t, b.server(s, m))
		if err != nil {
			return k, err
		}
		k.take(p, m.Name, nil)
	}
	return k, k.assemble(true)
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

func (b *toolbox) group(ctx context.Context, t tenant.ID, g agent.ToolGroup, pins []event.Pair) (*share, error) {
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
	id, err := idOf(t, "group", group.Hash)
	if err != nil {
		return nil, err
	}
	return b.borrow(id, func() (tool.Runner, error) {
		for _, n := range notes {
			b.log.Warn("tool group", "group", groupName(g), "err", n.String())
		}
		b.ready(ctx)
		r, err := b.pool.Open(ctx, t, group)
		if err != nil && b.pool.Ready() != nil {
			return offline{group: group, why: err}, nil //nolint:nilerr // its tools are known and fail one by one
		}
		return r, err
	})
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

func (b *toolbox) openAPI(t tenant.ID, s *agent.Spec, o agent.OpenAPI, pins []event.Pair) (*share, error) {
	doc, err := b.blob(pins, "openapi/"+o.Document)
	if err != nil {
		return nil, err
	}
	declared := openapi.Options{
		Name: o.Name, Document: doc, Operations: o.Operations, BaseURL: o.BaseURL,
		Auth: remote.Auth{Kind: remote.AuthKind(o.Auth.Kind), Header: o.Auth.Header, Value: b.secret(s, o.Auth.ValueEnv)},
	}
	id, err := idOf(t, "openapi", []any{o, doc, declared.Auth.Value})
	if err != nil {
		return nil, err
	}
	return b.borrow(id, func() (tool.Runner, error) {
		declared.HTTP = b.out
		r, warnings, err := openapi.New(declared)
		for _, w := range warnings {
			b.log.Warn("openapi", "document", o.Document, "err", w)
		}
		return r, err
	})
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
