package node

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/persist/readmodel"
)

// CallForm asks for a call of an agent.
type CallForm struct {
	Agent      string                     `json:"agent"`      // id, alias or name
	To         string                     `json:"to"`         // number or SIP URI
	Connection string                     `json:"connection"` // id or name, "" = the agent's own
	From       string                     `json:"from"`       // caller id
	Display    string                     `json:"display"`
	Parameters string                     `json:"parameters"` // transport=udp;timeout=30
	Name       string                     `json:"name"`       // of the customer
	Kwargs     map[string]json.RawMessage `json:"kwargs"`
}

// Placed is a call that is being dialled.
type Placed struct {
	Session string `json:"session"`
	Call    string `json:"call"`
}

// CallPlace has an agent call somebody. When it returns the session is in the
// journal and dialling begins; how it goes on its events tell.
func (n *Node) CallPlace(ctx context.Context, f CallForm) (Placed, error) {
	a, err := n.findAgent(f.Agent)
	if err != nil {
		return Placed{}, err
	}
	d := actors.Dialling{
		Tenant: a.Tenant, Agent: a.ID, To: f.To, From: f.From, Display: f.Display, Parameters: f.Parameters, Owner: true,
	}
	if f.Connection != "" {
		c, err := n.model.FindChannel(a.Tenant, f.Connection)
		if err != nil {
			return Placed{}, err
		}
		d.Connection = c.ID
	}
	if err := n.dialable(ctx, d); err != nil { // what cannot be dialled is told at once
		return Placed{}, err
	}
	if err := n.roomFor(d); err != nil {
		return Placed{}, err
	}
	now := time.Now()
	ids := callIDs{call: n.newID(now).String(), session: n.newID(now).String()}
	agentID := actors.ID{Kind: event.AgentStream, Tenant: a.Tenant, Name: a.ID}
	place, err := ask[*actors.Admitted](ctx, n.dir, agentID, &actors.Admit{Session: ids.session})
	if err != nil {
		return Placed{}, err
	}
	born, err := n.dials(ctx, f, a, place.Revision, ids)
	if err == nil {
		id := actors.ID{Kind: event.CallStream, Tenant: a.Tenant, Name: ids.call}
		_, err = ask[*actors.Accepted](ctx, n.dir, id, &actors.Place{Born: born, Session: ids.session, Dial: d})
	}
	if err != nil {
		_ = n.dir.Send(agentID, &actors.Release{Session: ids.session})
		return Placed{}, err
	}
	return Placed{Session: ids.session, Call: ids.call}, nil
}

// dials is the session of a call that is to be placed.
func (n *Node) dials(ctx context.Context, f CallForm, a readmodel.Agent, revision uint64, ids callIDs) (event.SessionCreated, error) {
	cast, err := n.casting.Cast(ctx, a.Tenant, a.ID, revision)
	if err != nil {
		return event.SessionCreated{}, err
	}
	set := cast.Revision.Settings
	phone := f.To
	if user := userOf(f.To); user != "" {
		phone = user
	}
	born := event.SessionCreated{
		Agent: a.ID, Revision: cast.Revision.Number, Conversation: ids.session, Channel: "sip", Call: ids.call,
		UserID: event.P(f.To), Phone: event.P(phone), Name: event.P(f.Name), Language: set.Language,
		Greeting: cast.Revision.SpokenGreeting(), Timeout: set.SessionTimeout, MaxDuration: set.SessionMax,
	}
	for _, key := range slices.Sorted(maps.Keys(f.Kwargs)) {
		born.Kwargs = append(born.Kwargs, event.PrivatePair{Key: key, Value: event.P(string(f.Kwargs[key]))})
	}
	return born, nil
}
