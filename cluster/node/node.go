// Package node wires one process of flametree: journal, actors, speech,
// telephony, front door. It decides nothing about conversations; it makes the
// parts, gives them to each other, and ends them in order.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/cluster/exchange"
	"flametree/cluster/member"
	"flametree/cluster/twilio"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider/policy"
	"flametree/engine/tool/python"
	"flametree/gateway/egress"
	"flametree/gateway/httpd"
	"flametree/media/amd"
	"flametree/media/bridge"
	"flametree/media/record"
	"flametree/persist/blob"
	"flametree/persist/journal/pebble"
	"flametree/persist/kv"
	"flametree/persist/readmodel"
)

// Options of a Node.
type Options struct {
	Config    config.Config
	Providers func(dir string) (Providers, error) // given DIR/cache; nil: the built-in ones
	Agents    []AgentFile                         // made or changed at start
	Demo      bool                                // the page at / may chat without a token
	Version   string
	Log       *slog.Logger
	Retry     time.Duration            // longest wait between two attempts to reach an MCP server that is away; 0 = 30 s
	Twilio    func(host string) string // where Twilio's API is, nil = https://host; a local one speaks the same
	Lost      time.Duration            // how long a browser's call lives without a socket or a sign of its browser; 0 = 15 s
	Fatal     func(error)              // the journal cannot go on; called once, from any goroutine
}

// Node is a running process. Make it with Start and end it with Stop.
type Node struct {
	cfg       config.Config
	log       *slog.Logger
	journal   *pebble.Journal
	blobs     *blob.Store
	model     *readmodel.Model
	casting   *casting
	library   *librarian
	merchant  *merchant
	phrases   *phraseBook
	exchange  *exchange.Exchange
	trunks    *twilio.Trunks
	egress    *egress.Guard
	kv        *kv.Store
	tools     *toolbox
	resources *resources
	dir       actors.Directory
	member    *member.Member
	http      *httpd.Server
	gate      *gate
	phone     *phone
	browsers  *browsers
	admin     *admin
	metrics   *http.Server
	reg       *prometheus.Registry

	httpLn                         net.Listener
	spools                         *record.Spool
	httpAddr, sipAddr, metricsAddr string
	installed                      []DemoAgent

	life   context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Run holds the real addresses of a running server, as run.json does.
type Run struct {
	PID     int    `json:"pid"`
	HTTP    string `json:"http"`
	SIP     string `json:"sip"`
	WebRTC  string `json:"webrtc"`
	TURN    string `json:"turn"`
	TURNTLS string `json:"turn_tls,omitempty"`
	Metrics string `json:"metrics"`
	Admin   string `json:"admin"`
}

// Start opens the data folder and starts to answer.
func Start(ctx context.Context, opt Options) (n *Node, err error) {
	n = &Node{cfg: opt.Config, log: opt.Log, reg: prometheus.NewRegistry()}
	n.life, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			n.Stop(0)
		}
	}()
	if err := n.open(opt); err != nil {
		return n, err
	}
	if err := n.startActors(ctx, opt); err != nil {
		return n, err
	}
	if err := n.startEdges(opt); err != nil {
		return n, err
	}
	if err := n.install(ctx, opt.Agents); err != nil {
		return n, err
	}
	if n.admin, err = startAdmin(n); err != nil {
		return n, err
	}
	n.serve()
	return n, writeJSON(filepath.Join(n.cfg.Data, "run.json"), n.Addresses())
}

// open prepares the data folder and folds the read model up to the present.
func (n *Node) open(opt Options) error {
	for _, sub := range []string{"", "spool", "cache", "keys"} {
		if err := os.MkdirAll(filepath.Join(n.cfg.Data, sub), 0o700); err != nil {
			return fmt.Errorf("data folder: %w: %w", fault.Unavailable, err)
		}
	}
	var err error
	if n.journal, err = OpenJournal(n.cfg, opt.Log, opt.Fatal); err != nil {
		return err
	}
	if n.blobs, err = openBlobs(n); err != nil {
		return err
	}
	n.resources = &resources{dir: filepath.Join(n.cfg.Data, "resources")}
	n.spools = record.New()
	n.model = readmodel.New()
	n.done.Go(func() {
		if err := n.model.Run(n.journal.Subscribe(n.life, 1)); err != nil && n.life.Err() == nil {
			n.log.Error("read model stopped", "err", err)
		}
	})
	return n.caughtUp(n.life)
}

// caughtUp waits until the read model knows all that is in the journal now.
func (n *Node) caughtUp(ctx context.Context) error { return n.model.Wait(ctx, n.journal.Position()) }

