package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/ws"
	"flametree/media/keypair"
	"flametree/media/turnd"
	"flametree/media/webrtc"
)

// browsers takes calls of browsers: it joins frames of agents' sockets to peers,
// and peers to calls.
//
// A call has a session of its own, in the conversation of the session whose
// socket it was offered by, and knows what that knows of the customer. The
// socket's session may have been made by another process and lies where it lies,
// while a session with a call belongs beside its call (contracts.md 3); a
// session is written or spoken from its first event to its last; and a visitor
// may call, hang up and call again in one chat. The two are one conversation and
// have one place among the agent's open sessions.
type browsers struct {
	n      *Node
	server *webrtc.Server
	relay  *turnd.Server // nil: none
	grace  time.Duration // of a call without a socket

	mu       sync.Mutex // guards what follows, and what is in it
	calls    map[string]*browserCall
	visitors map[string]*guest // by session of the socket
}

var _ ws.Calls = (*browsers)(nil)

// guest is what is known of a session whose socket may call.
type guest struct {
	sockets  int
	call     *browserCall // nil: none
	offering bool         // one is being made
	starts   []time.Time  // of the last calls
	lent     string       // whom the relay takes it for; "" = it has not asked for one
}

// How often a session may call, and how long a call lives on without a socket.
const (
	mostStarts  = 10
	startsIn    = time.Minute
	socketGrace = 15 * time.Second
)

func startBrowsers(n *Node, lost time.Duration) (*browsers, error) {
	at, err := netip.ParseAddrPort(n.cfg.WebRTC)
	if err != nil {
		return nil, fmt.Errorf("webrtc: %q: %w: %w", n.cfg.WebRTC, fault.Invalid, err)
	}
	b := &browsers{n: n, grace: cmp.Or(lost, socketGrace), calls: make(map[string]*browserCall), visitors: make(map[string]*guest)}
	b.server, err = webrtc.Listen(webrtc.Options{Listen: at, PublicIP: n.cfg.PublicIP, Pacer: n.gate.wheel, Log: n.log, Lost: b.grace})
	if err != nil {
		return nil, err
	}
	if n.cfg.TURN == "" && n.cfg.Relay.Address != "" {
		return nil, errors.Join(fmt.Errorf("turn.tls is set, and turn is off: set turn as well: %w", fault.Invalid), b.server.Close())
	}
	if n.cfg.TURN == "" {
		return b, nil
	}
	var peers []turnd.Peer
	for _, w := range b.server.Ways() {
		peers = append(peers, turnd.Peer{Shown: w.Shown, At: w.At})
	}
	safe, err := relayTLS(n)
	if err == nil {
		b.relay, err = turnd.Listen(turnd.Options{Address: n.cfg.TURN, TLS: safe, Peers: peers, Public: n.cfg.PublicIP})
	}
	if err != nil {
		return nil, errors.Join(err, b.server.Close())
	}
	return b, nil
}

// relayTLS is how the relay speaks TLS, nil when it does not.
func relayTLS(n *Node) (*turnd.TLS, error) {
	if n.cfg.Relay.Address == "" {
		return nil, nil
	}
	cert, key := n.cfg.RelayPair()
	pair, err := keypair.Load(cert, key, n.log)
	if err != nil {
		return nil, fmt.Errorf("setting turn.tls: %w", err)
	}
	return &turnd.TLS{Address: n.cfg.Relay.Address, Name: n.cfg.Relay.Name, Config: pair.Server()}, nil
}

// addr is where browsers are heard, "" where none is.
func (b *browsers) addr() string {
	if b == nil {
		return ""
	}
	return b.server.Addr().String()
}

func (b *browsers) relayAddr() string {
	if b == nil || b.relay == nil {
		return ""
	}
	return b.relay.Addr().String()
}

// relaySafe is where the relay speaks TLS, "" where it does not.
func (b *browsers) relaySafe() string {
	if b == nil || b.relay == nil || !b.relay.TLSAddr().IsValid() {
		return ""
	}
	return b.relay.TLSAddr().String()
}

func (b *browsers) live() int {
	if b == nil {
		return 0
	}
	return b.server.Live()
}

func (b *browsers) close() error {
	if b == nil {
		return nil
	}
	errs := []error{b.server.Close()}
	if b.relay != nil {
		errs = append(errs, b.relay.Close())
	}
	return errors.Join(errs...)
}

// Signal implements ws.Calls.
func (b *browsers) Signal(a auth.Agent, session string, tell func(ws.CallFrame)) ws.Signalling {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.visitors[session]
	if v == nil {
		b.tidy()
		v = new(guest)
		b.visitors[session] = v
	}
	v.sockets++
	return &signalling{b: b, agent: a, session: session, v: v, tell: tell}
}

// manyVisitors is when those who left are looked for.
const manyVisitors = 1000

