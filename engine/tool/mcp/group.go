package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"flametree/engine/fault"
	"flametree/engine/tool"
	"flametree/engine/tool/remote"
)

// Options are what a server is reached with.
type Options struct {
	// HTTP is the way out, through the guard; needed by the HTTP transports. It
	// has no total timeout: streams stay open.
	HTTP *http.Client
	// Start runs the command of a stdio server, in the sandbox, until ctx ends or
	// what it gives is closed. Closing unblocks reads and writes. Needed by stdio.
	Start func(ctx context.Context, argv []string) (io.ReadWriteCloser, error)
	// Log gets warnings about tools left out and connections lost; nil = nowhere.
	Log *slog.Logger
	// Backoff is the wait before the second attempt to connect again; it doubles
	// up to MaxBackoff. 0 = 250 ms, and 30 s.
	Backoff, MaxBackoff time.Duration
	// Changed is told, from the runner's own goroutine, that Tools gives
	// something else now. It must not close the runner. nil = nobody wants to know.
	Changed func()
}

const (
	defaultBackoff = 250 * time.Millisecond
	defaultLongest = 30 * time.Second
	connectTime    = 30 * time.Second
	goodbye        = time.Second            // for a polite end before a hard one
	stuck          = 500 * time.Millisecond // for a call to let go when its time is over
)

var errStuck = errors.New("the server does not take what is written to it")

// group is the tools of one server. Its keeper is the one goroutine that
// connects again, lists again and closes sessions that broke.
type group struct {
	server Server
	opts   Options
	life   context.Context
	stop   context.CancelFunc
	work   sync.WaitGroup // the keeper, and calls that have not come back

	changed chan struct{} // the server's list did; holds one

	mu   sync.Mutex
	now  *link         // nil while there is no connection
	down error         // why not
	up   chan struct{} // closed when now is set
	has  *catalogue    // the last one that was listed
}

// link is one connection.
type link struct {
	session *sdk.ClientSession
	broke   context.Context // done when the session is to be given up
	give    context.CancelCauseFunc
	cancel  context.CancelFunc // hard end: requests, the command
}

// Connect reaches a server, lists its tools and keeps the connection until the
// runner is closed. ctx bounds this first attempt alone, with 30 s. Errors name
// the server and wrap fault.Invalid (the declaration, or a list that cannot
// be), fault.Denied (guard, authentication) or fault.Unavailable.
func Connect(ctx context.Context, s Server, o Options) (tool.Runner, error) {
	g, err := ready(ctx, s, o)
	if err != nil {
		return nil, err
	}
	if err := g.connect(ctx); err != nil {
		g.stop()
		return nil, err
	}
	g.work.Go(g.keep)
	return g, nil
}

// Awaited is the runner of a server that may not be there yet.
type Awaited interface {
	tool.Runner
	// Missing says why the server's tools are not known; nil once they were
	// listed, also if it has gone away since.
	Missing() error
}

// Await is Connect for those who can go without the server for a while: a first
// attempt that fails is told by Missing, the runner offers nothing, and goes on
// trying until it is closed; Changed tells when it has succeeded. The error is
// one of the declaration.
func Await(ctx context.Context, s Server, o Options) (Awaited, error) {
	g, err := ready(ctx, s, o)
	if err != nil {
		return nil, err
	}
	if err := g.connect(ctx); err != nil {
		g.down = err
	}
	g.work.Go(g.keep)
	return g, nil
}

