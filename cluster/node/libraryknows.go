package node

import (
	"context"
	"fmt"
	"slices"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/readmodel"
)

// doorkeeper lets no conversation begin with an agent that has no source of
// knowledge (spec 1.2 of an agent's page: at least one is needed for the agent
// to be able to communicate). Every channel asks an agent for admission, so it
// stands there, and those that run already go on.
type doorkeeper struct {
	actors.Directory
	n *Node
}

// Ask implements actors.Directory.
func (d doorkeeper) Ask(ctx context.Context, to actors.ID, m any) (any, error) {
	if _, ok := m.(*actors.Admit); ok && to.Kind == event.AgentStream {
		if err := d.n.knows(ctx, to.Tenant, to.Name); err != nil {
			return nil, err
		}
	}
	return d.Directory.Ask(ctx, to, m)
}

// knows is an error where an agent has no source of knowledge: neither in its
// live file nor in the library. What else may be wrong with it is told by who
// lets it speak.
func (n *Node) knows(ctx context.Context, t tenant.ID, id string) error {
	a, ok := n.model.Agent(id)
	if !ok || a.Published == 0 {
		return nil
	}
	if len(n.model.Sources(func(s readmodel.Source) bool { return s.Tenant == t && slices.Contains(s.Agents, id) })) > 0 {
		return nil
	}
	cast, err := n.casting.Cast(ctx, t, id, a.Published)
	if err != nil {
		return nil //nolint:nilerr // told when its session begins
	}
	spec := cast.Revision.Spec
	if spec.Type == agent.CallAnalytics || cast.Goods != nil || len(spec.Sources()) > 0 {
		return nil
	}
	return fmt.Errorf("agent %q has no source of knowledge and cannot communicate: give it one under knowledge: in its file, or flametree knowledge connect SOURCE %q: %w", a.Name, a.Name, fault.Conflict)
}