func (n *Node) startActors(ctx context.Context, opt Options) error {
	providers, err := builtins(n.cfg, opt)
	if err != nil {
		return err
	}
	if err := n.startTools(providers); err != nil {
		return err
	}
	n.tools.retry, n.tools.changed = opt.Retry, n.casting.refreshAll
	n.done.Go(func() { n.casting.tidy(n.life, n.caughtUp) })
	letters, err := mailing(n.cfg)
	if err != nil {
		return err
	}
	deps := actors.Deps{
		Journal: n.journal, Casting: n.casting, Census: n.model, NewID: n.newID, Idle: n.cfg.SessionIdle, Mail: letters, Log: n.log,
	}
	// The directory is known only when the member has started; actors start later than that.
	late := &lateDirectory{}
	deps.Dir = late
	n.exchange = exchange.New(exchange.Options{Direct: n.egress.Vet, Log: n.log})
	n.trunks = newTrunks(n, opt)
	carriers := twilio.Beside{Trunks: n.trunks, Other: n.exchange}
	calls := actors.CallDeps{
		Deps: deps, Recorders: recorders{n}, Dialler: carriers, Studio: bridge.Studio{Tune: bridge.Melody()}, Screen: amd.Screens(),
		Archive: archive{n}, Judge: estimate,
	}
	kinds := actors.WithCatalogs(actors.WithSources(actors.Kinds(deps, calls), deps, n.library), deps)
	kinds = actors.WithChannels(kinds, deps, carriers)
	n.member = member.Start(member.Options{Kinds: kinds, Log: n.log})
	late.Directory = n.member
	n.dir = doorkeeper{Directory: n.member, n: n}
	if err := n.recoverSpools(ctx); err != nil {
		return err
	}
	n.recoverCalls(ctx)
	n.recoverSessions()
	if err := n.startCaptures(); err != nil {
		return err
	}
	n.startLibrary()
	n.startCatalogs()
	n.startChannels()
	n.done.Go(func() { n.sweep(n.life) })
	clerk := actors.Clerk{Journal: n.journal, Dir: n.dir, Log: n.log}
	n.done.Go(func() { clerk.Run(n.life) })
	return nil
}

// startTools makes the way out, the sandbox and the models. Nothing is reached
// or started before an agent names it.
func (n *Node) startTools(providers Providers) error {
	if err := egress.CheckAllow(n.cfg.Egress); err != nil {
		return err
	}
	n.egress = egress.New(egress.Options{Allow: n.cfg.Egress})
	var err error
	if n.kv, err = kv.Open(filepath.Join(n.cfg.Data, "kv")); err != nil {
		return err
	}
	client := n.egress.Client()
	pool, err := python.New(python.Options{
		Python: n.cfg.Python.Path, Workers: n.cfg.Python.Workers, Wheels: n.cfg.Python.Wheels, Index: n.cfg.Python.Index,
		Cache: filepath.Join(n.cfg.Data, "cache", "python"), KV: n.kv, Log: n.log,
		HTTP: func(ctx context.Context, r *http.Request) (*http.Response, error) {
			return client.Do(r.WithContext(ctx)) //nolint:gosec // the client is the egress guard
		},
	})
	if err != nil {
		return err
	}
	models := &connectors{known: providers, out: client, dial: n.egress.DialContext, fell: fallbacks(n.reg), secret: n.cfg.Secret, watch: func(h *policy.Health) {
		n.done.Go(func() { _ = h.Run(n.life) })
	}}
	n.tools = &toolbox{pool: pool, out: client, blobs: n.blobs, secret: models.key, log: n.log, commands: n.cfg.Commands}
	n.casting = &casting{
		journal: n.journal, providers: providers, models: models, tools: n.tools, lexicon: sync.OnceValue(lexis.New),
		sessions: n.model, pokes: make(chan struct{}, 1),
	}
	if n.library, err = newLibrarian(n, n.casting.lexicon); err != nil {
		return err
	}
	n.casting.library = n.library
	n.phrases = newPhraseBook(n)
	n.casting.phrases = n.phrases
	n.merchant = newMerchant(n, n.casting.lexicon)
	n.casting.merchant = n.merchant
	return nil
}

type lateDirectory struct{ actors.Directory }

// recoverCalls ends the calls that a crash cut off: a call dies with its process.
func (n *Node) recoverCalls(ctx context.Context) {
	for call, t := range n.model.Running() {
		id := actors.ID{Kind: event.CallStream, Tenant: t, Name: call}
		if err := actors.Close(ctx, n.journal, id, []event.Event{event.CallEnded{Reason: "crash", By: "system"}}); err != nil {
			n.log.Error("call not closed", "err", err, "call", call)
		}
	}
}