// ready makes a group that has no connection yet.
func ready(ctx context.Context, s Server, o Options) (*group, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if (s.Transport == Stdio && o.Start == nil) || (s.Transport != Stdio && o.HTTP == nil) {
		return nil, fmt.Errorf("mcp: server %q: nothing is given to reach a server over %s with: %w", s.Code, s.Transport, fault.Denied)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Backoff <= 0 {
		o.Backoff = defaultBackoff
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = max(defaultLongest, o.Backoff)
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	o.Backoff = min(o.Backoff, o.MaxBackoff)
	g := &group{server: s, opts: o, changed: make(chan struct{}, 1), up: make(chan struct{})}
	g.life, g.stop = context.WithCancel(context.WithoutCancel(ctx))
	return g, nil
}

// connect makes a link, lists, and takes both into use.
func (g *group) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	l, err := g.open(ctx)
	var has *catalogue
	if err == nil {
		if has, err = discover(ctx, l.session, g.server, g.opts.Log); err != nil {
			g.end(l)
		}
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("it does not answer in time: %w", fault.Unavailable)
		}
		return fmt.Errorf("mcp: server %q: %w", g.server.Code, reason(err, g.server.Auth))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now, g.has, g.down = l, has, nil
	close(g.up)
	return nil
}

// keep connects where that has failed, again after a drop, and lists again after
// a change.
func (g *group) keep() {
	if g.now == nil && !(g.sleep(g.opts.Backoff) && g.again()) {
		return
	}
	for {
		l := g.now // only this goroutine writes it from here on
		select {
		case <-g.life.Done():
			g.end(l)
			return
		case <-g.changed:
			g.refresh(l)
			g.pause(l) // a list that changes all the time is not read all the time
		case <-l.broke.Done():
			g.lose(l, context.Cause(l.broke))
			if !g.again() {
				return
			}
		}
	}
}

func (g *group) pause(l *link) {
	t := time.NewTimer(g.opts.Backoff)
	defer t.Stop()
	select {
	case <-g.life.Done():
	case <-l.broke.Done():
	case <-t.C:
	}
}

func (g *group) lose(l *link, why error) {
	g.mu.Lock()
	g.now, g.up = nil, make(chan struct{})
	g.mu.Unlock()
	g.end(l)
	if g.life.Err() == nil {
		g.opts.Log.Warn("the connection to a server of tools is lost", "server", g.server.Code, "reason", reason(why, g.server.Auth).Error())
	}
}

// again tries until there is a connection or the group ends. What is wrong is
// logged when it is something else than before.
func (g *group) again() bool {
	logged := ""
	for wait := g.opts.Backoff; ; wait = min(2*wait, g.opts.MaxBackoff) {
		err := g.connect(g.life)
		if err == nil {
			g.opts.Changed()
			return true
		}
		g.mu.Lock()
		g.down = err
		g.mu.Unlock()
		if said := err.Error(); g.life.Err() == nil && said != logged {
			logged = said
			g.opts.Log.Warn("a server of tools cannot be reached", "server", g.server.Code, "reason", said, "next_in", wait)
		}
		if !g.sleep(wait) {
			return false
		}
	}
}

// sleep reports false when the group ends meanwhile.
func (g *group) sleep(wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-g.life.Done():
		return false
	case <-t.C:
		return true
	}
}

func (g *group) refresh(l *link) {
	ctx, cancel := context.WithTimeout(g.life, connectTime)
	defer cancel()
	defer context.AfterFunc(l.broke, cancel)()
	has, err := discover(ctx, l.session, g.server, g.opts.Log)
	if err != nil {
		g.opts.Log.Warn("a changed list of tools cannot be read; the old one stays", "server", g.server.Code, "reason", reason(err, g.server.Auth).Error())
		return
	}
	g.mu.Lock()
	g.has = has
	g.mu.Unlock()
	g.opts.Changed()
}

// Tools implements tool.Runner: what the server listed last, also while it is
// away.
func (g *group) Tools() []tool.Spec {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has == nil {
		return nil
	}
	return append([]tool.Spec(nil), g.has.specs...)
}

// Missing implements Awaited.
func (g *group) Missing() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has != nil {
		return nil
	}
	return g.down
}

// Skills implements tool.Runner. A server has none.
func (g *group) Skills() []tool.Skill { return nil }

// Close implements tool.Runner.
func (g *group) Close() error {
	g.stop()
	g.work.Wait()
	return nil
}

// Run implements tool.Runner. A call is sent at most once: when the connection
// breaks under it, it fails, and nobody knows what the server did.
func (g *group) Run(ctx context.Context, c tool.Call) (tool.Outcome, error) {
	began := time.Now()
	value, err := g.run(ctx, c)
	if err != nil {
		return tool.Outcome{Took: time.Since(began)}, fmt.Errorf("mcp: %s: %w", remote.Printable(c.Name, tool.MaxName), err)
	}
	return tool.Outcome{Value: value, Took: time.Since(began)}, nil
}

