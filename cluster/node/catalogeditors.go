package node

import (
	"context"
	"fmt"
	"io"
	"time"

	"flametree/actors"
	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/fault"
	"flametree/gateway/api"
	"flametree/persist/readmodel"
)

// editors lets outsiders with an invitation edit the products of one catalogue,
// and nothing else. What they change is decided by the catalogue's actor, which
// asks for the invitation again: one that was reset meanwhile writes nothing.
type editors struct{ n *Node }

var _ api.Editors = editors{}

// open finds what a token opens.
func (e editors) open(ctx context.Context, token string) (readmodel.Catalog, stock.Invitation, error) {
	if err := e.n.caughtUp(ctx); err != nil { // a link that was reset is void at once
		return readmodel.Catalog{}, stock.Invitation{}, err
	}
	c, i, ok := e.n.model.Invited(stock.TokenHash(token), time.Now())
	if !ok {
		return c, i, stock.ErrNoInvitation
	}
	return c, i, nil
}

// Invited implements api.Editors.
func (e editors) Invited(ctx context.Context, token string) (api.Invitation, error) {
	c, i, err := e.open(ctx, token)
	if err != nil {
		return api.Invitation{}, err
	}
	return api.Invitation{ID: i.ID, About: c.About, Count: c.Products.Len(), Expires: i.Expires}, nil
}

// Products implements api.Editors.
func (e editors) Products(ctx context.Context, token string, f api.ProductFilter) ([]catalog.Product, int, error) {
	c, _, err := e.open(ctx, token)
	if err != nil {
		return nil, 0, err
	}
	some, all := c.Products.Find(f.Text, f.Skip, f.Limit)
	return some, all, nil
}

// Edit implements api.Editors.
func (e editors) Edit(ctx context.Context, token string, edit api.ProductEdit) error {
	var msg any
	hash := stock.TokenHash(token)
	switch {
	case edit.Item != nil:
		one := &actors.StockCatalog{Items: []catalog.Item{*edit.Item}, Which: stock.Old, Editor: hash}
		if edit.New {
			one.Which = stock.New
		}
		msg = one
	case edit.Remove != "":
		msg = &actors.DropProducts{SKUs: []string{edit.Remove}, Editor: hash}
	default:
		return fmt.Errorf("an edit of nothing: %w", fault.Bug)
	}
	c, _, err := e.open(ctx, token)
	if err != nil {
		return err
	}
	if _, err := e.n.toCatalog(ctx, c.Tenant, c.ID, msg); err != nil {
		return err
	}
	return e.n.goodsSettled(ctx)
}

// Import implements api.Editors.
func (e editors) Import(ctx context.Context, token string, f api.ProductFile) (catalog.Report, error) {
	c, _, err := e.open(ctx, token)
	if err != nil {
		return catalog.Report{}, err
	}
	return e.n.importInto(ctx, c, f.Name, f.Data, &actors.StockCatalog{Dry: f.Dry, Editor: stock.TokenHash(token)})
}

// Export implements api.Editors.
func (e editors) Export(ctx context.Context, token string, w io.Writer) error {
	c, _, err := e.open(ctx, token)
	if err != nil {
		return err
	}
	return export(c, "csv", w)
}
