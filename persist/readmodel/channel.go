package readmodel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
)

// Channel is one connection to a channel, without its secrets.
type Channel struct {
	Tenant tenant.ID
	ID     string
	connection.State
}

// foldChannel folds an event of a connection. One that was removed is gone.
func (m *Model) foldChannel(e event.Envelope) {
	if m.channels == nil {
		m.channels = make(map[string]*Channel)
	}
	c := m.channels[e.Stream.ID]
	if c == nil {
		c = &Channel{Tenant: e.Stream.Tenant, ID: e.Stream.ID}
		m.channels[e.Stream.ID] = c
	}
	c.Apply(e)
	c.Secrets = nil // nobody who reads has any use for them
	if c.Removed {
		delete(m.channels, c.ID)
	}
}

// Channels lists the connections that keep accepts, nil = all, oldest first.
func (m *Model) Channels(keep func(Channel) bool) []Channel {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Channel
	for _, c := range m.channels {
		if keep == nil || keep(*c) {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Channel) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// FindChannel finds a connection of a tenant by its id or its name, whatever its
// case: fault.NotFound, or fault.Conflict when several have that name.
func (m *Model) FindChannel(t tenant.ID, what string) (Channel, error) {
	all := m.Channels(func(c Channel) bool {
		return c.Tenant == t && (c.ID == what || strings.EqualFold(c.Name, what))
	})
	switch len(all) {
	case 0:
		return Channel{}, noChannel(what, fault.NotFound)
	case 1:
		return all[0], nil
	}
	if i := slices.IndexFunc(all, func(c Channel) bool { return c.ID == what }); i >= 0 {
		return all[i], nil
	}
	return Channel{}, noChannel(what, fault.Conflict)
}

func noChannel(what string, kind fault.Kind) error {
	if kind == fault.Conflict {
		return fmt.Errorf("several connections are called %q: use the id: %w", what, kind)
	}
	return fmt.Errorf("no connection is called %q: %w", what, kind)
}