// recoverSessions wakes what a crash left open so that it is closed truthfully.
func (n *Node) recoverSessions() {
	for _, s := range n.model.Sessions(1<<30, func(s readmodel.Session) bool { return s.Open() && (s.Pending || s.Call != "") }) {
		_ = n.dir.Send(actors.ID{Kind: event.SessionStream, Tenant: s.Tenant, Name: s.ID}, &actors.Recover{})
	}
}

// newID makes an event id for now.
func (n *Node) newID(now time.Time) event.ID {
	var chance [10]byte
	_, _ = rand.Read(chance[:]) // never fails, crypto/rand says
	return event.NewID(now, chance)
}

// startMetrics serves metrics and profiles, on a port of their own.
func (n *Node) startMetrics() error {
	if n.cfg.Metrics == "" {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(n.reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	ln, err := net.Listen("tcp", n.cfg.Metrics)
	if err != nil {
		return fmt.Errorf("metrics: %w: %w", fault.Unavailable, err)
	}
	n.metricsAddr = ln.Addr().String()
	n.metrics = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	n.done.Go(func() { _ = n.metrics.Serve(ln) })
	return nil
}

// Addresses reports where the node listens.
func (n *Node) Addresses() Run {
	return Run{
		PID: os.Getpid(), HTTP: n.httpAddr, SIP: n.sipAddr, WebRTC: n.browsers.addr(), TURN: n.browsers.relayAddr(), TURNTLS: n.browsers.relaySafe(),
		Metrics: n.metricsAddr, Admin: AdminSocket(n.cfg.Data),
	}
}

// Agents lists the agents that came from files, with their tokens.
func (n *Node) Agents() []DemoAgent { return n.installed }

// Stop ends the node: it refuses new work, gives running calls and requests
// the time of grace, and closes the journal last.
func (n *Node) Stop(grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace+2*time.Second)
	defer cancel()
	n.stopCalls(ctx)
	if n.http != nil {
		if err := n.http.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			n.log.Warn("front door", "err", err)
		}
	}
	if n.admin != nil {
		n.admin.stop()
	}
	if n.metrics != nil {
		_ = n.metrics.Close()
	}
	if n.member != nil {
		n.member.Shutdown(true)
	}
	if n.trunks != nil {
		n.trunks.Close()
	}
	n.cancel()
	n.stopTools()
	if n.spools != nil {
		if err := n.spools.Close(); err != nil {
			n.log.Error("recordings", "err", err)
		}
	}
	if n.journal != nil {
		if err := n.journal.Close(); err != nil {
			n.log.Error("journal not closed", "err", err)
		}
	}
	n.done.Wait()
	if err := n.phrases.close(); err != nil {
		n.log.Warn("phrases", "err", err)
	}
	if n.admin != nil {
		_ = os.Remove(filepath.Join(n.cfg.Data, "run.json"))
	}
}

func (n *Node) stopTools() {
	var errs []error
	if n.tools != nil {
		errs = append(errs, n.tools.close())
	}
	if n.kv != nil {
		errs = append(errs, n.kv.Close())
	}
	if n.egress != nil {
		n.egress.Close()
	}
	if err := errors.Join(errs...); err != nil {
		n.log.Error("tools", "err", err)
	}
}

// EndCall hangs up a running call, named by its session or its own id.
func (n *Node) EndCall(_ context.Context, id string) error {
	for _, s := range n.model.Sessions(10_000, func(s readmodel.Session) bool { return s.Open() && s.Call != "" && (s.ID == id || s.Call == id) }) {
		return n.dir.Send(actors.ID{Kind: event.CallStream, Tenant: s.Tenant, Name: s.Call}, &actors.HangUp{Status: event.Completed})
	}
	return fmt.Errorf("no running call %q: %w", id, fault.NotFound)
}

// outside reports whether an address can be reached from other machines.
func outside(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && !a.Addr().IsLoopback()
}

// Journal is the node's journal, to be read.
func (n *Node) Journal() *pebble.Journal { return n.journal }

// LastSession is the session that began last, once it has ended or ctx has.
func (n *Node) LastSession(ctx context.Context) (readmodel.Session, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		list := n.model.Sessions(1, nil)
		if len(list) == 1 && !list[0].Open() && (list[0].Call == "" || list[0].CallEnded) {
			return list[0], nil
		}
		select {
		case <-ctx.Done():
			return readmodel.Session{}, fmt.Errorf("no session has ended: %w", fault.Unavailable)
		case <-tick.C:
		}
	}
}
