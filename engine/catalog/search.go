package catalog

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"flametree/engine/knowledge/lexis"
)

// MaxFound is how many products a search gives at most.
const MaxFound = 5

// Query is what a customer looks for. Prices are of the product's own currency.
type Query struct {
	Text     string
	Category string // whole, or its beginning: "Kitchen" finds "Kitchen > Cups"
	PriceMin *Price
	PriceMax *Price
	Limit    int // 0 = MaxFound
}

// Index finds products. It is immutable and safe for concurrent use.
type Index struct {
	lex      *lexis.Lexicon
	products []Product // active ones, by SKU
	bySKU    map[string]int
	words    map[string][]posting
}

type posting struct {
	product int
	weight  float32
}

// The weights of where a word stands.
const (
	inTitle = 3
	inKind  = 2 // category, brand, tags
	inText  = 1
)

// NewIndex makes an index of the products that are active.
func NewIndex(lex *lexis.Lexicon, products map[string]Product) *Index {
	x := &Index{lex: lex, bySKU: map[string]int{}, words: map[string][]posting{}}
	for _, p := range products {
		if p.Active {
			x.products = append(x.products, p)
		}
	}
	slices.SortFunc(x.products, func(a, b Product) int { return cmp.Compare(a.SKU, b.SKU) })
	for i, p := range x.products {
		x.bySKU[strings.ToLower(p.SKU)] = i
		stands := map[string]float32{}
		put := func(text string, weight float32) {
			for _, t := range lex.Terms(text) {
				stands[t.Stem] = max(stands[t.Stem], weight)
			}
		}
		put(p.Title, inTitle)
		put(p.Category+" "+p.Brand+" "+strings.Join(p.Tags, " "), inKind)
		put(p.Description, inText)
		for k, v := range p.Attributes {
			put(k+" "+v, inText)
		}
		for stem, w := range stands {
			x.words[stem] = append(x.words[stem], posting{i, w})
		}
	}
	return x
}

// Get finds an active product by its SKU, in capitals or not.
func (x *Index) Get(sku string) (Product, bool) {
	i, ok := x.bySKU[strings.ToLower(strings.TrimSpace(sku))]
	if !ok {
		return Product{}, false
	}
	return x.products[i], true
}

// Search gives the products that fit best, best first. Without a text it gives
// what the filters let through, what can be had first and then the cheapest.
func (x *Index) Search(q Query) []Product {
	limit := q.Limit
	if limit <= 0 || limit > MaxFound {
		limit = MaxFound
	}
	if p, ok := x.Get(q.Text); ok && q.lets(p) {
		return []Product{p}
	}
	scores := x.scores(q.Text)
	before := func(a, b int) bool {
		if scores != nil && scores[a] != scores[b] {
			return scores[a] > scores[b]
		}
		pa, pb := x.products[a], x.products[b]
		return cmp.Or(cmp.Compare(rank(pa), rank(pb)), cmp.Compare(amount(pa), amount(pb)), cmp.Compare(a, b)) < 0
	}
	best := make([]int, 0, limit+1)
	for i, p := range x.products {
		if scores != nil && scores[i] == 0 || !q.lets(p) {
			continue
		}
		at := len(best)
		for at > 0 && before(i, best[at-1]) {
			at--
		}
		if at < limit {
			best = slices.Insert(best, at, i)[:min(len(best)+1, limit)]
		}
	}
	out := make([]Product, len(best))
	for i, n := range best {
		out[i] = x.products[n]
	}
	return out
}

// scores rates the products by the words of a text; nil when it says nothing. A
// product must hold half of what the text says.
func (x *Index) scores(text string) []float64 {
	terms := x.lex.Question(text)
	if len(terms) == 0 {
		return nil
	}
	scores, covered, best := make([]float64, len(x.products)), make([]float64, len(x.products)), make([]float64, len(x.products))
	var all float64
	for _, t := range terms {
		all += t.Weight
		clear(best)
		for stem, near := range x.alike(t.Stem) {
			list := x.words[stem]
			idf := math.Log(1 + float64(len(x.products))/float64(len(list)))
			for _, p := range list {
				best[p.product] = max(best[p.product], near*idf*float64(p.weight))
			}
		}
		for i, s := range best {
			if s > 0 {
				scores[i] += s * t.Weight
				covered[i] += t.Weight
			}
		}
	}
	for i := range scores {
		if covered[i]*2 < all {
			scores[i] = 0
		}
		scores[i] *= covered[i] / max(all, 1e-9)
	}
	return scores
}

// alike are the words of the index that a word of a query may mean: itself, else
// those that mean nearly the same, else those that are spelled alike.
func (x *Index) alike(stem string) map[string]float64 {
	if len(x.words[stem]) > 0 {
		return map[string]float64{stem: 1}
	}
	out := map[string]float64{}
	for _, l := range x.lex.Related(stem) {
		if len(x.words[l.Stem]) > 0 {
			out[l.Stem] = l.Near * 0.6
		}
	}
	if len(out) > 0 {
		return out
	}
	for w := range x.words {
		if lexis.Alike(stem, w) {
			out[w] = 0.5
		}
	}
	return out
}

// lets reports whether a product passes the filters.
func (q Query) lets(p Product) bool {
	if c := strings.ToLower(strings.TrimSpace(q.Category)); c != "" && !strings.HasPrefix(strings.ToLower(p.Category), c) {
		return false
	}
	if q.PriceMin == nil && q.PriceMax == nil {
		return true
	}
	if p.Price == nil {
		return false
	}
	return (q.PriceMin == nil || *p.Price >= *q.PriceMin) && (q.PriceMax == nil || *p.Price <= *q.PriceMax)
}

// rank puts what can be had before what cannot.
func rank(p Product) int {
	switch p.Availability {
	case InStock:
		return 0
	case Preorder:
		return 1
	case OutOfStock:
	}
	return 2
}

func amount(p Product) int64 {
	if p.Price == nil {
		return math.MaxInt64
	}
	return int64(*p.Price)
}
