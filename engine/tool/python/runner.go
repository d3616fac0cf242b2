package python

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/engine/tool"
)

const (
	maxLogs    = 100
	maxLog     = 1000 // characters
	maxResults = 200
	maxError   = 1000 // characters
	minSecret  = 4    // shorter values would turn logs into stars
)

// Open makes a Runner of a group for a tenant: it installs what the group
// requires, starts an interpreter and imports the modules, so that no call
// waits for that. ctx bounds all of it. A group whose code cannot be imported
// is fault.Invalid. Where the sandbox is unavailable the Runner is made all the
// same, and its calls fail.
func (p *Pool) Open(ctx context.Context, t tenant.ID, g *Group) (tool.Runner, error) {
	r := &runner{pool: p, home: home{identity: identity{tenant: t, group: g.Hash}, group: g}, timeouts: map[string]time.Duration{}}
	for _, s := range g.tools {
		r.timeouts[s.Name] = s.Timeout
	}
	for _, s := range g.skills {
		r.timeouts[s.Name] = s.Timeout
	}
	r.life, r.end = context.WithCancel(context.WithoutCancel(ctx))
	unavailable := p.Ready()
	if unavailable == nil {
		env, err := p.environment(ctx, g)
		if err != nil {
			r.end()
			return nil, fmt.Errorf("tool group %s: %w", g.Name, err)
		}
		r.home.env = env
	}
	p.mu.Lock()
	p.open[r.home.identity]++
	p.mu.Unlock()
	if unavailable != nil {
		r.unready = len(g.requirements) > 0
		return r, nil
	}
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	w, err := p.take(ctx, r.home)
	if err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("tool group %s: %w", g.Name, err)
	}
	p.put(r.home, w)
	return r, nil
}

// runner implements tool.Runner.
type runner struct {
	pool     *Pool
	home     home
	timeouts map[string]time.Duration
	unready  bool // opened while nothing could be installed
	life     context.Context
	end      context.CancelFunc

	mu     sync.Mutex
	closed bool
	runs   sync.WaitGroup
}

// Tools implements tool.Runner.
func (r *runner) Tools() []tool.Spec { return r.home.group.Tools() }

// Skills implements tool.Runner.
func (r *runner) Skills() []tool.Skill { return r.home.group.Skills() }

// enter counts a run that Close awaits.
func (r *runner) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("tool group %s is closed: %w", r.home.group.Name, fault.Unavailable)
	}
	r.runs.Add(1)
	return nil
}

// Close implements tool.Runner. It may be called twice.
func (r *runner) Close() error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if first { // before the runs end, so that nobody replaces their interpreters
		r.pool.leave(r.home.identity)
	}
	r.end()
	r.runs.Wait()
	return nil
}

// leave ends the interpreters of what nobody has open any more.
func (p *Pool) leave(id identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[id]--; p.open[id] > 0 {
		return
	}
	delete(p.open, id)
	p.idle = slices.DeleteFunc(p.idle, func(w *worker) bool {
		if w.of != id {
			return false
		}
		w.kill()
		p.owned--
		return true
	})
	p.wake()
}

