package stock

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"flametree/engine/catalog"
	"flametree/engine/event"
)

// State is a catalogue as its stream tells it. The zero State has not begun. A
// copy shares nothing that changes.
type State struct {
	Seq         uint64
	About       catalog.Catalogue
	Products    Shelf
	Agents      []string     // connected, in the order of their ids
	Invitations []Invitation // not reset, in the order they were made
	Created     time.Time
	Changed     time.Time // of its name or products
	By          string    // invitation by which the products were changed last, "" = by the tenant itself
	Removed     bool
}

// Invitation lets whoever holds its token edit the products until it expires or
// is reset.
type Invitation struct {
	ID      string
	Hash    []byte // TokenHash of its token
	Made    time.Time
	Expires time.Time
}

// TokenHash is what is kept of an invitation's token. A token is drawn at random
// from more values than anybody can try, so a plain hash is enough.
func TokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Open are the invitations that still let somebody in.
func (s *State) Open(now time.Time) []Invitation {
	var out []Invitation
	for _, i := range s.Invitations {
		if now.Before(i.Expires) {
			out = append(out, i)
		}
	}
	return out
}

// Connected reports whether an agent sells what is in the catalogue.
func (s *State) Connected(agent string) bool {
	return !s.Removed && slices.Contains(s.Agents, agent)
}

// Apply folds one event into the state, and is the only way to change it. It is
// total and deterministic.
func (s *State) Apply(e event.Envelope) {
	s.Seq = e.Seq
	switch b := e.Body.(type) {
	case event.CatalogCreated:
		s.About, s.Created, s.Changed = catalog.Catalogue(b), e.Time, e.Time
	case event.CatalogChanged:
		s.About, s.Changed = catalog.Catalogue(b), e.Time
	case event.ProductsPut:
		products := make([]catalog.Product, len(b.Products))
		for i, p := range b.Products {
			products[i] = product(p)
		}
		s.Products, s.Changed, s.By = s.Products.Put(products...), e.Time, b.By
	case event.ProductsRemoved:
		s.Products, s.Changed, s.By = s.Products.Take(b.SKUs...), e.Time, b.By
	case event.CatalogConnected:
		if at, ok := slices.BinarySearch(s.Agents, b.Agent); !ok {
			s.Agents = slices.Insert(slices.Clone(s.Agents), at, b.Agent)
		}
	case event.CatalogDisconnected:
		if at, ok := slices.BinarySearch(s.Agents, b.Agent); ok {
			s.Agents = slices.Delete(slices.Clone(s.Agents), at, at+1)
		}
	case event.CatalogInvited:
		// Those that have expired are of no more use: the list stays as short as what is open.
		s.Invitations = append(s.Open(e.Time), Invitation{
			ID: b.Invitation, Hash: b.TokenHash, Made: e.Time, Expires: e.Time.Add(b.Life),
		})
	case event.InvitationsReset:
		s.Invitations = nil
	case event.CatalogRemoved:
		s.Removed, s.Invitations, s.Products = true, nil, Shelf{}
	default: // of other streams
	}
}

// invited finds an open invitation by the hash of its token.
func (s *State) invited(hash []byte, now time.Time) (Invitation, bool) {
	for _, i := range s.Open(now) {
		if bytes.Equal(i.Hash, hash) { // of hashes: how much of one is right tells nothing of the token
			return i, true
		}
	}
	return Invitation{}, false
}

func product(p event.Product) catalog.Product {
	out := catalog.Product{
		SKU: p.SKU, Title: p.Title, Description: p.Description, Category: p.Category, Brand: p.Brand, Currency: p.Currency,
		Availability: catalog.Availability(p.Availability), ImageURL: p.ImageURL, ProductURL: p.ProductURL, Tags: p.Tags, Active: p.Active,
	}
	if p.Priced {
		price := catalog.Price(p.Price)
		out.Price = &price
	}
	if len(p.Attributes) > 0 {
		out.Attributes = make(map[string]string, len(p.Attributes))
		for _, a := range p.Attributes {
			out.Attributes[a.Key] = a.Value
		}
	}
	return out
}

// told is the inverse of product.
func told(p catalog.Product) event.Product {
	out := event.Product{
		SKU: p.SKU, Title: p.Title, Description: p.Description, Category: p.Category, Brand: p.Brand, Currency: p.Currency,
		Availability: string(p.Availability), ImageURL: p.ImageURL, ProductURL: p.ProductURL, Tags: p.Tags, Active: p.Active,
	}
	if p.Price != nil {
		out.Priced, out.Price = true, int64(*p.Price)
	}
	for _, k := range slices.Sorted(maps.Keys(p.Attributes)) {
		out.Attributes = append(out.Attributes, event.Pair{Key: k, Value: p.Attributes[k]})
	}
	return out
}
