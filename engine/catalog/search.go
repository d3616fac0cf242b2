package catalog

import (
	"cmp"
	"maps"
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
	numbers  map[string]uint32 // of words; some may be of products that are gone
	words    [][]posting       // by number
	stands   map[string]stood
}

// stood is where a product stands in products, and its words.
type stood struct {
	at    int
	words []standing
}

type posting struct {
	product int
	weight  float32
}

// standing is a word of a product, by its number, with the weight of the best
// place where it stands.
type standing struct {
	word   uint32
	weight float32
}

// The weights of where a word stands.
const (
	inTitle = 3
	inKind  = 2 // category, brand, tags
	inText  = 1
)

// NewIndex makes an index of the products that are active.
func NewIndex(lex *lexis.Lexicon, products map[string]Product) *Index {
	return (&Index{lex: lex}).Next(products)
}

// Next is the index of other products. Those that x has as they are cost next to
// nothing: only new texts are read.
func (x *Index) Next(products map[string]Product) *Index {
	out := &Index{lex: x.lex, bySKU: make(map[string]int), stands: make(map[string]stood, len(products)), numbers: maps.Clone(x.numbers)}
	if out.numbers == nil {
		out.numbers = make(map[string]uint32)
	}
	skus := make([]string, 0, len(products))
	for sku, p := range products {
		if p.Active {
			skus = append(skus, sku)
		}
	}
	slices.Sort(skus)
	out.products = make([]Product, len(skus))
	for i, sku := range skus {
		p := products[sku]
		out.products[i] = p
		out.bySKU[strings.ToLower(sku)] = i
		was, there := x.stands[sku]
		if !there || len(p.differs(x.products[was.at])) > 0 {
			was.words = out.read(p)
		}
		out.stands[sku] = stood{i, was.words}
	}
	out.list(skus)
	return out.pruned(products)
}

// list writes down for each word which products hold it.
func (x *Index) list(skus []string) {
	counts := make([]int, len(x.numbers))
	all := 0
	for _, s := range x.stands {
		all += len(s.words)
		for _, w := range s.words {
			counts[w.word]++
		}
	}
	room := make([]posting, all)
	x.words = make([][]posting, len(x.numbers))
	for n, count := range counts {
		x.words[n], room = room[:0:count], room[count:]
	}
	for i, sku := range skus {
		for _, w := range x.stands[sku].words {
			x.words[w.word] = append(x.words[w.word], posting{i, w.weight})
		}
	}
}

// read finds the words of a product.
func (x *Index) read(p Product) []standing {
	best := make(map[uint32]float32)
	put := func(text string, weight float32) {
		for _, t := range x.lex.Terms(text) {
			n, known := x.numbers[t.Stem]
			if !known {
				n = uint32(len(x.numbers))
				x.numbers[t.Stem] = n
			}
			best[n] = max(best[n], weight)
		}
	}
	put(p.Title, inTitle)
	put(p.Category+" "+p.Brand+" "+strings.Join(p.Tags, " "), inKind)
	put(p.Description, inText)
	for k, v := range p.Attributes {
		put(k+" "+v, inText)
	}
	out := make([]standing, 0, len(best))
	for n, w := range best {
		out = append(out, standing{n, w})
	}
	return out
}

// tooMany is how many words of products that are gone an index may drag along,
// beside as many as it has.
const tooMany = 10_000

// pruned is x itself, or made anew when most of its words are of the past.
func (x *Index) pruned(products map[string]Product) *Index {
	gone := 0
	for _, list := range x.words {
		if len(list) == 0 {
			gone++
		}
	}
	if gone <= tooMany+len(x.words)-gone {
		return x
	}
	return NewIndex(x.lex, products)
}

// found are the products that hold a word.
func (x *Index) found(stem string) []posting {
	n, ok := x.numbers[stem]
	if !ok {
		return nil
	}
	return x.words[n]
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
			list := x.found(stem)
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
	if len(x.found(stem)) > 0 {
		return map[string]float64{stem: 1}
	}
	out := map[string]float64{}
	for _, l := range x.lex.Related(stem) {
		if len(x.found(l.Stem)) > 0 {
			out[l.Stem] = l.Near * 0.6
		}
	}
	if len(out) > 0 {
		return out
	}
	for w, n := range x.numbers {
		if len(x.words[n]) > 0 && lexis.Alike(stem, w) {
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
