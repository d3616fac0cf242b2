package event

import "time"

// CatalogCreated opens a catalogue of products of a tenant.
type CatalogCreated struct {
	Name        string
	Description string
	Currency    string // ISO 4217; of products that name none
	Language    string // BCP 47
}

// CatalogChanged gives a catalogue another name, or says other things of it. It
// holds all of them.
type CatalogChanged struct {
	Name        string
	Description string
	Currency    string
	Language    string
}

// Product is one thing that is sold, as it is in a catalogue from now on.
type Product struct {
	SKU          string
	Title        string
	Description  string
	Category     string
	Brand        string
	Priced       bool  // false: the price is not told
	Price        int64 // ten-thousandths of the currency's unit
	Currency     string
	Availability string // in_stock out_of_stock preorder
	ImageURL     string
	ProductURL   string
	Attributes   []Pair // in the order of their keys
	Tags         []string
	Active       bool
}

// ProductsPut adds products to a catalogue, or takes the place of those of the
// same SKU.
type ProductsPut struct {
	Products []Product
	By       string // the invitation, "" = the tenant itself
}

// ProductsRemoved takes products out of a catalogue.
type ProductsRemoved struct {
	SKUs []string
	By   string // the invitation, "" = the tenant itself
}

// CatalogConnected lets an agent sell what is in the catalogue.
type CatalogConnected struct{ Agent string }

// CatalogDisconnected takes it away again.
type CatalogDisconnected struct{ Agent string }

// CatalogInvited lets whoever holds a link edit the products. The link's token
// itself is kept nowhere.
type CatalogInvited struct {
	Invitation string // id
	TokenHash  []byte // SHA-256
	Life       time.Duration
}

// InvitationsReset voids all links of a catalogue.
type InvitationsReset struct{}

// CatalogRemoved ends the catalogue's stream.
type CatalogRemoved struct{}

// Kind implements Event.
func (CatalogCreated) Kind() Kind { return "catalog.created.v1" }

// Kind implements Event.
func (CatalogChanged) Kind() Kind { return "catalog.changed.v1" }

// Kind implements Event.
func (ProductsPut) Kind() Kind { return "products.put.v1" }

// Kind implements Event.
func (ProductsRemoved) Kind() Kind { return "products.removed.v1" }

// Kind implements Event.
func (CatalogConnected) Kind() Kind { return "catalog.connected.v1" }

// Kind implements Event.
func (CatalogDisconnected) Kind() Kind { return "catalog.disconnected.v1" }

// Kind implements Event.
func (CatalogInvited) Kind() Kind { return "catalog.invited.v1" }

// Kind implements Event.
func (InvitationsReset) Kind() Kind { return "catalog.invitations_reset.v1" }

// Kind implements Event.
func (CatalogRemoved) Kind() Kind { return "catalog.removed.v1" }
