package node

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"flametree/engine/agent"
	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/persist/readmodel"
)

// people knows agents and their tokens for the front door.
type people struct{ n *Node }

var _ auth.Agents = people{}

// Authorize implements auth.Agents.
func (p people) Authorize(_ context.Context, id, token string) (auth.Agent, error) {
	a, ok := p.n.model.Agent(id)
	hash := a.TokenHash
	if !ok {
		hash = make([]byte, sha256.Size) // compare all the same: as much time for an unknown agent
	}
	right := subtle.ConstantTimeCompare(hash, agent.TokenHash(token)) == 1
	switch {
	case !ok:
		return auth.Agent{}, fmt.Errorf("agent %q: %w", id, fault.NotFound)
	case !right:
		return auth.Agent{}, fmt.Errorf("agent token: %w", fault.Denied)
	case !a.Running:
		return auth.Agent{}, fmt.Errorf("agent %q is stopped: %w", id, fault.Unavailable)
	}
	return p.show(a), nil
}

// List implements auth.Agents.
func (p people) List(context.Context) []auth.Agent {
	var out []auth.Agent
	for _, a := range p.n.model.Agents() {
		out = append(out, p.show(a))
	}
	return out
}

func (p people) show(a readmodel.Agent) auth.Agent {
	return auth.Agent{ID: a.ID, Tenant: a.Tenant, Name: a.Name, Alias: a.Alias, Running: a.Running, SIP: p.n.sipURI(a)}
}
