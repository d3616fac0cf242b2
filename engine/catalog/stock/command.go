package stock

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flametree/engine/catalog"
	"flametree/engine/event"
	"flametree/engine/fault"
)

const (
	// Life is how long an invitation lets somebody in.
	Life = 7 * 24 * time.Hour
	// MaxInvitations is how many may be open at a time.
	MaxInvitations = 100
	// together is how many products, and about how many bytes of them, stand in one event.
	together = 1000
	heavy    = 1 << 20
)

// Key is the name that a catalogue holds in its tenant: no two may have the
// same, in capitals or not.
func Key(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// The commands. Each reads the state and answers with what would become true;
// none changes the state. What makes no sense for a catalogue that is not there
// wraps fault.NotFound.

// Create opens the catalogue.
func (s *State) Create(about catalog.Catalogue) ([]event.Event, error) {
	if s.Seq > 0 {
		return nil, fmt.Errorf("the catalogue %q is there already: %w", s.About.Name, fault.Conflict)
	}
	about.Name = strings.TrimSpace(about.Name)
	if err := about.Validate(); err != nil {
		return nil, fmt.Errorf("a catalogue cannot be made: %w", err)
	}
	return []event.Event{event.CatalogCreated(about)}, nil
}

// Change gives the catalogue another name, or says other things of it.
func (s *State) Change(about catalog.Catalogue) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	about.Name = strings.TrimSpace(about.Name)
	if err := about.Validate(); err != nil {
		return nil, fmt.Errorf("the catalogue %q cannot be changed: %w", s.About.Name, err)
	}
	if about == s.About {
		return nil, nil
	}
	return []event.Event{event.CatalogChanged(about)}, nil
}

// Which says which products rows may be about.
type Which string

// What rows may be about.
const (
	Any Which = ""    // an import: new products and those that are there
	New Which = "new" // only products that are not there
	Old Which = "old" // only products that are there
)

// Stock writes rows: what they give changes products that are there, and the
// others become new ones. In an import (Any) a row with a fault fails alone;
// otherwise any fault is the whole's. by is the invitation that lets somebody
// write, "" = the tenant itself. Products that no row names stay.
func (s *State) Stock(items []catalog.Item, which Which, by string) ([]event.Event, catalog.Changes, error) {
	if err := s.there(); err != nil {
		return nil, catalog.Changes{}, err
	}
	for _, it := range items {
		sku := it.Product.SKU
		_, there := s.Products.Get(sku)
		switch {
		case which == New && there:
			return nil, catalog.Changes{}, fmt.Errorf("the catalogue %q has a product %q already: change that one, or give another sku: %w", s.About.Name, sku, fault.Conflict)
		case which == Old && !there:
			return nil, catalog.Changes{}, fmt.Errorf("the catalogue %q has no product %q: %w", s.About.Name, sku, fault.NotFound)
		}
	}
	plan := catalog.PlanOver(s.Products.Get, s.Products.Len(), items)
	if which != Any && len(plan.Failed) > 0 {
		return nil, plan, &Refused{Faults: plan.Failed}
	}
	put := slices.Clone(plan.New)
	for _, c := range plan.Changed {
		put = append(put, c.Product)
	}
	return puts(put, by), plan, nil
}

// Refused is what is wrong with a product that somebody wanted to write. It wraps
// fault.Invalid.
type Refused struct{ Faults []catalog.Failure }

