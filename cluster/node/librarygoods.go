package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/catalog"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
)

// goods are the products of one or several catalogues. They never change.
type goods struct {
	products map[string]catalog.Product
	index    *catalog.Index
}

var _ actors.Goods = (*goods)(nil)

// Ask implements actors.Goods.
func (g *goods) Ask(name string, args json.RawMessage) (string, error) {
	var a struct {
		Query, Category string
		PriceMin        *catalog.Price `json:"price_min"`
		PriceMax        *catalog.Price `json:"price_max"`
		Limit           int
		SKU             string
	}
	if len(args) > 0 {
		if err := json.Unmarshal(args, &a); err != nil {
			return "", fmt.Errorf("the arguments of %s cannot be read: %w: %w", name, fault.Invalid, err)
		}
	}
	if name == "GetProduct" {
		p, ok := g.index.Get(a.SKU)
		if !ok {
			return "", fmt.Errorf("there is no product %q: %w", a.SKU, fault.NotFound)
		}
		text, err := json.Marshal(p)
		return string(text), err
	}
	found := g.index.Search(catalog.Query{Text: a.Query, Category: a.Category, PriceMin: a.PriceMin, PriceMax: a.PriceMax, Limit: a.Limit})
	if len(found) == 0 {
		return "No product fits. Say so, and ask what else may do.", nil
	}
	var cards []string
	for _, p := range found {
		cards = append(cards, catalog.Catalogue{}.Card(p)+"\nsku: "+p.SKU)
	}
	return strings.Join(cards, "\n\n"), nil
}

// ownGoods are the products of a catalogue that an agent's file names by path. A
// row that cannot be used is a fault of the file.
func (l *librarian) ownGoods(ctx context.Context, c agent.Catalog, pins []event.Pair) (*goods, error) {
	name, ok := pin(pins, "catalog/"+catalogName(c))
	if !ok {
		return nil, fmt.Errorf("catalog %s: it is not kept with this revision: save the file again: %w", catalogName(c), fault.NotFound)
	}
	one, err := l.catalogue(ctx, name, catalogName(c))
	if err != nil {
		return nil, fmt.Errorf("catalog %s: %w", catalogName(c), err)
	}
	return one, nil
}

// apart says that no two catalogues of a file have a product of one SKU.
func apart(all []*goods, names []event.Pair) error {
	seen := make(map[string]bool)
	for i, g := range all {
		for sku := range g.products {
			if seen[sku] {
				return fmt.Errorf("catalog %s: the sku %q stands in another catalogue of this agent, too: %w", names[i].Key, sku, fault.Invalid)
			}
		}
		for sku := range g.products {
			seen[sku] = true
		}
	}
	return nil
}

// catalogue reads one kept catalogue, once.
func (l *librarian) catalogue(ctx context.Context, blob, path string) (*goods, error) {
	l.mu.Lock()
	g := l.goods[blob]
	l.mu.Unlock()
	if g != nil {
		return g, nil
	}
	raw, err := l.bytes(blob)
	if err != nil {
		return nil, err
	}
	items, warnings, err := l.items(ctx, raw, path)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		l.log.Warn("catalogue", "err", w, "file", path)
	}
	plan := catalog.Plan(nil, items)
	if len(plan.Failed) > 0 {
		return nil, failed(plan.Failed)
	}
	products := plan.Apply(nil)
	g = &goods{products: products, index: catalog.NewIndex(l.lexicon(), products)}
	l.mu.Lock()
	l.goods[blob] = g
	l.mu.Unlock()
	return g, nil
}

func (l *librarian) items(ctx context.Context, raw []byte, path string) ([]catalog.Item, []string, error) {
	if strings.EqualFold(filepath.Ext(path), ".json") {
		items, err := catalog.FromJSON(bytes.NewReader(raw))
		return items, nil, err
	}
	var rows [][]string
	err := ingest.Rows(ctx, l.options(), bytes.NewReader(raw), path, func(cells []string) error {
		rows = append(rows, append([]string(nil), cells...))
		if len(rows) > catalog.MaxProducts+1 {
			return fmt.Errorf("more than %d products: %w", catalog.MaxProducts, fault.Invalid)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return catalog.FromTable(rows)
}

// maxFailed is how many faults of rows are told at once.
const maxFailed = 10

func failed(all []catalog.Failure) error {
	var lines []string
	for _, f := range all[:min(len(all), maxFailed)] {
		lines = append(lines, fmt.Sprintf("row %d: %s", f.Row, plainly(f.Fault)))
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more faults", more))
	}
	return fmt.Errorf("%s: %w", strings.Join(lines, "\n"), fault.Invalid)
}