func (g *group) run(ctx context.Context, c tool.Call) (json.RawMessage, error) {
	g.mu.Lock()
	has := g.has
	g.mu.Unlock()
	if has == nil {
		return nil, fmt.Errorf("the server %s was never reached: %w", g.server.Code, fault.Unavailable)
	}
	e := has.entries[c.Name]
	if e == nil {
		return nil, fmt.Errorf("the server %s has no such tool: %w", g.server.Code, fault.NotFound)
	}
	args, err := e.arguments(c.Args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.spec.Timeout)
	defer cancel()
	defer context.AfterFunc(g.life, cancel)()
	l, err := g.link(ctx)
	if err != nil {
		return nil, err
	}
	res, err := g.send(ctx, l, &sdk.CallToolParams{
		Name: e.original, Arguments: args, Meta: sdk.Meta{"idempotencyKey": c.Key},
	})
	if err != nil {
		return nil, g.failed(ctx, l, err)
	}
	return e.value(res, g.server.Auth)
}

// arguments are checked before they leave: a stranger gets nothing that it did
// not ask for.
func (e *entry) arguments(raw json.RawMessage) (map[string]any, error) {
	args := map[string]any{}
	if len(raw) > tool.MaxResult {
		return nil, fmt.Errorf("the arguments have more than %d bytes: %w", tool.MaxResult, fault.Invalid)
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &args); err != nil || args == nil {
			return nil, fmt.Errorf("the arguments are no JSON object: %w", fault.Invalid)
		}
	}
	if err := e.in.Fits(args); err != nil {
		return nil, fmt.Errorf("the arguments do not fit: %w: %w", err, fault.Invalid)
	}
	return args, nil
}

// link waits for a connection that is being made, but not for one that has
// failed to be made.
func (g *group) link(ctx context.Context) (*link, error) {
	for {
		g.mu.Lock()
		l, down, up := g.now, g.down, g.up
		g.mu.Unlock()
		switch {
		case g.life.Err() != nil:
			return nil, fmt.Errorf("the group is closed: %w", fault.Unavailable)
		case l != nil && l.broke.Err() == nil:
			return l, nil
		case down != nil:
			return nil, fmt.Errorf("the server cannot be reached: %w", down)
		case l != nil:
			up = nil // the keeper is about to see that it broke
		}
		t := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			if g.life.Err() == nil {
				return nil, late(ctx, "the server is not connected")
			}
		case <-up:
		case <-t.C:
		}
		t.Stop()
	}
}

// send calls, and comes back with ctx though the SDK may still be stuck in a
// write; that one ends with the link.
func (g *group) send(ctx context.Context, l *link, p *sdk.CallToolParams) (*sdk.CallToolResult, error) {
	type answer struct {
		res *sdk.CallToolResult
		err error
	}
	got := make(chan answer, 1)
	g.work.Go(func() {
		res, err := l.session.CallTool(ctx, p)
		got <- answer{res, err}
	})
	select {
	case a := <-got:
		return a.res, a.err
	case <-l.broke.Done():
		return nil, fmt.Errorf("%w: %w", sdk.ErrConnectionClosed, context.Cause(l.broke))
	case <-ctx.Done():
		g.work.Go(func() {
			t := time.NewTimer(stuck)
			defer t.Stop()
			select {
			case <-got:
			case <-l.broke.Done():
			case <-t.C:
				l.give(errStuck)
			}
		})
		return nil, ctx.Err()
	}
}

// failed judges why a call failed, and gives up a link that is to blame.
func (g *group) failed(ctx context.Context, l *link, err error) error {
	said := answered(err)
	switch {
	case g.life.Err() != nil:
		return fmt.Errorf("the group is closed: %w", fault.Unavailable)
	case ctx.Err() != nil:
		return late(ctx, "the server has not answered")
	case said != nil:
		kind := fault.Unavailable
		switch said.Code {
		case jsonrpc.CodeInvalidParams:
			kind = fault.Invalid
		case jsonrpc.CodeMethodNotFound:
			kind = fault.NotFound
		}
		return fmt.Errorf("the server answers: %s: %w", remote.Printable(g.server.Auth.Hide(said.Message), maxComplaint), kind)
	}
	l.give(err)
	return fmt.Errorf("the connection broke during the call, which is not repeated: %w", reason(err, g.server.Auth))
}

func late(ctx context.Context, what string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s, and nobody waits any more: %w", what, fault.Cancelled)
	}
	return fmt.Errorf("%s in time: %w", what, fault.Unavailable)
}
