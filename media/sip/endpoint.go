package sip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// Endpoint is one SIP user agent with its sockets, transactions and calls. All
// methods may be called from any goroutine.
type Endpoint struct {
	opt      Options
	log      *slog.Logger
	quiet    *slog.Logger // for transactions: what matters of theirs comes as an error
	udp      datagrams
	tcp      net.Listener
	work     sync.WaitGroup // every goroutine of the endpoint
	closing  chan struct{}  // closed when Close begins: calls hang up
	cut      chan struct{}  // closed when its grace is over: calls just end
	done     chan struct{}  // closed when Close ended
	unwatch  func() bool    // stops closing with the context of Listen
	draining atomic.Bool
	stats    counters

	mu      sync.Mutex               // guards what follows; no transaction is made to write under it
	closed  bool                     // Close was called
	sealed  bool                     // no goroutine and no transaction begins any more
	servers map[string]*inbound      // by transaction key
	merged  map[string]string        // transaction key by RFC 3261 8.2.2.2
	clients map[string]*sip.ClientTx // by transaction key
	calls   map[string]*Call         // by local tag
	conns   map[netip.AddrPort]*tcpLink
	faces   map[netip.Addr]netip.Addr // our address towards a peer
}

type counters struct {
	requests, refused, dropped, calls, bugs atomic.Uint64
}

// Stats counts since Listen.
type Stats struct {
	Requests uint64 // that began a server transaction
	Refused  uint64 // messages the guard answered with an error
	Dropped  uint64 // messages dropped without an answer
	Calls    uint64 // that were set up, both ways
	Bugs     uint64 // panics contained; each is logged with its stack
	Live     int    // calls now
	Conns    int    // TCP connections now
}

// Listen opens the sockets and begins to answer. ctx is the parent of the
// contexts given to Answer; when it ends, the endpoint closes.
func Listen(ctx context.Context, o Options) (*Endpoint, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	var socket datagrams
	var listener net.Listener
	if o.UDP != "" {
		addr, err := net.ResolveUDPAddr("udp", o.UDP)
		if err != nil {
			return nil, fmt.Errorf("sip udp address %q: %w: %w", o.UDP, err, fault.Invalid)
		}
		conn, err := net.ListenUDP("udp", addr)
		if err != nil {
			return nil, fmt.Errorf("listen for sip: %w: %w", err, fault.Unavailable)
		}
		// A burst of calls must survive the time one goroutine takes to read it.
		_ = conn.SetReadBuffer(4 << 20)
		socket = conn
	}
	if o.TCP != "" {
		var config net.ListenConfig
		l, err := config.Listen(ctx, "tcp", o.TCP)
		if err != nil {
			if socket != nil {
				_ = socket.Close()
			}
			return nil, fmt.Errorf("listen for sip: %w: %w", err, fault.Unavailable)
		}
		listener = l
	}
	return serve(ctx, o, socket, listener), nil
}

// serve starts an endpoint on sockets that it then owns; either may be nil.
func serve(ctx context.Context, o Options, socket datagrams, listener net.Listener) *Endpoint {
	e := &Endpoint{
		opt: o, log: o.Log, quiet: slog.New(slog.DiscardHandler), udp: socket, tcp: listener,
		closing: make(chan struct{}), cut: make(chan struct{}), done: make(chan struct{}),
		servers: make(map[string]*inbound), merged: make(map[string]string),
		clients: make(map[string]*sip.ClientTx), calls: make(map[string]*Call),
		conns: make(map[netip.AddrPort]*tcpLink), faces: make(map[netip.Addr]netip.Addr),
	}
	if socket != nil {
		e.work.Go(func() { e.readUDP(ctx, socket) })
	}
	if listener != nil {
		e.work.Go(func() { e.acceptTCP(ctx, listener) })
	}
	e.unwatch = context.AfterFunc(ctx, func() { _ = e.Close() })
	return e
}

// Addrs reports where the endpoint listens; what is off is not valid.
func (e *Endpoint) Addrs() (udp, tcp netip.AddrPort) {
	if e.udp != nil {
		udp = addrPort(e.udp.LocalAddr())
	}
	if e.tcp != nil {
		tcp = addrPort(e.tcp.Addr())
	}
	return udp, tcp
}

// Stats reports the counters.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	live, conns := len(e.calls), len(e.conns)
	e.mu.Unlock()
	return Stats{
		Requests: e.stats.requests.Load(), Refused: e.stats.refused.Load(), Dropped: e.stats.dropped.Load(),
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
	close(e.cut)
	e.mu.Lock()
	e.sealed = true
	e.mu.Unlock()
	if e.udp != nil {
		_ = e.udp.Close()
	}
	if e.tcp != nil {
		_ = e.tcp.Close()
	}
	e.dropTransactions()
	e.mu.Lock()
	for _, t := range e.conns {
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

// dropTransactions ends all transactions, which frees everybody who waits for one.
func (e *Endpoint) dropTransactions() {
	e.mu.Lock()
	servers, clients := make([]*inbound, 0, len(e.servers)), make([]*sip.ClientTx, 0, len(e.clients))
	for _, in := range e.servers {
		servers = append(servers, in)
	}
	for _, tx := range e.clients {
		clients = append(clients, tx)
	}
	e.mu.Unlock()
	for _, in := range servers {
		in.tx.Terminate()
	}
	for _, tx := range clients {
		tx.Terminate()
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

// contactPort is the port peers reach us at over a network.
func (e *Endpoint) contactPort(l link) int {
	udp, tcp := e.Addrs()
	switch {
	case l.network() == "UDP":
		return int(udp.Port())
	case tcp.IsValid():
		return int(tcp.Port())
	}
	return int(addrPort(l.LocalAddr()).Port())
}
