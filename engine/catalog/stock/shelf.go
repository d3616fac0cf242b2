package stock

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"flametree/engine/catalog"
)

// boards is over how many maps a shelf spreads its products: what a change
// copies is one of them, and not fifty thousand products.
const boards = 256

// Shelf is a set of products by SKU. It never changes: Put and Take give another
// one that shares what is the same. The zero Shelf is empty. It is safe for
// concurrent use.
type Shelf struct {
	boards *[boards]map[string]catalog.Product
	count  int
}

// board is where a SKU stands (FNV-1a, folded to a byte).
func board(sku string) int {
	h := uint32(2166136261)
	for i := range len(sku) {
		h = (h ^ uint32(sku[i])) * 16777619
	}
	return int((h ^ h>>8 ^ h>>16 ^ h>>24) % boards)
}

// Len is how many products there are.
func (s Shelf) Len() int { return s.count }

// Get finds a product.
func (s Shelf) Get(sku string) (catalog.Product, bool) {
	if s.boards == nil {
		return catalog.Product{}, false
	}
	p, ok := s.boards[board(sku)][sku]
	return p, ok
}

// Put is the shelf with these products, each in the place of the one with its SKU.
func (s Shelf) Put(products ...catalog.Product) Shelf {
	out, own := s.copied()
	for _, p := range products {
		m := own(board(p.SKU))
		if _, there := m[p.SKU]; !there {
			out.count++
		}
		m[p.SKU] = p
	}
	return out
}

// Take is the shelf without these products.
func (s Shelf) Take(skus ...string) Shelf {
	out, own := s.copied()
	for _, sku := range skus {
		if _, there := out.Get(sku); there {
			delete(own(board(sku)), sku)
			out.count--
		}
	}
	return out
}

// copied is a shelf that shares all its boards, and what makes one its own.
func (s Shelf) copied() (Shelf, func(int) map[string]catalog.Product) {
	out := Shelf{boards: new([boards]map[string]catalog.Product), count: s.count}
	if s.boards != nil {
		*out.boards = *s.boards
	}
	var ours [boards]bool
	return out, func(i int) map[string]catalog.Product {
		if !ours[i] {
			ours[i] = true
			out.boards[i] = maps.Clone(out.boards[i])
			if out.boards[i] == nil {
				out.boards[i] = make(map[string]catalog.Product)
			}
		}
		return out.boards[i]
	}
}

// All yields the products in the order of their SKUs.
func (s Shelf) All() iter.Seq[catalog.Product] {
	return func(yield func(catalog.Product) bool) {
		for _, sku := range s.skus() {
			p, _ := s.Get(sku)
			if !yield(p) {
				return
			}
		}
	}
}

func (s Shelf) skus() []string {
	out := make([]string, 0, s.count)
	if s.boards != nil {
		for _, m := range s.boards {
			for sku := range m {
				out = append(out, sku)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Find gives the products that hold a text in their SKU, title, category, brand
// or tags, in the order of their SKUs: limit of them behind the first skip, and
// how many there are in all. The empty text finds every product.
func (s Shelf) Find(text string, skip, limit int) (some []catalog.Product, all int) {
	text = strings.ToLower(strings.TrimSpace(text))
	for p := range s.All() {
		if text != "" && !strings.Contains(strings.ToLower(strings.Join(append([]string{p.SKU, p.Title, p.Category, p.Brand}, p.Tags...), "\n")), text) {
			continue
		}
		if all >= skip && len(some) < limit {
			some = append(some, p)
		}
		all++
	}
	return some, all
}
