package catalog_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/catalog"
	"flametree/engine/knowledge/lexis"
)

// words are texts as cells of a table give them back: without spaces around.
func words(label string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.SampledFrom([]string{"'=x", "''-", "=1+1", "@a", "+7", "-5", "a;b", "a|b", "a,b", "[", "{", "\"q\"", "x\ny", "plain", "жук", "'", "a'"}).Draw(t, label)
		return s + rapid.SampledFrom([]string{"", "z", ";"}).Draw(t, label+" end")
	})
}

func anyProduct(t *rapid.T, sku string) catalog.Product {
	p := catalog.Product{
		SKU: sku, Title: words("title").Draw(t, "title"), Description: words("text").Draw(t, "text"), Category: words("category").Draw(t, "category"),
		Brand: words("brand").Draw(t, "brand"), Currency: rapid.SampledFrom([]string{"", "EUR"}).Draw(t, "currency"),
		Availability: rapid.SampledFrom([]catalog.Availability{catalog.InStock, catalog.OutOfStock, catalog.Preorder}).Draw(t, "availability"),
		ProductURL:   "https://s.example/" + sku, ImageURL: rapid.SampledFrom([]string{"", "https://s.example/i.png"}).Draw(t, "image"),
		Active: rapid.Bool().Draw(t, "active"),
	}
	if rapid.Bool().Draw(t, "priced") {
		v := catalog.Price(rapid.Int64Range(0, 1e13).Draw(t, "price") / 100 * 100)
		p.Price = &v
	}
	p.Tags = append(p.Tags, rapid.SliceOfNDistinct(words("tag"), 0, 3, rapid.ID[string]).Draw(t, "tags")...)
	for _, k := range rapid.SliceOfNDistinct(words("key"), 0, 3, rapid.ID[string]).Draw(t, "keys") {
		if p.Attributes == nil {
			p.Attributes = map[string]string{}
		}
		p.Attributes[k] = words("value").Draw(t, "value")
	}
	return p
}

func readCSV(t require.TestingT, text string) []catalog.Item {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	require.NoError(t, err)
	items, warnings, err := catalog.FromTable(rows)
	require.NoError(t, err)
	require.Empty(t, warnings)
	return items
}

func TestWhatIsWrittenIsReadBackUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have := map[string]catalog.Product{}
		var list []catalog.Product
		for _, sku := range []string{"A-1", "=B", "'-C"} {
			p := anyProduct(t, sku)
			require.Empty(t, p.Validate())
			have[sku] = p
			list = append(list, p)
		}
		var table, object bytes.Buffer
		require.NoError(t, catalog.WriteCSV(&table, slices.Values(list)))
		require.NoError(t, catalog.WriteJSON(&object, catalog.Catalogue{Name: "Goods"}, slices.Values(list)))
		fromJSON, err := catalog.FromJSON(bytes.NewReader(object.Bytes()))
		require.NoError(t, err)
		for name, items := range map[string][]catalog.Item{"csv": readCSV(t, table.String()), "json": fromJSON} {
			got := catalog.Plan(have, items)
			require.Empty(t, got.Failed, name)
			require.Empty(t, got.New, name)
			require.Empty(t, got.Changed, "%s\n%s", name, table.String())
			require.Len(t, got.Unchanged, len(list), name)
			require.Equal(t, have, catalog.Plan(nil, items).Apply(nil), name)
		}
	})
}

func TestNoCellOfATableIsAFormula(t *testing.T) {
	p := cup(t)
	p.SKU, p.Title, p.Description, p.Brand, p.Tags = "+1", `=HYPERLINK("https://evil.example","x")`, "@SUM(A1)", "-2", []string{"=1"}
	var b bytes.Buffer
	require.NoError(t, catalog.WriteCSV(&b, slices.Values([]catalog.Product{p})))
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff"))).ReadAll()
	require.NoError(t, err)
	for _, cell := range rows[1] {
		require.False(t, cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r"), "a table program would run %q", cell)
	}
}

func TestAReportIsShortAndItsCountsAreWhole(t *testing.T) {
	items, _, err := catalog.FromTable([][]string{
		{"sku", "title", "product_url", "price"},
		{"A", "New", "https://s.example/a", "1"},
		{"B", "New", "https://s.example/b", "1"},
		{"C-1", "Renamed", "https://shop.example/c-1", "12.50"},
		{"X", "", "nowhere", "much"},
		{"Y", "", "https://s.example/y", "1"},
	})
	require.NoError(t, err)
	r := catalog.Plan(map[string]catalog.Product{"C-1": cup(t)}, items).Report(1)
	require.Equal(t, 2, r.New)
	require.Equal(t, []string{"A"}, r.Added)
	require.Equal(t, []catalog.Touched{{SKU: "C-1", Fields: []string{"title"}}}, r.Changes)
	require.Equal(t, 2, r.Failed, "rows, not faults")
	require.Len(t, r.Faults, 1)
}

// An index that follows changes finds what one made anew finds.
func TestAnIndexThatFollowsChangesIsLikeANewOne(t *testing.T) {
	lex := lexis.New()
	rapid.Check(t, func(t *rapid.T) {
		x := catalog.NewIndex(lex, nil)
		words := rapid.SampledFrom([]string{"steel kettle", "glass kettle", "oak table", "blue mug", ""})
		products := map[string]catalog.Product{}
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			sku := rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(t, "sku")
			if rapid.Bool().Draw(t, "remove") {
				delete(products, sku)
			} else {
				products[sku] = catalog.Product{
					SKU: sku, Title: words.Draw(t, "title"), Description: words.Draw(t, "text"), Availability: catalog.InStock,
					Active: rapid.IntRange(0, 3).Draw(t, "active") > 0,
				}
			}
			x = x.Next(products)
			fresh := catalog.NewIndex(lex, products)
			for _, q := range []string{"kettle", "oak", "mug", "ketle", "steel", "A", ""} {
				require.Equal(t, fresh.Search(catalog.Query{Text: q}), x.Search(catalog.Query{Text: q}), q)
			}
		}
	})
}

func BenchmarkAnEditOfALargeIndex(b *testing.B) {
	products := map[string]catalog.Product{}
	for i := range catalog.MaxProducts {
		p := cup(b)
		p.SKU, p.Title, p.Description = fmt.Sprint("S", i), fmt.Sprintf("Cup %d of clay word%d", i, i%7000), "A cup that holds tea and coffee and stays warm for an hour."
		products[p.SKU] = p
	}
	x := catalog.NewIndex(lexis.New(), products)
	n := 0
	for b.Loop() {
		n++
		p := cup(b)
		p.SKU, p.Title = "S42", fmt.Sprint("Cup for ", n)
		products[p.SKU] = p
		x = x.Next(products)
	}
}
