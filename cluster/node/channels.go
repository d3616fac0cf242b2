package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"flametree/actors"
	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/journal"
	"flametree/persist/readmodel"
)

// ChannelCard is a connection to a channel as people are shown it.
type ChannelCard struct {
	ID          string            `json:"id"`
	Type        string            `json:"type"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Running     bool              `json:"running"`
	State       string            `json:"state"` // down connecting registered ready failed
	Detail      string            `json:"detail,omitempty"`
	Code        uint32            `json:"code,omitempty"`
	Since       time.Time         `json:"since,omitzero"`
	Settings    map[string]string `json:"settings"`
	Agents      []string          `json:"agents"`            // names of those that may use it
	Inbound     string            `json:"inbound,omitempty"` // name of the one that receives
	Calls       int               `json:"calls"`
	Log         []ChannelEntry    `json:"log,omitempty"`
}

// ChannelEntry is a line of a connection's log.
type ChannelEntry struct {
	Time   time.Time `json:"time"`
	State  string    `json:"state"`
	Detail string    `json:"detail,omitempty"`
	Code   uint32    `json:"code,omitempty"`
}

// ChannelForm makes or changes a connection. Settings that are not named stay.
type ChannelForm struct {
	Type        string            `json:"type"`
	Name        string            `json:"name"`
	Description *string           `json:"description,omitempty"`
	Settings    map[string]string `json:"settings"`
	Secrets     map[string]string `json:"secrets"`
}

// ChannelCreate makes a connection.
func (n *Node) ChannelCreate(ctx context.Context, f ChannelForm) (ChannelCard, error) {
	t, err := n.tenant(ctx)
	if err != nil {
		return ChannelCard{}, err
	}
	if err := n.caughtUp(ctx); err != nil {
		return ChannelCard{}, err
	}
	if _, err := n.model.FindChannel(t, f.Name); err == nil {
		return ChannelCard{}, fmt.Errorf("there is a connection %q already: %w", f.Name, fault.Conflict)
	}
	id := actors.ID{Kind: event.ConnectionStream, Tenant: t, Name: n.newID(time.Now()).String()}
	v, err := ask[*actors.ChannelView](ctx, n.dir, id, &actors.CreateChannel{
		Born: event.ConnectionCreated{Type: orElse(f.Type, connection.SIP), Name: f.Name}, Saved: f.over(connection.State{}),
	})
	if err != nil {
		return ChannelCard{}, err
	}
	return n.channelCard(v.ID, v.State, false), n.caughtUp(ctx)
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// over lays a form over what a connection is.
func (f ChannelForm) over(s connection.State) event.ConnectionSaved {
	out := event.ConnectionSaved{Name: orElse(f.Name, s.Name), Description: s.Description}
	if f.Description != nil {
		out.Description = *f.Description
	}
	all := make(map[string]string, len(s.Settings))
	for _, p := range s.Settings {
		all[p.Key] = p.Value
	}
	maps.Copy(all, f.Settings)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out.Settings = append(out.Settings, event.Pair{Key: key, Value: all[key]})
	}
	for _, key := range slices.Sorted(maps.Keys(f.Secrets)) {
		out.Secrets = append(out.Secrets, event.PrivatePair{Key: key, Value: event.P(f.Secrets[key])})
	}
	return out
}

// ChannelSave changes the settings of a connection.
func (n *Node) ChannelSave(ctx context.Context, what string, f ChannelForm) (ChannelCard, error) {
	c, err := n.findChannel(ctx, what)
	if err != nil {
		return ChannelCard{}, err
	}
	return n.channelDo(ctx, c, &actors.SaveChannel{Saved: f.over(c.State)})
}

// ChannelDo sends a connection a message.
func (n *Node) ChannelDo(ctx context.Context, what string, msg any) (ChannelCard, error) {
	c, err := n.findChannel(ctx, what)
	if err != nil {
		return ChannelCard{}, err
	}
	return n.channelDo(ctx, c, msg)
}

// ChannelAttach lets an agent use a connection, or takes it away.
func (n *Node) ChannelAttach(ctx context.Context, what, agentName string, inbound, off bool) (ChannelCard, error) {
	a, err := n.findAgent(agentName)
	if err != nil {
		return ChannelCard{}, err
	}
	if off {
		return n.ChannelDo(ctx, what, &actors.DetachChannel{Agent: a.ID})
	}
	return n.ChannelDo(ctx, what, &actors.AttachChannel{Agent: a.ID, Inbound: inbound})
}

// ChannelRemove ends a connection.
func (n *Node) ChannelRemove(ctx context.Context, what string) error {
	c, err := n.findChannel(ctx, what)
	if err != nil {
		return err
	}
	_, err = n.dir.Ask(ctx, actors.ID{Kind: event.ConnectionStream, Tenant: c.Tenant, Name: c.ID}, &actors.RemoveChannel{})
	if err != nil && fault.KindOf(err) != fault.NotFound { // which is what it is now
		return err
	}
	return n.caughtUp(ctx)
}

func (n *Node) channelDo(ctx context.Context, c readmodel.Channel, msg any) (ChannelCard, error) {
	id := actors.ID{Kind: event.ConnectionStream, Tenant: c.Tenant, Name: c.ID}
	v, err := ask[*actors.ChannelView](ctx, n.dir, id, msg)
	if err != nil {
		return ChannelCard{}, err
	}
	n.exchange.Learn(id, v.State)
	n.trunks.Learn(id, v.State)
	return n.channelCard(v.ID, v.State, true), n.caughtUp(ctx)
}

func (n *Node) findChannel(ctx context.Context, what string) (readmodel.Channel, error) {
	t, err := n.tenant(ctx)
	if err == nil {
		err = n.caughtUp(ctx)
	}
	if err != nil {
		return readmodel.Channel{}, err
	}
	return n.model.FindChannel(t, what)
}

// ChannelList lists the connections.
func (n *Node) ChannelList(ctx context.Context) ([]ChannelCard, error) {
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	all := n.model.Channels(nil)
	out := make([]ChannelCard, len(all))
	for i, c := range all {
		out[i] = n.channelCard(c.ID, c.State, false)
	}
	return out, nil
}

func (n *Node) channelCard(id string, s connection.State, log bool) ChannelCard {
	c := ChannelCard{
		ID: id, Type: s.Type, Name: s.Name, Description: s.Description, Running: s.Running, State: s.Report.State,
		Detail: s.Report.Detail, Code: s.Report.Code, Since: s.Reported, Settings: make(map[string]string, len(s.Settings)),
		Agents: []string{}, Calls: n.exchange.Live()[id] + n.trunks.Live()[id],
	}
	for _, p := range s.Settings {
		if p.Value != "" {
			c.Settings[p.Key] = p.Value
		}
	}
	for _, a := range s.Agents {
		c.Agents = append(c.Agents, n.agentName(a))
	}
	if s.Inbound != "" {
		c.Inbound = n.agentName(s.Inbound)
	}
	if log {
		for _, e := range s.Log {
			c.Log = append(c.Log, ChannelEntry{Time: e.At, State: e.State, Detail: e.Detail, Code: e.Code})
		}
	}
	return c
}

// startChannels wakes the connections that are to be up, and keeps the exchange
// knowing who receives their calls.
func (n *Node) startChannels() {
	from := n.journal.Position() + 1
	for _, c := range n.model.Channels(func(c readmodel.Channel) bool { return c.Running }) {
		_ = n.dir.Send(actors.ID{Kind: event.ConnectionStream, Tenant: c.Tenant, Name: c.ID}, &actors.Recover{})
	}
	n.done.Go(func() { n.followChannels(n.life, from) })
}

func (n *Node) followChannels(ctx context.Context, from journal.Position) {
	for e, err := range n.journal.Subscribe(ctx, from) {
		if err != nil {
			if ctx.Err() == nil {
				n.log.Error("connections are followed no more", "err", err)
			}
			return
		}
		if e.Stream.Kind != event.ConnectionStream || n.model.Wait(ctx, e.Position) != nil {
			continue
		}
		id := actors.ID{Kind: event.ConnectionStream, Tenant: e.Stream.Tenant, Name: e.Stream.ID}
		for _, c := range n.model.Channels(func(c readmodel.Channel) bool { return c.ID == e.Stream.ID }) {
			n.exchange.Learn(id, c.State)
			n.trunks.Learn(id, c.State)
		}
	}
}
