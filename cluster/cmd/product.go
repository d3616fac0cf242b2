package cmd

import (
	"context"
	"fmt"
	"strings"

	"flametree/cluster/node"
	"flametree/engine/fault"
)

type productCmd struct {
	Add    productAddCmd    `cmd:"" help:"Add a product."`
	Set    productSetCmd    `cmd:"" help:"Change a product; what is not given stays."`
	Remove productRemoveCmd `cmd:"" help:"Take products out of a catalogue."`
}

// productFields are what a product may be given; an empty text empties a field.
type productFields struct {
	Title        *string  `help:"Title, at most 255 characters."`
	URL          *string  `name:"url" help:"Where it can be bought: begins with https:// or http://."`
	Price        *string  `help:"Such as 19.90, or 19.90 EUR."`
	Currency     *string  `help:"Such as EUR (default: the catalogue's)."`
	Availability *string  `help:"in_stock, out_of_stock or preorder."`
	Category     *string  `help:"Such as 'Kitchen > Cups'."`
	Brand        *string  `help:"Brand."`
	Description  *string  `help:"At most 5000 characters."`
	Image        *string  `help:"Address of a picture."`
	Tag          []string `help:"A tag; may be given several times and takes the place of all." sep:"none"`
	Attr         []string `help:"An attribute; may be given several times and takes the place of all." placeholder:"NAME=VALUE" sep:"none"`
	Active       *bool    `help:"Whether agents sell it." negatable:""`
}

// fields are those that were given.
func (f *productFields) fields(sku string) (map[string]any, error) {
	out := map[string]any{"sku": sku}
	for name, v := range map[string]*string{
		"title": f.Title, "product_url": f.URL, "price": f.Price, "currency": f.Currency, "availability": f.Availability,
		"category": f.Category, "brand": f.Brand, "description": f.Description, "image_url": f.Image,
	} {
		if v != nil {
			out[name] = *v
		}
	}
	if f.Active != nil {
		out["active"] = *f.Active
	}
	if f.Tag != nil {
		out["tags"] = f.Tag
	}
	if f.Attr != nil {
		attributes := map[string]string{}
		for _, a := range f.Attr {
			name, value, ok := strings.Cut(a, "=")
			if !ok || strings.TrimSpace(name) == "" {
				return nil, fmt.Errorf("--attr %q is no pair such as colour=red: %w", a, fault.Invalid)
			}
			attributes[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		out["attributes"] = attributes
	}
	return out, nil
}

type productAddCmd struct {
	Catalog string `arg:"" help:"Name or id of the catalogue."`
	SKU     string `arg:"" name:"sku" help:"Its number in the shop; unique in the catalogue."`
	productFields
}

// Run implements the command.
func (p *productAddCmd) Run(ctx context.Context, e *Env) error {
	return e.product(ctx, p.Catalog, p.SKU, &p.productFields, true)
}

type productSetCmd struct {
	Catalog string `arg:"" help:"Name or id of the catalogue."`
	SKU     string `arg:"" name:"sku" help:"Of the product."`
	productFields
}

// Run implements the command.
func (p *productSetCmd) Run(ctx context.Context, e *Env) error {
	return e.product(ctx, p.Catalog, p.SKU, &p.productFields, false)
}

func (e *Env) product(ctx context.Context, name, sku string, given *productFields, fresh bool) error {
	fields, err := given.fields(sku)
	if err != nil {
		return err
	}
	if len(fields) == 1 && !fresh {
		return fmt.Errorf("say what is to change, such as --price or --availability (see --help): %w", fault.Invalid)
	}
	var card node.CatalogCard
	if err := e.tell(ctx, catalogPath(name, "/product"), node.ProductBody{Fields: fields, New: fresh}, &card); err != nil {
		return err
	}
	what := "changed"
	if fresh {
		what = "added"
	}
	e.printf("%s %s: %q holds %d products\n", sku, what, card.Name, card.Products)
	return nil
}

type productRemoveCmd struct {
	Catalog string   `arg:"" help:"Name or id of the catalogue."`
	SKUs    []string `arg:"" name:"sku" help:"Of the products."`
}

// Run implements the command.
func (p *productRemoveCmd) Run(ctx context.Context, e *Env) error {
	var card node.CatalogCard
	if err := e.tell(ctx, catalogPath(p.Catalog, "/drop"), node.DropBody{SKUs: p.SKUs}, &card); err != nil {
		return err
	}
	e.printf("removed: %q holds %d products\n", card.Name, card.Products)
	return nil
}