// Error implements error: a line for each fault.
func (r *Refused) Error() string {
	lines := make([]string, len(r.Faults))
	for i, f := range r.Faults {
		lines[i] = fmt.Sprintf("%s %q %s", f.Field, f.Value, f.Reason)
		if f.Value == "" {
			lines[i] = f.Field + " " + f.Reason
		}
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the kind.
func (*Refused) Unwrap() error { return fault.Invalid }

// puts writes products as events of a size that a journal likes.
func puts(products []catalog.Product, by string) []event.Event {
	var out []event.Event
	var some []event.Product
	weight := 0
	flush := func() {
		if len(some) > 0 {
			out = append(out, event.ProductsPut{Products: some, By: by})
			some, weight = nil, 0
		}
	}
	for _, p := range products {
		some = append(some, told(p))
		weight += Weight(p)
		if len(some) == together || weight >= heavy {
			flush()
		}
	}
	flush()
	return out
}

// Weight is about how many bytes a product takes in an event.
func Weight(p catalog.Product) int {
	n := 64 + len(p.SKU) + len(p.Title) + len(p.Description) + len(p.Category) + len(p.Brand) + len(p.ImageURL) + len(p.ProductURL)
	for k, v := range p.Attributes {
		n += 8 + len(k) + len(v)
	}
	for _, t := range p.Tags {
		n += 2 + len(t)
	}
	return n
}

// Drop takes products out. One that is not there keeps all the others, too.
func (s *State) Drop(skus []string, by string) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if len(skus) == 0 {
		return nil, fmt.Errorf("no product is named: %w", fault.Invalid)
	}
	for _, sku := range skus {
		if _, there := s.Products.Get(sku); !there {
			return nil, fmt.Errorf("the catalogue %q has no product %q: nothing was removed: %w", s.About.Name, sku, fault.NotFound)
		}
	}
	skus = slices.Clone(skus)
	slices.Sort(skus)
	return []event.Event{event.ProductsRemoved{SKUs: slices.Compact(skus), By: by}}, nil
}

// Connect lets an agent sell the products; revision is the agent's last one, for
// only agents that have been saved can be connected.
func (s *State) Connect(agent string, revision uint64) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if agent == "" || revision == 0 {
		return nil, fmt.Errorf("save the agent once before you connect a catalogue to it: %w", fault.Invalid)
	}
	if slices.Contains(s.Agents, agent) {
		return nil, nil
	}
	return []event.Event{event.CatalogConnected{Agent: agent}}, nil
}

// Disconnect takes the catalogue away from an agent; nothing when it has not got it.
func (s *State) Disconnect(agent string) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if !slices.Contains(s.Agents, agent) {
		return nil, nil
	}
	return []event.Event{event.CatalogDisconnected{Agent: agent}}, nil
}

// Invite opens a link for an outside editor. hash is TokenHash of a token that
// was drawn for it.
func (s *State) Invite(id string, hash []byte, now time.Time) ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if id == "" || len(hash) != len(TokenHash("")) {
		return nil, fmt.Errorf("an invitation needs an id and the hash of its token: %w", fault.Bug)
	}
	if open := len(s.Open(now)); open >= MaxInvitations {
		return nil, fmt.Errorf("%d invitations to %q are open: reset them first (flametree catalog reset): %w", open, s.About.Name, fault.Exhausted)
	}
	return []event.Event{event.CatalogInvited{Invitation: id, TokenHash: hash, Life: Life}}, nil
}

// Reset voids every link at once; nothing when there is none.
func (s *State) Reset() ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if len(s.Invitations) == 0 {
		return nil, nil
	}
	return []event.Event{event.InvitationsReset{}}, nil
}

// Editor is the invitation whose token has that hash. A token that was never
// given out, has expired or was reset is fault.Denied, in the same words.
func (s *State) Editor(hash []byte, now time.Time) (Invitation, error) {
	if s.there() == nil {
		if i, ok := s.invited(hash, now); ok {
			return i, nil
		}
	}
	return Invitation{}, ErrNoInvitation
}

// ErrNoInvitation is what a token is told that opens nothing. It wraps fault.Denied.
var ErrNoInvitation = fmt.Errorf("this invitation has expired or was reset; ask whoever sent it for a new link: %w", fault.Denied)

// Remove takes the catalogue away from every agent, voids its links and ends its
// stream.
func (s *State) Remove() ([]event.Event, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	var out []event.Event
	if len(s.Invitations) > 0 {
		out = append(out, event.InvitationsReset{})
	}
	for _, a := range s.Agents {
		out = append(out, event.CatalogDisconnected{Agent: a})
	}
	return append(out, event.CatalogRemoved{}), nil
}

func (s *State) there() error {
	if s.Seq == 0 || s.Removed {
		return fmt.Errorf("there is no such catalogue: %w", fault.NotFound)
	}
	return nil
}
