package twilio

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
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
)

// Options make Trunks.
type Options struct {
	// Public is how Twilio reaches us: https, host and perhaps port. Without it
	// no connection comes up.
	Public string
	// Answer decides about a call that comes in. Leg and Line are its from then
	// on. An error refuses the call before it is answered: fault.Exhausted and
	// fault.Unavailable as busy.
	Answer func(ctx context.Context, in Incoming) error
	// Recorded takes a recording that Twilio made, see RecordThere; nil: none are
	// wanted. An error is logged; nobody asks again.
	Recorded func(ctx context.Context, r Recorded) error
	// Language is the language of an agent, such as en-US, for Twilio's own
	// speech; nil: Twilio's default.
	Language func(t tenant.ID, agent string) string
	Client   *http.Client             // default one of its own; it must not follow redirections
	Base     func(host string) string // nil: https://host; for tests
	Log      *slog.Logger
}

// Incoming is a call that comes in.
type Incoming struct {
	Tenant     tenant.ID
	Connection string
	Agent      string // that receives the connection's calls
	SID        string
	From, To   string
	Leg        actors.Leg
	Line       actors.Line
}

// Trunks are all connections to Twilio of a process. All methods may be called
// from any goroutine.
type Trunks struct {
	opt  Options
	wg   sync.WaitGroup // of requests that nobody waits for
	life context.Context
	end  context.CancelFunc

	mu     sync.Mutex        // guards what follows
	trunks map[string]*trunk // by the connection's id
	calls  map[string]*call  // by key
	bySID  map[string]*call
}

var (
	_ actors.Uplink  = (*Trunks)(nil)
	_ actors.Dialler = (*Trunks)(nil)
)

// trunk is one connection that is up.
type trunk struct {
	id     actors.ID
	state  connection.State
	api    api
	plan   dialplan.Plan
	pace   *rate.Limiter
	most   int
	report func(event.ConnectionReported)
	cancel context.CancelFunc
	done   chan struct{} // closed when nothing of it runs any more
}

// New makes Trunks without connections. Close ends them.
func New(o Options) *Trunks {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	o.Public = strings.TrimSuffix(o.Public, "/")
	t := &Trunks{opt: o, trunks: make(map[string]*trunk), calls: make(map[string]*call), bySID: make(map[string]*call)}
	t.life, t.end = context.WithCancel(context.Background())
	return t
}

// Close ends what runs for nobody in particular, and waits for it. Calls are to
// be over by then.
func (t *Trunks) Close() {
	t.end()
	t.wg.Wait()
}

// again is how long a connection waits before it asks Twilio once more.
const again = 30 * time.Second

// Up implements actors.Uplink: the number's webhook is set, and again every
// quarter of an hour, for somebody may change it by hand.
func (t *Trunks) Up(of actors.ID, s connection.State, report func(event.ConnectionReported)) (down func()) {
	ctx, cancel := context.WithCancel(t.life)
	tr := &trunk{
		id: of, state: s, api: t.apiOf(&s), plan: planOf(&s), report: report, cancel: cancel, done: make(chan struct{}),
	}
	tr.most, _ = strconv.Atoi(s.Setting("max_calls"))
	if each, err := strconv.Atoi(s.Setting("calls_per_second")); err == nil && each > 0 {
		tr.pace = rate.NewLimiter(rate.Limit(each), each)
	}
	t.mu.Lock()
	t.trunks[of.Name] = tr
	t.mu.Unlock()
	go func() {
		defer close(tr.done)
		t.keep(ctx, tr)
	}()
	return func() {
		cancel()
		<-tr.done
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.trunks[of.Name] == tr {
			delete(t.trunks, of.Name)
		}
	}
}

func planOf(s *connection.State) dialplan.Plan {
	p := dialplan.Plan{Country: s.Setting("country"), Premium: s.Setting("premium") == "true"}
	for prefix := range strings.SplitSeq(s.Setting("destinations"), ",") {
		if prefix = strings.TrimSpace(prefix); prefix != "" {
			p.Prefixes = append(p.Prefixes, prefix)
		}
	}
	return p
}

const look = 15 * time.Minute