// Run implements tool.Runner.
func (r *runner) Run(ctx context.Context, c tool.Call) (tool.Outcome, error) {
	start := time.Now()
	if err := r.enter(); err != nil {
		return tool.Outcome{}, err
	}
	defer r.runs.Done()
	timeout, known := r.timeouts[c.Name]
	switch {
	case c.Tenant != r.home.tenant:
		return tool.Outcome{}, fmt.Errorf("%s: the group was opened for another tenant: %w", c.Name, fault.Denied)
	case !known:
		return tool.Outcome{}, fmt.Errorf("the group has no %s: %w", shorten(c.Name), fault.NotFound)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	if err := r.pool.Ready(); err != nil {
		return tool.Outcome{}, err
	}
	if r.unready {
		return tool.Outcome{}, fmt.Errorf("%s: the group was opened before its requirements could be installed, open it again: %w", c.Name, fault.Unavailable)
	}
	out, err := r.run(ctx, c)
	out.Took = time.Since(start)
	return out, err
}

func (r *runner) run(ctx context.Context, c tool.Call) (tool.Outcome, error) {
	secrets := secretsOf(c.Scene.Env)
	hide := hider(secrets)
	w, err := r.pool.take(ctx, r.home)
	if err != nil {
		return tool.Outcome{}, fmt.Errorf("%s: %w", c.Name, err)
	}
	a := asked{pool: r.pool, home: r.home}
	f, err := w.talk(ctx, request{Op: "call", Secrets: secrets, body: callOf(c)}, a.answer)
	defer r.pool.put(r.home, w)
	if err != nil {
		return tool.Outcome{}, w.explain(err, c.Name)
	}
	out := tool.Outcome{Logs: f.logs(hide)}
	if f.Error != nil {
		f.Error.Text = clip(hide.Replace(f.Error.Text), maxError)
		f.Error.Type, f.Error.File = clip(hide.Replace(f.Error.Type), maxText), clip(hide.Replace(f.Error.File), maxText)
		return out, fmt.Errorf("%s: %w", c.Name, f.Error.err())
	}
	if len(f.Value) > tool.MaxResult || len(f.Value) == 0 || len(f.Results) > maxResults {
		w.spent = true // our side of the sandbox would not have sent it
		return out, fmt.Errorf("%s: the result is missing or too large: %w", c.Name, fault.Invalid)
	}
	out.Value, out.Results = f.Value, f.Results
	return out, nil
}

// callBody is a call as worker.py reads it.
type callBody struct {
	Name  string          `json:"name"`
	Key   string          `json:"key"`
	Args  json.RawMessage `json:"args"`
	Now   string          `json:"now"`
	Seed  uint64          `json:"seed"`
	Scene sceneBody       `json:"scene"`
}

type sceneBody struct {
	Session      sessionBody                `json:"session"`
	Parameters   map[string]json.RawMessage `json:"parameters"`
	Results      map[string]string          `json:"results"`
	Observations map[string]json.RawMessage `json:"observations"`
	Env          map[string]string          `json:"env"`
}

type sessionBody struct {
	ID           string `json:"id"`
	Conversation string `json:"conversation"`
	Agent        string `json:"agent"`
	Channel      string `json:"channel"`
	Mode         string `json:"mode"`
	Language     string `json:"language"`
	User         string `json:"user"`
	Name         string `json:"name"`
	Email        string `json:"email"`
	Phone        string `json:"phone"`
	State        string `json:"state"`
}

// stamp is a moment in the form that Python's fromisoformat reads.
const stamp = "2006-01-02T15:04:05.000000-07:00"

func callOf(c tool.Call) callBody {
	s := c.Scene
	b := callBody{
		Name: c.Name, Key: c.Key, Args: c.Args, Now: s.Now.Format(stamp), Seed: s.Seed,
		Scene: sceneBody{
			Session: sessionBody{
				ID: s.Session, Conversation: s.Conversation, Agent: s.Agent, Channel: s.Channel, Mode: s.Mode,
				Language: s.Language, User: s.User, Name: s.Name, Email: s.Email, Phone: s.Phone, State: s.State,
			},
			Parameters: s.Parameters, Results: s.Results, Observations: s.Observations, Env: s.Env,
		},
	}
	if len(b.Args) == 0 {
		b.Args = json.RawMessage("{}")
	}
	return b
}

// secretsOf lists the values that logs and errors must not hold, longest first.
// Which variables are secret is not told here, so all are, except what says
// nothing.
func secretsOf(env map[string]string) []string {
	var s []string
	for _, v := range env {
		switch strings.ToLower(v) {
		case "true", "false", "none", "null":
			continue
		}
		if len(v) >= minSecret {
			s = append(s, v)
		}
	}
	slices.SortFunc(s, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(s)
}

// hider replaces secrets. The interpreter has done so already; it is not
// trusted with it.
func hider(secrets []string) *strings.Replacer {
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, "***")
	}
	return strings.NewReplacer(pairs...)
}

func (f frame) logs(hide *strings.Replacer) []string {
	lines := f.Logs[:min(len(f.Logs), maxLogs)]
	for i, l := range lines {
		lines[i] = clip(hide.Replace(l), maxLog)
	}
	return lines
}

// clip keeps at most n characters.
func clip(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}
