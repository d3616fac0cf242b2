// Package exchange joins connections to the SIP endpoint: it keeps their
// registrations up, knows by which connection a call came, and places calls
// through them within what they may do. It implements actors.Uplink and
// actors.Dialler. It decides nothing about conversations, and what a connection
// is stands in engine/connection.
//
// # Decisions
//
// 2026-11-22 Redirections (302) are followed here, not by the endpoint: every
// contact a stranger names is checked against the dial plan first. Otherwise a
// redirection would be the way around it.
//
// 2026-11-22 A number without any connection is not dialled: somebody has to
// have said who pays. A SIP address is, within Options.Direct.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"flametree/actors"
	"flametree/engine/connection"
	"flametree/engine/dialplan"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/media/sip"
	"flametree/media/sip/register"
)

// Options make an Exchange.
type Options struct {
	// Direct says to which addresses calls may be placed without a connection;
	// nil refuses all.
	Direct func(ctx context.Context, host, port string) error
	Log    *slog.Logger
}

// Exchange is the one of a process. All methods may be called from any goroutine.
type Exchange struct {
	opt Options

	mu       sync.Mutex
	endpoint *sip.Endpoint
	off      bool
	lines    map[string]*line // by name
}

var (
	_ actors.Uplink  = (*Exchange)(nil)
	_ actors.Dialler = (*Exchange)(nil)
)

// line is one connection that is up.
type line struct {
	id      actors.ID
	state   connection.State
	report  func(event.ConnectionReported)
	account *sip.Registration
	pace    *rate.Limiter
	most    int
	live    int
	plan    dialplan.Plan
}

// New makes an Exchange without an endpoint: what comes up waits for it.
func New(o Options) *Exchange {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Exchange{opt: o, lines: make(map[string]*line)}
}

// Serve gives the endpoint, nil when there is no telephony on this server.
func (x *Exchange) Serve(e *sip.Endpoint) {
	x.mu.Lock()
	x.endpoint, x.off = e, e == nil
	waiting := make([]*line, 0, len(x.lines))
	for _, l := range x.lines {
		waiting = append(waiting, l)
	}
	x.mu.Unlock()
	for _, l := range waiting {
		x.connect(l)
	}
	x.trunks()
}

// name is a connection's name at the endpoint: no two tenants share one.
func name(of actors.ID) string { return of.Tenant.String() + "/" + of.Name }

// Up implements actors.Uplink.
func (x *Exchange) Up(of actors.ID, s connection.State, report func(event.ConnectionReported)) (down func()) {
	l := &line{id: of, state: s, report: report, plan: planOf(s)}
	l.most, _ = strconv.Atoi(s.Setting("max_calls"))
	if each, err := strconv.Atoi(s.Setting("calls_per_second")); err == nil && each > 0 {
		l.pace = rate.NewLimiter(rate.Limit(each), each)
	}
	x.mu.Lock()
	if old := x.lines[name(of)]; old != nil {
		l.live = old.live // calls outlive a change of settings
	}
	x.lines[name(of)] = l
	x.mu.Unlock()
	x.connect(l)
	x.trunks()
	return func() { x.down(l) }
}

func planOf(s connection.State) dialplan.Plan {
	p := dialplan.Plan{Country: s.Setting("country"), Premium: s.Setting("premium") == "true"}
	for prefix := range strings.SplitSeq(s.Setting("destinations"), ",") {
		if prefix = strings.TrimSpace(prefix); prefix != "" {
			p.Prefixes = append(p.Prefixes, prefix)
		}
	}
	return p
}

// connect registers a line, or says that there is nothing to register.
func (x *Exchange) connect(l *line) {
	x.mu.Lock()
	e, off := x.endpoint, x.off
	x.mu.Unlock()
	switch {
	case off:
		x.tell(l, event.ConnectionReported{State: connection.Failed, Detail: "this server has no telephony: start it with --sip ADDRESS"})
		return
	case e == nil: // Serve comes
		return
	case l.state.Setting("register") == "false":
		x.tell(l, event.ConnectionReported{State: connection.Ready})
		return
	}
	s := l.state
	host := s.Setting("domain")
	expires, _ := strconv.Atoi(s.Setting("expires"))
	a := sip.Account{
		Name: name(l.id), Registrar: "sip:" + host, AOR: "sip:" + s.Setting("user") + "@" + host, Login: s.Setting("login"),
		Password: s.Secret("password"), Transport: strings.ToUpper(s.Setting("transport")),
		Expires: time.Duration(expires) * time.Second, OnStatus: func(st sip.RegisterStatus) { x.tell(l, reported(st)) },
	}
	if p := s.Setting("proxy"); p != "" {
		a.Proxy = "sip:" + p
	}
	account, err := e.Register(a)
	if err != nil {
		x.tell(l, event.ConnectionReported{State: connection.Failed, Detail: plain(err)})
		return
	}
	x.mu.Lock()
	l.account = account
	x.mu.Unlock()
}

// tell reports how a line stands, unless the server is ending.
func (x *Exchange) tell(l *line, r event.ConnectionReported) {
	x.mu.Lock()
	report := l.report
	x.mu.Unlock()
	if report != nil {
		report(r)
	}
}

