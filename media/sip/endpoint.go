package sip

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flametree/media/sip/digest"
)

// Endpoint is one SIP user agent with its sockets, transactions and calls. All
// methods may be called from any goroutine.
type Endpoint struct {
	opt      Options
	log      *slog.Logger
	quiet    *slog.Logger // for transactions: what matters of theirs comes as an error
	places   []place
	tls      *tlsSide
	gate     *gate
	keeper   gatekeeper
	work     sync.WaitGroup // every goroutine of the endpoint
	closing  chan struct{}  // closed when Close begins: calls hang up
	cut      chan struct{}  // closed when its grace is over: calls just end
	done     chan struct{}  // closed when Close ended
	unwatch  func() bool    // stops closing with the context of Listen
	draining atomic.Bool
	stats    counters
	lanes    lanes // of responses
	traces   traces

	mu      sync.Mutex                   // guards what follows; no transaction is made to write under it
	closed  bool                         // Close was called
	sealed  bool                         // no goroutine and no transaction begins any more
	servers map[string]*inbound          // by transaction key
	merged  map[string]string            // transaction key by RFC 3261 8.2.2.2
	clients map[string]*outgoing         // by transaction key
	calls   map[string]*Call             // by local tag
	streams map[*stream]struct{}         // every open connection
	conns   map[connKey]*stream          // where to find one
	names   map[netip.AddrPort]string    // by which we dialled secure peers
	udpOnly map[netip.AddrPort]time.Time // peers that took no TCP, until when
	// perSource counts connections; those of one address are bounded.
	perSource map[netip.Addr]int
	accounts  map[string]*Registration  // by the line of our Contact
	faces     map[netip.Addr]netip.Addr // our address towards a peer
}

type counters struct {
	requests, refused, dropped, shed, calls, bugs atomic.Uint64
}

// Stats counts since Listen.
type Stats struct {
	Requests uint64 // that began a server transaction
	Refused  uint64 // messages the guard answered with an error
	Dropped  uint64 // messages dropped without an answer
	Shed     uint64 // messages of sources over their Limits, dropped unread
	Calls    uint64 // that were set up, both ways
	Bugs     uint64 // panics contained; each is logged with its stack
	Live     int    // calls now
	Conns    int    // connections now
}

// Listen opens the sockets and begins to answer. ctx is the parent of the
// contexts given to Answer; when it ends, the endpoint closes.
func Listen(ctx context.Context, o Options) (*Endpoint, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	side, err := o.TLS.build(o.Log)
	if err != nil {
		return nil, fmt.Errorf("sip options: %w", err)
	}
	places, err := openPlaces(ctx, &o, side)
	if err != nil {
		return nil, err
	}
	return serve(ctx, o, side, places), nil
}

// serve starts an endpoint on sockets that it then owns.
func serve(ctx context.Context, o Options, side *tlsSide, places []place) *Endpoint {
	e := &Endpoint{
		opt: o, log: o.Log, quiet: slog.New(slog.DiscardHandler), places: places, tls: side, gate: newGate(&o),
		closing: make(chan struct{}), cut: make(chan struct{}), done: make(chan struct{}),
		servers: make(map[string]*inbound), merged: make(map[string]string),
		clients: make(map[string]*outgoing), calls: make(map[string]*Call),
		conns: make(map[connKey]*stream), streams: make(map[*stream]struct{}), perSource: make(map[netip.Addr]int), accounts: make(map[string]*Registration), faces: make(map[netip.Addr]netip.Addr),
	}
	e.keeper.guard = digest.NewGuard(o.Realm, 0, o.WeakDigest)
	for i, p := range places {
		if p.socket != nil {
			p.socket = seenSocket{p.socket, e}
			places[i] = p
			e.work.Go(func() { e.readUDP(ctx, p.socket) })
			continue
		}
		e.work.Go(func() { e.accept(ctx, p) })
	}
	e.unwatch = context.AfterFunc(ctx, func() { _ = e.Close() })
	return e
}

