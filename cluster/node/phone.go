package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/line"
	"flametree/media/rtp"
	"flametree/media/sip"
	"flametree/media/srtp"
	"flametree/persist/readmodel"
)

// phone joins the SIP endpoint and the media to the actors.
type phone struct {
	n        *Node
	endpoint *sip.Endpoint
	ports    *rtp.Pool

	mu     sync.Mutex // guards what follows
	asking int        // calls in answer that nobody has decided about
}

func startPhone(n *Node) (*phone, error) {
	p := &phone{n: n}
	var err error
	if p.ports, err = rtp.NewPool(int(n.cfg.RTPLow), int(n.cfg.RTPHigh)); err != nil {
		return nil, err
	}
	p.ports.Use(n.gate.reader())
	if p.endpoint, err = p.listen(); err != nil {
		return nil, err
	}
	n.exchange.Serve(p.endpoint)
	return p, nil
}

func (p *phone) listen() (*sip.Endpoint, error) {
	n, set := p.n, p.n.cfg.Phone
	id, err := srtp.NewIdentity(time.Now())
	if err != nil {
		return nil, err
	}
	o := sip.Options{
		UDP: n.cfg.SIP, TCP: n.cfg.SIP, Listen: set.Listen, PublicIP: n.cfg.PublicIP, Answer: p.answer, Log: n.log,
		NewMedia: line.Maker{Ports: p.ports, Wheel: n.gate.wheel(), Identity: id, Log: n.log}.New,
		Codecs:   set.Codecs, Mux: true, Seal: sip.Sealing(set.SRTP), Fingerprint: id.Fingerprint().String(),
		Admit: sip.Admit(set.Admit), Busy: p.busy, Rules: sip.Rules{TakeOver: true, Refer: p.refer},
	}
	if set.Cert+set.Roots != "" {
		o.TLS = &sip.TLS{Cert: set.Cert, Key: set.Key, Clients: set.Clients, Roots: set.Roots}
	}
	return sip.Listen(n.life, o)
}

// busy answers for Options.Busy.
func (p *phone) busy() (time.Duration, bool) {
	err := p.room()
	if err == nil {
		return 0, false
	}
	if later, ok := errors.AsType[*sip.RetryAfter](err); ok {
		return later.After, true
	}
	return 10 * time.Second, true
}

// stopCalls refuses new calls, gives the running ones until ctx ends, hangs up
// what is left and waits for their journals.
func (n *Node) stopCalls(ctx context.Context) {
	if n.gate == nil {
		return
	}
	n.gate.shut()
	if n.phone != nil {
		n.exchange.Withdraw(ctx) // first, so that the other end sends its calls elsewhere
		n.phone.endpoint.Drain()
	}
	n.whileCalls(ctx, func() bool { return true })
	n.hangUpAll()
	end, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	n.whileCalls(end, func() bool { return true })
	var errs []error
	if n.phone != nil {
		errs = append(errs, n.phone.endpoint.Close())
	}
	errs = append(errs, n.browsers.close(), n.gate.close())
	if err := errors.Join(errs...); err != nil {
		n.log.Warn("telephony", "err", err)
	}
}

// whileCalls waits until no call runs, ctx ends or more says no.
func (n *Node) whileCalls(ctx context.Context, more func() bool) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for more() {
		// A caller who was joined with a person has no session any more, but a call.
		// Sessions are many: they are looked through when nothing else shows a call.
		if n.browsers.live() == 0 && (n.phone == nil || n.phone.endpoint.Stats().Live == 0) && len(n.calls()) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n *Node) calls() []readmodel.Session {
	return n.model.Sessions(1<<30, func(s readmodel.Session) bool { return s.Open() && s.Call != "" })
}

func (n *Node) hangUpAll() {
	for _, s := range n.calls() {
		_ = n.dir.Send(actors.ID{Kind: event.CallStream, Tenant: s.Tenant, Name: s.Call}, &actors.HangUp{Status: event.NetworkError})
	}
}

// answer takes a call or says why not, and counts the calls that were not taken
// by the kind of the reason.
func (p *phone) answer(ctx context.Context, inv sip.Invite) error {
	take := p.take
	if inv.Replaces != nil {
		take = p.replace
	}
	err := take(ctx, inv)
	if err != nil {
		p.n.gate.reject(err)
	}
	return err
}

