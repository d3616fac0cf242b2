package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Failure is one fault of one row.
type Failure struct {
	Row int `json:"row"`
	Fault
}

// Change is a product that an import would change.
type Change struct {
	Product Product  `json:"product"` // as it would be
	Fields  []string `json:"fields"`  // that differ from what is there
}

// Changes is what an import would do: New and Changed would be written,
// Unchanged are there as they are. Products that the file does not name stay.
type Changes struct {
	New       []Product `json:"new"`
	Changed   []Change  `json:"changed"`
	Unchanged []string  `json:"unchanged"` // SKUs
	Failed    []Failure `json:"failed"`    // a row that fails changes nothing
}

// Plan compares rows with the products that are there (by SKU) and changes
// nothing; Apply does. A row with a fault fails alone. The same SKU twice fails
// the second time, a product beyond MaxProducts fails.
func Plan(have map[string]Product, items []Item) Changes {
	return PlanOver(func(sku string) (Product, bool) { p, ok := have[sku]; return p, ok }, len(have), items)
}

// PlanOver is Plan for products that are kept elsewhere: get finds one of count.
func PlanOver(get func(sku string) (Product, bool), count int, items []Item) Changes {
	var out Changes
	first := map[string]int{}
	for _, it := range items {
		sku := it.Product.SKU
		old, there := get(sku)
		p := it.Product
		if there {
			p = merge(old, it)
		}
		faults := append(slices.Clip(it.Faults), p.Validate()...)
		if row := first[sku]; row > 0 && strings.TrimSpace(sku) != "" {
			faults = append(faults, Fault{"sku", shorten(sku, maxTag), fmt.Sprintf("stands in row %d as well", row)})
		}
		if !there && count+len(out.New) >= MaxProducts {
			faults = append(faults, Fault{"sku", shorten(sku, maxTag), fmt.Sprintf("the catalogue would hold more than %d products", MaxProducts)})
		}
		if first[sku] == 0 {
			first[sku] = it.Row
		}
		if len(faults) > 0 {
			for _, f := range once(faults) {
				out.Failed = append(out.Failed, Failure{it.Row, f})
			}
			continue
		}
		switch fields := p.differs(old); {
		case !there:
			out.New = append(out.New, p)
		case len(fields) > 0:
			out.Changed = append(out.Changed, Change{p, fields})
		default:
			out.Unchanged = append(out.Unchanged, sku)
		}
	}
	return out
}

// once keeps the first fault of each field: one that could not be read is also
// missing.
func once(faults []Fault) []Fault {
	var out []Fault
	seen := map[string]bool{}
	for _, f := range faults {
		if !seen[f.Field] {
			seen[f.Field] = true
			out = append(out, f)
		}
	}
	return out
}

// merge is the old product with what a row gives.
func merge(old Product, it Item) Product {
	p := old
	take := func(field string, copyIt func()) {
		if it.Given[field] {
			copyIt()
		}
	}
	n := it.Product
	take("title", func() { p.Title = n.Title })
	take("description", func() { p.Description = n.Description })
	take("category", func() { p.Category = n.Category })
	take("brand", func() { p.Brand = n.Brand })
	take("price", func() { p.Price = n.Price })
	take("currency", func() { p.Currency = n.Currency })
	take("availability", func() { p.Availability = n.Availability })
	take("image_url", func() { p.ImageURL = n.ImageURL })
	take("product_url", func() { p.ProductURL = n.ProductURL })
	take("attributes", func() { p.Attributes = n.Attributes })
	take("tags", func() { p.Tags = n.Tags })
	take("active", func() { p.Active = n.Active })
	return p
}

// Apply gives the products after the changes; have stays as it is.
func (c Changes) Apply(have map[string]Product) map[string]Product {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]Product{}
	}
	for _, p := range c.New {
		out[p.SKU] = p
	}
	for _, ch := range c.Changed {
		out[ch.Product.SKU] = ch.Product
	}
	return out
}