// Stats reports the counters.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	live, conns := len(e.calls), len(e.streams)
	e.mu.Unlock()
	return Stats{
		Requests: e.stats.requests.Load(), Refused: e.stats.refused.Load(), Dropped: e.stats.dropped.Load(), Shed: e.stats.shed.Load(),
		Calls: e.stats.calls.Load(), Bugs: e.stats.bugs.Load(), Live: live, Conns: conns,
	}
}

// Drain refuses new calls from now on, with 503 and Retry-After, also to
// OPTIONS, so that trunks look elsewhere. Running calls go on.
func (e *Endpoint) Drain() { e.draining.Store(true) }

// Close hangs up every call, waits up to Grace for the answers, closes the
// sockets and waits for all goroutines. It may be called twice.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	first := !e.closed
	e.closed = true
	e.mu.Unlock()
	if !first {
		<-e.done
		return nil
	}
	defer close(e.done)
	e.unwatch()
	e.draining.Store(true)
	close(e.closing)
	e.awaitCalls()
	e.awaitRegistrations()
	close(e.cut)
	e.mu.Lock()
	e.sealed = true
	e.mu.Unlock()
	for _, p := range e.places {
		p.close()
	}
	e.dropTransactions()
	e.mu.Lock()
	for t := range e.streams {
		_ = t.conn.Close()
	}
	e.mu.Unlock()
	e.work.Wait()
	return nil
}

// awaitCalls gives the calls their grace to end by BYE.
func (e *Endpoint) awaitCalls() {
	grace := time.NewTimer(e.opt.Grace)
	defer grace.Stop()
	for {
		var c *Call
		e.mu.Lock()
		for _, c = range e.calls {
			break
		}
		e.mu.Unlock()
		if c == nil {
			return
		}
		select {
		case <-c.gone:
		case <-grace.C:
			return
		}
	}
}

// awaitRegistrations gives the registrations, which know their own grace, time to
// be taken back.
func (e *Endpoint) awaitRegistrations() {
	e.mu.Lock()
	all := slices.Collect(maps.Values(e.accounts))
	e.mu.Unlock()
	for _, r := range all {
		<-r.gone
	}
}

// dropTransactions ends all transactions, which frees everybody who waits for one.
func (e *Endpoint) dropTransactions() {
	e.mu.Lock()
	servers, clients := make([]*inbound, 0, len(e.servers)), make([]*outgoing, 0, len(e.clients))
	for _, in := range e.servers {
		servers = append(servers, in)
	}
	for _, out := range e.clients {
		clients = append(clients, out)
	}
	e.mu.Unlock()
	for _, in := range servers {
		in.tx.Terminate()
	}
	for _, out := range clients {
		out.tx.Terminate()
	}
}

// start runs f as a goroutine of the endpoint, with its panics contained;
// false when the endpoint is closed and f will not run.
func (e *Endpoint) start(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sealed {
		return false
	}
	e.work.Go(func() {
		defer e.contain("goroutine")
		f()
	})
	return true
}

// contain is deferred at every edge a foreign byte or a callback comes through:
// one bad message or one bug must not end the other calls.
func (e *Endpoint) contain(where string) {
	if r := recover(); r != nil {
		e.bug(where, r)
	}
}

func (e *Endpoint) bug(where string, r any) {
	e.stats.bugs.Add(1)
	e.log.Error("sip panic contained", "kind", where, "err", fmt.Sprint(r), "stack", string(debug.Stack()))
}

// face is our address as a peer is told it: the public one, that of the socket,
// or, on a wildcard socket, the one the system would send to the peer from.
func (e *Endpoint) face(l link) netip.Addr {
	if e.opt.PublicIP.IsValid() {
		return e.opt.PublicIP.Unmap()
	}
	own := addrPort(l.LocalAddr()).Addr()
	if own.IsValid() && !own.IsUnspecified() {
		return own
	}
	peer := l.source().Addr()
	e.mu.Lock()
	known, ok := e.faces[peer]
	e.mu.Unlock()
	if ok {
		return known
	}
	// Connecting a UDP socket sends nothing, it only chooses the source address.
	if c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.source())); err == nil {
		own = addrPort(c.LocalAddr()).Addr()
		_ = c.Close()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.faces) > 1024 {
		clear(e.faces)
	}
	e.faces[peer] = own
	return own
}