// take decides about a call: who is meant, whether there is room, and whether
// its session could be made. The call is answered when that is durable.
func (p *phone) take(ctx context.Context, inv sip.Invite) error {
	n := p.n
	a, err := p.enter(inv)
	if err != nil {
		return err
	}
	if inv.Line, err = n.exchange.Enter(inv); err != nil {
		return err
	}
	now := time.Now()
	ids := callIDs{call: n.newID(now).String(), session: n.newID(now).String()}
	agentID := actors.ID{Kind: event.AgentStream, Tenant: a.Tenant, Name: a.ID}
	place, err := ask[*actors.Admitted](ctx, n.dir, agentID, &actors.Admit{Session: ids.session})
	if err != nil {
		if born, bornErr := n.answers(ctx, callerOf(inv), a, 0, ids); bornErr == nil {
			n.blocked(ctx, actors.ID{Kind: event.SessionStream, Tenant: a.Tenant, Name: ids.session}, born, err)
		}
		return retry(err)
	}
	err = p.offer(ctx, inv, a, place.Revision, ids)
	if err != nil {
		_ = n.dir.Send(agentID, &actors.Release{Session: ids.session})
	}
	return err
}

// whose finds the agent a call is for: the one that receives the calls of the
// connection it came by, else the one that was dialled.
func (p *phone) whose(inv sip.Invite) (readmodel.Agent, error) {
	if _, id, ok := p.n.exchange.Whose(inv); ok {
		if a, ok := p.n.model.Agent(id); ok {
			return a, nil
		}
	}
	a, ok := p.n.model.Dialled(inv.User)
	if !ok {
		return a, fmt.Errorf("no agent is called %q: %w", inv.User, fault.NotFound)
	}
	return a, nil
}

// callIDs names a new call and its session.
type callIDs struct{ call, session string }

// caller is who calls, as far as the line tells.
type caller struct{ uri, number, name string }

// answers is the session that a call which came in is to have.
func (n *Node) answers(ctx context.Context, who caller, a readmodel.Agent, revision uint64, ids callIDs) (event.SessionCreated, error) {
	cast, err := n.casting.Cast(ctx, a.Tenant, a.ID, revision)
	if err != nil {
		return event.SessionCreated{}, err
	}
	set := cast.Revision.Settings
	return event.SessionCreated{
		Agent: a.ID, Revision: cast.Revision.Number, Conversation: ids.session, Channel: "sip", Call: ids.call,
		UserID: event.P(who.uri), Phone: event.P(who.number), Name: event.P(who.name), Language: set.Language,
		Greeting: cast.Revision.SpokenGreeting(), Timeout: set.SessionTimeout, MaxDuration: set.SessionMax,
	}, nil
}

func callerOf(inv sip.Invite) caller {
	return caller{uri: inv.From, number: userOf(inv.From), name: inv.Display}
}

func (p *phone) offer(ctx context.Context, inv sip.Invite, a readmodel.Agent, revision uint64, ids callIDs) error {
	born, err := p.n.answers(ctx, callerOf(inv), a, revision, ids)
	if err != nil {
		return err
	}
	id := actors.ID{Kind: event.CallStream, Tenant: a.Tenant, Name: ids.call}
	_, err = ask[*actors.Accepted](ctx, p.n.dir, id, &actors.Offer{
		Leg: inv.Leg, Line: inv.Line, Born: born, Session: ids.session, From: inv.From, To: inv.To,
		SIPCallID: inv.CallID, Transport: strings.ToLower(inv.Transport),
	})
	return err
}

// enter finds out who is meant by a call, and whether there is room for it.
func (p *phone) enter(inv sip.Invite) (readmodel.Agent, error) {
	p.mu.Lock()
	p.asking++
	p.mu.Unlock()
	a, err := p.whose(inv)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		err = p.full()
	}
	p.asking--
	return a, err
}

// room reports why no call can be taken or placed now, nil when one can.
func (p *phone) room() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.full()
}

// full asks the gate. The endpoint counts calls before anybody has decided about
// them. It is called with the mutex held.
func (p *phone) full() error {
	return p.n.gate.full(p.endpoint.Stats().Live - p.asking + p.n.browsers.live())
}

func retry(err error) error {
	if full, ok := errors.AsType[*actors.Full](err); ok {
		return &sip.RetryAfter{Err: err, After: full.After}
	}
	return err
}

// userOf is the user part of a SIP URI.
func userOf(uri string) string {
	_, rest, ok := strings.Cut(uri, ":")
	if !ok {
		rest = uri
	}
	user, _, ok := strings.Cut(rest, "@")
	if !ok {
		return ""
	}
	return user
}

// sipURI is what a phone dials to reach an agent, "" without telephony.
func (n *Node) sipURI(a readmodel.Agent) string {
	if n.sipAddr == "" {
		return ""
	}
	name := a.Alias
	if name == "" {
		name = a.ID
	}
	host := n.sipAddr
	if n.cfg.PublicIP.IsValid() {
		if at, err := netip.ParseAddrPort(n.sipAddr); err == nil {
			host = netip.AddrPortFrom(n.cfg.PublicIP, at.Port()).String()
		}
	}
	return "sip:" + name + "@" + host
}