// reported is how a registration stands, in words that say what to do next.
func reported(s sip.RegisterStatus) event.ConnectionReported {
	r := event.ConnectionReported{Code: uint32(max(0, s.Code)), Detail: s.LastError}
	switch s.Phase {
	case register.Registered:
		return event.ConnectionReported{State: connection.Registered}
	case register.Failed:
		r.State = connection.Failed
	case register.Refused:
		r.State = connection.Failed
		r.Detail = strings.TrimSpace("the registrar refuses the account; check user, login and password, save, and start again. " + s.LastError)
	case register.Leaving, register.Gone:
		r.State = connection.Down
	default:
		r.State = connection.Connecting
	}
	return r
}

func plain(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+fault.KindOf(err).Error())
}

// Withdraw takes all registrations back, and returns when that was answered or
// ctx ends. Connections stay as they are: at the next start they register again.
func (x *Exchange) Withdraw(ctx context.Context) {
	x.mu.Lock()
	var all []*sip.Registration
	for _, l := range x.lines {
		if l.account != nil {
			all = append(all, l.account)
			l.account = nil
		}
		l.report = nil // the server goes, not the connection
	}
	x.mu.Unlock()
	var left sync.WaitGroup
	for _, r := range all {
		left.Go(func() { _ = r.Close() })
	}
	done := make(chan struct{})
	go func() {
		left.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (x *Exchange) down(l *line) {
	x.mu.Lock()
	if x.lines[name(l.id)] == l {
		delete(x.lines, name(l.id))
	}
	account := l.account
	x.mu.Unlock()
	if account != nil {
		if err := account.Close(); err != nil {
			x.opt.Log.Debug("registration not taken back", "err", err, "connection", l.id.Name)
		}
	}
	x.trunks()
}

// trunks tells the endpoint which addresses belong to which connection.
func (x *Exchange) trunks() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.endpoint == nil {
		return
	}
	var all []sip.Trunk
	for n, l := range x.lines {
		var prefixes []netip.Prefix
		for part := range strings.SplitSeq(l.state.Setting("sources"), ",") {
			part = strings.TrimSpace(part)
			if p, err := netip.ParsePrefix(part); err == nil {
				prefixes = append(prefixes, p)
			} else if a, err := netip.ParseAddr(part); err == nil {
				prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
			}
		}
		if len(prefixes) > 0 {
			all = append(all, sip.Trunk{Name: n, Prefixes: prefixes})
		}
	}
	if err := x.endpoint.SetTrunks(all); err != nil {
		x.opt.Log.Warn("trunks not set", "err", err)
	}
}

// Whose finds the agent that receives a call by the connection it came by.
func (x *Exchange) Whose(inv sip.Invite) (t tenant.ID, agent string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l := x.lineOf(inv)
	if l == nil || l.state.Inbound == "" {
		return t, "", false
	}
	return l.id.Tenant, l.state.Inbound, true
}

func (x *Exchange) lineOf(inv sip.Invite) *line {
	if l := x.lines[inv.Account]; l != nil {
		return l
	}
	return x.lines[inv.Trunk]
}

// Learn takes a connection as its journal says it is now: who receives its calls
// may change while it is up.
func (x *Exchange) Learn(of actors.ID, s connection.State) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if l := x.lines[name(of)]; l != nil {
		l.state.Agents, l.state.Inbound = s.Agents, s.Inbound
	}
}

// Enter counts an incoming call and wraps its line, so that it can be passed on;
// fault.Exhausted when its connection has as many as it may have. One that takes
// the place of another is none more.
func (x *Exchange) Enter(inv sip.Invite) (actors.Line, error) {
	x.mu.Lock()
	l := x.lineOf(inv)
	if l == nil && inv.Replaces != nil { // of the connection whose call it replaces
		if w, ok := inv.Replaces.Owner().(*wire); ok {
			l = w.line
		}
	}
	if l != nil && inv.Replaces == nil && l.most > 0 && l.live >= l.most {
		x.mu.Unlock()
		return nil, fmt.Errorf("the connection %q has its %d calls: %w", l.state.Name, l.most, fault.Exhausted)
	}
	if l != nil {
		l.live++
	}
	x.mu.Unlock()
	return x.wrap(inv.Call, l), nil
}

// wrap makes a call's line, and counts it out when it is gone.
func (x *Exchange) wrap(c *sip.Call, l *line) actors.Line {
	if l != nil {
		go func() {
			<-c.Gone()
			x.mu.Lock()
			defer x.mu.Unlock()
			if now := x.lines[name(l.id)]; now != nil {
				now.live = max(0, now.live-1)
			}
		}()
	}
	w := &wire{Call: c, x: x, line: l}
	c.Belong(w)
	return w
}

// Live counts the calls of each connection, by its id.
func (x *Exchange) Live() map[string]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make(map[string]int, len(x.lines))
	for _, l := range x.lines {
		out[l.id.Name] = l.live
	}
	return out
}

// refused is a call that was not even tried.
func refused(status event.Status, reason string, err error) *actors.NotReached {
	return &actors.NotReached{Status: status, Reason: reason, Err: err}
}

var errNoEndpoint = errors.New("this server has no telephony")