// keep registers the webhook until ctx ends.
func (t *Trunks) keep(ctx context.Context, tr *trunk) {
	for {
		wait := look
		if r := t.register(ctx, tr); ctx.Err() == nil {
			tr.report(r)
			if r.State == connection.Failed {
				wait = again
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (t *Trunks) register(ctx context.Context, tr *trunk) event.ConnectionReported {
	if !strings.HasPrefix(t.opt.Public, "https://") && t.opt.Base == nil {
		return event.ConnectionReported{
			State: connection.Failed, Detail: "Twilio cannot reach this server: set public-url to its https address",
		}
	}
	err := tr.api.hook(ctx, tr.state.Setting("phone_number"), t.address(tr, "", ""))
	if err == nil {
		return event.ConnectionReported{State: connection.Registered}
	}
	out := event.ConnectionReported{State: connection.Failed, Detail: strings.TrimSuffix(err.Error(), ": "+fault.KindOf(err).Error())}
	if r, ok := asRefused(err); ok {
		out.Code = uint32(max(0, r.Status))
		if r.Status == http.StatusUnauthorized {
			out.Detail = "Twilio refuses the account: check account SID and auth token, save, and start again"
		}
	}
	return out
}

// address is where Twilio is to ask: a hook of the connection.
func (t *Trunks) address(tr *trunk, kind, key string) string {
	a := t.opt.Public + "/hooks/twilio/" + url.PathEscape(tr.id.Name)
	if kind != "" {
		a += "/" + kind + "/" + key
	}
	return a
}

// socket is the same for a socket.
func (t *Trunks) socket(tr *trunk, kind, key string) string {
	a := t.address(tr, kind, key)
	if rest, ok := strings.CutPrefix(a, "https://"); ok {
		return "wss://" + rest
	}
	return "ws://" + strings.TrimPrefix(a, "http://")
}

// Learn takes a connection as its journal says it is now: who receives its calls
// may change while it is up.
func (t *Trunks) Learn(of actors.ID, s connection.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tr := t.trunks[of.Name]; tr != nil {
		tr.state.Agents, tr.state.Inbound = s.Agents, s.Inbound
	}
}

// Token implements hooks.Twilio.
func (t *Trunks) Token(connection string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr := t.trunks[connection]
	if tr == nil {
		return "", fmt.Errorf("no such connection is running: %w", fault.NotFound)
	}
	return tr.state.Secret("auth_token"), nil
}

// Live counts the calls of each connection, by its id.
func (t *Trunks) Live() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]int, len(t.trunks))
	for id := range t.trunks {
		out[id] = t.live(id)
	}
	return out
}

// live is called with the mutex held.
func (t *Trunks) live(connection string) int {
	n := 0
	for _, c := range t.calls {
		if c.trunk.id.Name == connection && !c.over {
			n++
		}
	}
	return n
}

// enter makes a place for a call, if its connection has one.
func (t *Trunks) enter(tr *trunk) (*call, error) {
	key := rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(time.Now())
	if tr.most > 0 && t.live(tr.id.Name) >= tr.most {
		return nil, fmt.Errorf("the connection %q has its %d calls: %w", tr.state.Name, tr.most, fault.Exhausted)
	}
	c := newCall(t, tr, key)
	t.calls[key] = c
	return c, nil
}

// remembered is how long a call that is over still answers its hooks.
const remembered = time.Hour

// forget is called with the mutex held.
func (t *Trunks) forget(now time.Time) {
	for key, c := range t.calls {
		if c.over && now.Sub(c.overAt) > remembered {
			delete(t.calls, key)
			delete(t.bySID, c.sid)
		}
	}
}

// name gives a call the identifier Twilio knows it by.
func (t *Trunks) name(c *call, sid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.sid == "" && sid != "" {
		c.sid = sid
		t.bySID[sid] = c
	}
}

// later asks Twilio for something nobody waits for.
func (t *Trunks) later(what string, do func(ctx context.Context) error) {
	t.wg.Go(func() {
		if err := do(context.WithoutCancel(t.life)); err != nil && fault.KindOf(err) != fault.NotFound {
			t.opt.Log.Warn("twilio was not told", "what", what, "err", err)
		}
	})
}