// tidy forgets sessions that nobody calls from. The mutex is held.
func (b *browsers) tidy() {
	if len(b.visitors) < manyVisitors {
		return
	}
	for session, v := range b.visitors {
		b.forget(session, v, time.Now())
	}
}

// forget takes back what the relay lent to a session that has no socket and no
// call, and drops what is known of it once its calls are too old to be counted.
// The mutex is held.
func (b *browsers) forget(session string, v *guest, now time.Time) {
	if v.sockets > 0 || v.call != nil || v.offering {
		return
	}
	if v.lent != "" {
		b.relay.Forget(v.lent)
		v.lent = ""
	}
	old := len(v.starts) == 0 || now.Sub(v.starts[len(v.starts)-1]) > startsIn
	if old && b.visitors[session] == v {
		delete(b.visitors, session)
	}
}

// lend is whom the relay takes a session for. It is another one each time the
// session comes back: what was taken back stays so, and a page that is loaded
// anew goes on with the same session.
func (b *browsers) lend(v *guest, now time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.lent == "" {
		v.lent = b.n.newID(now).String()
	}
	return v.lent
}

// reserve lets a session make a call, or says why not. What is left of a call
// whose socket has gone gives way.
func (b *browsers) reserve(v *guest, now time.Time) (former *browserCall, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(v.starts) > 0 && now.Sub(v.starts[0]) > startsIn {
		v.starts = v.starts[1:]
	}
	switch {
	case v.offering:
		return nil, fmt.Errorf("offer: another one is being answered, wait for its answer: %w", fault.Conflict)
	case v.call != nil && v.call.sock != nil:
		return nil, fmt.Errorf("offer: a call of this session is running, hang up first or name it in \"call\": %w", fault.Conflict)
	case len(v.starts) >= mostStarts:
		return nil, fmt.Errorf("offer: %d calls within %v, wait a moment: %w", mostStarts, startsIn, fault.Exhausted)
	}
	v.offering = true
	v.starts = append(v.starts, now)
	return v.call, nil
}

// offer gives a peer to a new call, as phone.take does with a call by SIP.
func (b *browsers) offer(ctx context.Context, s *signalling, c *browserCall) error {
	n := b.n
	a, ok := n.model.Agent(s.agent.ID)
	if !ok || a.Tenant != s.agent.Tenant {
		return fmt.Errorf("agent %q: %w", s.agent.ID, fault.NotFound)
	}
	ids := callIDs{call: c.id, session: c.session}
	agentID := actors.ID{Kind: event.AgentStream, Tenant: a.Tenant, Name: a.ID}
	place, err := ask[*actors.Admitted](ctx, n.dir, agentID, &actors.Admit{Session: ids.session, With: s.session})
	if err != nil {
		if born, bornErr := b.born(ctx, s, ids, 0); bornErr == nil {
			n.blocked(ctx, actors.ID{Kind: event.SessionStream, Tenant: a.Tenant, Name: ids.session}, born, err)
		}
		return errors.Join(err, c.peer.Leg().Close())
	}
	born, err := b.born(ctx, s, ids, place.Revision)
	if err != nil {
		_ = n.dir.Send(agentID, &actors.Release{Session: ids.session})
		return errors.Join(err, c.peer.Leg().Close())
	}
	id := actors.ID{Kind: event.CallStream, Tenant: a.Tenant, Name: ids.call}
	_, err = ask[*actors.Accepted](ctx, n.dir, id, &actors.Offer{
		Leg: c.peer.Leg(), Line: c.peer.Line(), Born: born, Session: ids.session, From: born.UserID.Text, To: a.ID,
		SIPCallID: ids.call, Transport: "webrtc", // what the browser knows it by
	})
	if err != nil {
		_ = n.dir.Send(agentID, &actors.Release{Session: ids.session})
		c.peer.End("failed") // the call may have got it, and only its answer not
		return errors.Join(err, c.peer.Leg().Close())
	}
	return nil
}

// born is the session of a call: it goes on with what the socket's session knows
// of the customer.
func (b *browsers) born(ctx context.Context, s *signalling, ids callIDs, revision uint64) (event.SessionCreated, error) {
	v, err := (chat{b.n}).mine(ctx, s.agent, s.session)
	if err != nil {
		return event.SessionCreated{}, err
	}
	from := v.Born
	a, ok := b.n.model.Agent(s.agent.ID)
	if !ok {
		return event.SessionCreated{}, fmt.Errorf("agent %q: %w", s.agent.ID, fault.NotFound)
	}
	born, err := b.n.answers(ctx, caller{}, a, revision, ids)
	if err != nil {
		return born, err
	}
	born.Channel, born.Conversation = "webrtc", from.Conversation
	born.UserID, born.Name, born.Email, born.Phone = from.UserID, from.Name, from.Email, from.Phone
	born.Kwargs, born.UserInfo, born.Args = from.Kwargs, from.UserInfo, from.Args
	if from.Language != "" {
		born.Language = from.Language
	}
	return born, nil
}
