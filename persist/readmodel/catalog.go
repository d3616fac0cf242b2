package readmodel

import (
	"cmp"
	"slices"
	"time"

	"flametree/engine/catalog/stock"
	"flametree/engine/event"
	"flametree/engine/tenant"
)

// Catalog is one catalogue of a tenant.
type Catalog struct {
	Tenant tenant.ID
	ID     string
	stock.State
}

// catalogs are all catalogues, and whose invitation a token's hash is.
type catalogs struct {
	byID    map[string]*Catalog
	invited map[string]string
}

// foldCatalog folds an event of a catalogue. One that was removed is gone.
func (m *Model) foldCatalog(e event.Envelope) {
	c := m.catalogs.byID[e.Stream.ID]
	if c == nil {
		c = &Catalog{Tenant: e.Stream.Tenant, ID: e.Stream.ID}
		m.catalogs.byID[e.Stream.ID] = c
	}
	for _, i := range c.Invitations {
		delete(m.catalogs.invited, string(i.Hash))
	}
	c.Apply(e)
	for _, i := range c.Invitations {
		m.catalogs.invited[string(i.Hash)] = c.ID
	}
	if c.Removed {
		delete(m.catalogs.byID, c.ID)
	}
}

// Catalog finds a catalogue by its id.
func (m *Model) Catalog(id string) (Catalog, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, ok := m.catalogs.byID[id]
	if !ok {
		return Catalog{}, false
	}
	return *c, true
}

// Catalogs lists the catalogues that keep accepts, nil = all, oldest first.
func (m *Model) Catalogs(keep func(Catalog) bool) []Catalog {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Catalog
	for _, c := range m.catalogs.byID {
		if keep == nil || keep(*c) {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Catalog) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Invited finds the catalogue and the open invitation whose token has that hash.
func (m *Model) Invited(hash []byte, now time.Time) (Catalog, stock.Invitation, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, ok := m.catalogs.byID[m.catalogs.invited[string(hash)]]
	if !ok {
		return Catalog{}, stock.Invitation{}, false
	}
	i, err := c.Editor(hash, now)
	return *c, i, err == nil
}
