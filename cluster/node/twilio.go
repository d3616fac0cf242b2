package node

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"flametree/actors"
	"flametree/cluster/twilio"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/readmodel"
)

// newTrunks makes the connections to Twilio. Their API is reached by the guarded
// way out, which follows no redirection with a token.
func newTrunks(n *Node, opt Options) *twilio.Trunks {
	out := *n.egress.Client()
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return twilio.New(twilio.Options{
		Public: n.cfg.PublicURL, Answer: n.twilioCall, Language: n.languageOf, Client: &out, Base: opt.Twilio, Log: n.log,
	})
}

// languageOf is the language an agent speaks, "" where it names none.
func (n *Node) languageOf(t tenant.ID, agent string) string {
	cast, err := n.casting.Cast(n.life, t, agent, 0)
	if err != nil {
		return ""
	}
	return cast.Revision.Settings.Language
}

// twilioCall decides about a call from Twilio as phone.answer does about one by
// SIP. The call is answered when its session is durable.
func (n *Node) twilioCall(ctx context.Context, in twilio.Incoming) error {
	a, ok := n.model.Agent(in.Agent)
	if !ok || a.Tenant != in.Tenant {
		return fmt.Errorf("no agent receives the calls of the connection: %w", fault.NotFound)
	}
	if n.journal.LowOnSpace() {
		return fmt.Errorf("disk is nearly full: %w", fault.Unavailable)
	}
	now := time.Now()
	ids := callIDs{call: n.newID(now).String(), session: n.newID(now).String()}
	agentID := actors.ID{Kind: event.AgentStream, Tenant: a.Tenant, Name: a.ID}
	who := caller{uri: in.From, number: in.From}
	place, err := ask[*actors.Admitted](ctx, n.dir, agentID, &actors.Admit{Session: ids.session})
	if err != nil {
		if born, bornErr := n.answers(ctx, who, a, 0, ids); bornErr == nil {
			n.blocked(ctx, actors.ID{Kind: event.SessionStream, Tenant: a.Tenant, Name: ids.session}, born, err)
		}
		return err
	}
	if err = n.offerTwilio(ctx, in, a, place.Revision, ids); err != nil {
		_ = n.dir.Send(agentID, &actors.Release{Session: ids.session})
	}
	return err
}

func (n *Node) offerTwilio(ctx context.Context, in twilio.Incoming, a readmodel.Agent, revision uint64, ids callIDs) error {
	born, err := n.answers(ctx, caller{uri: in.From, number: in.From}, a, revision, ids)
	if err != nil {
		return err
	}
	id := actors.ID{Kind: event.CallStream, Tenant: a.Tenant, Name: ids.call}
	_, err = ask[*actors.Accepted](ctx, n.dir, id, &actors.Offer{
		Leg: in.Leg, Line: in.Line, Born: born, Session: ids.session, From: in.From, To: in.To, SIPCallID: in.SID, Transport: "twilio",
	})
	return err
}

// dialable reports why a call would not even be tried.
func (n *Node) dialable(ctx context.Context, d actors.Dialling) error {
	if n.trunks.Takes(d) {
		return n.trunks.Check(d)
	}
	if n.phone == nil {
		return fmt.Errorf("this server has no telephony: start it with --sip ADDRESS: %w", fault.Unavailable)
	}
	return n.exchange.Check(ctx, d)
}

// roomFor reports whether a call may be placed now. Twilio's calls need no room of
// ours beside those that run, but a server that is ending, or whose disk is full,
// places none of them either.
func (n *Node) roomFor(d actors.Dialling) error {
	if n.phone == nil || n.trunks.Takes(d) {
		return n.gate.full(0)
	}
	return n.phone.room()
}
