package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/line"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
	"flametree/persist/readmodel"
)

// phone joins the SIP endpoint and the media to the actors.
type phone struct {
	n        *Node
	endpoint *sip.Endpoint
	wheel    *pacer.Wheel
	ports    *rtp.Pool
}

func startPhone(n *Node) (*phone, error) {
	p := &phone{n: n}
	var err error
	if p.ports, err = rtp.NewPool(int(n.cfg.RTPLow), int(n.cfg.RTPHigh)); err != nil {
		return nil, err
	}
	// A pacer's thread sleeps in the kernel and holds one of Go's processors while
	// it does; serve asks for as many more of them. Real-time priority is had
	// where the system grants it.
	p.wheel = pacer.New(pacer.Options{RealTime: true, Shards: runtime.NumCPU()})
	p.endpoint, err = sip.Listen(n.life, sip.Options{
		UDP: n.cfg.SIP, TCP: n.cfg.SIP, PublicIP: n.cfg.PublicIP, Answer: p.answer,
		NewMedia: line.Maker{Ports: p.ports, Wheel: p.wheel, Log: n.log}.New, Log: n.log,
	})
	if err != nil {
		return nil, errors.Join(err, p.wheel.Close())
	}
	return p, nil
}

// stop refuses new calls, gives the running ones until ctx ends, hangs up what
// is left and waits for their journals.
func (p *phone) stop(ctx context.Context) {
	p.endpoint.Drain()
	p.n.whileCalls(ctx, func() bool { return true })
	p.n.hangUpAll()
	end, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	p.n.whileCalls(end, func() bool { return true })
	if err := errors.Join(p.endpoint.Close(), p.wheel.Close()); err != nil {
		p.n.log.Warn("telephony", "err", err)
	}
}

// whileCalls waits until no call runs, ctx ends or more says no.
func (n *Node) whileCalls(ctx context.Context, more func() bool) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for more() {
		if len(n.calls()) == 0 {
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

// answer decides about a call: who is meant, whether there is room, and
// whether its session could be made. The call is answered when that is durable.
func (p *phone) answer(ctx context.Context, inv sip.Invite) error {
	n := p.n
	a, ok := n.model.Dialled(inv.User)
	if !ok {
		return fmt.Errorf("no agent is called %q: %w", inv.User, fault.NotFound)
	}
	if err := p.room(); err != nil {
		return err
	}
	now := time.Now()
	ids := callIDs{call: n.newID(now).String(), session: n.newID(now).String()}
	agentID := actors.ID{Kind: event.AgentStream, Tenant: a.Tenant, Name: a.ID}
	place, err := ask[*actors.Admitted](ctx, n.dir, agentID, &actors.Admit{Session: ids.session})
	if err != nil {
		if born, bornErr := p.born(ctx, inv, a, 0, ids); bornErr == nil {
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

// callIDs names a new call and its session.
type callIDs struct{ call, session string }

// born is the session that a call is to have.
func (p *phone) born(ctx context.Context, inv sip.Invite, a readmodel.Agent, revision uint64, ids callIDs) (event.SessionCreated, error) {
	cast, err := p.n.casting.Cast(ctx, a.Tenant, a.ID, revision)
	if err != nil {
		return event.SessionCreated{}, err
	}
	set := cast.Revision.Settings
	return event.SessionCreated{
		Agent: a.ID, Revision: cast.Revision.Number, Conversation: ids.session, Channel: "sip", Call: ids.call,
		UserID: event.P(inv.From), Phone: event.P(userOf(inv.From)), Name: event.P(inv.Display), Language: set.Language,
		Greeting: cast.Revision.SpokenGreeting(), Timeout: set.SessionTimeout, MaxDuration: set.SessionMax,
	}, nil
}

func (p *phone) offer(ctx context.Context, inv sip.Invite, a readmodel.Agent, revision uint64, ids callIDs) error {
	born, err := p.born(ctx, inv, a, revision, ids)
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

// fewCalls are always taken: packets that are late with so few calls are late
// because of somebody else's work, and refusing a call would not help.
const fewCalls = 10

// room admits calls by measured lateness, not by a guess of how many fit.
func (p *phone) room() error {
	n := p.n
	running := len(n.calls())
	if most := n.cfg.MaxCalls; most > 0 && running >= most {
		return &sip.RetryAfter{Err: fmt.Errorf("%d calls are running: %w", most, fault.Unavailable), After: 30 * time.Second}
	}
	if _, late := p.wheel.Late(); late > n.cfg.PacerLate && running >= fewCalls {
		return &sip.RetryAfter{Err: fmt.Errorf("packets are %v late: %w", late, fault.Unavailable), After: 10 * time.Second}
	}
	if n.journal.LowOnSpace() {
		return &sip.RetryAfter{Err: fmt.Errorf("disk is nearly full: %w", fault.Unavailable), After: time.Minute}
	}
	return nil
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
