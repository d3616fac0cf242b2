package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/catalog"
	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
)

func price(t testing.TB, s string) *catalog.Price {
	p, _, err := catalog.ParsePrice(s)
	require.NoError(t, err)
	return &p
}

func cup(t testing.TB) catalog.Product {
	return catalog.Product{
		SKU: "C-1", Title: "Blue cup", Price: price(t, "12.50"), Currency: "EUR", Availability: catalog.InStock,
		ProductURL: "https://shop.example/c-1", Active: true,
	}
}

func TestLimitsOfProductsAndCatalogues(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*catalog.Product)
		field  string
		reason string
	}{
		"no sku":                  {func(p *catalog.Product) { p.SKU = "" }, "sku", "is missing"},
		"no title":                {func(p *catalog.Product) { p.Title = " " }, "title", "is missing"},
		"a title too long":        {func(p *catalog.Product) { p.Title = strings.Repeat("ж", 256) }, "title", "has 256 characters, at most 255"},
		"a description too long":  {func(p *catalog.Product) { p.Description = strings.Repeat("x", 5001) }, "description", "at most 5000"},
		"no link":                 {func(p *catalog.Product) { p.ProductURL = "" }, "product_url", "is missing"},
		"a link that is a script": {func(p *catalog.Product) { p.ProductURL = "javascript:alert(1)" }, "product_url", "no address"},
		"a picture without host":  {func(p *catalog.Product) { p.ImageURL = "https:///x.png" }, "image_url", "no address"},
		"a currency in words":     {func(p *catalog.Product) { p.Currency = "euro" }, "currency", "three capital letters"},
		"an availability":         {func(p *catalog.Product) { p.Availability = "maybe" }, "availability", "in_stock, out_of_stock or preorder"},
		"a price below 0":         {func(p *catalog.Product) { v := catalog.Price(-1); p.Price = &v }, "price", "between 0"},
		"too many tags":           {func(p *catalog.Product) { p.Tags = strings.Split(strings.Repeat("x,", 60), ",")[:51] }, "tags", "at most 50"},
		"a long attribute":        {func(p *catalog.Product) { p.Attributes = map[string]string{"size": strings.Repeat("x", 1001)} }, "attributes.size", "at most 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			p := cup(t)
			require.Empty(t, p.Validate())
			c.change(&p)
			got := p.Validate()
			require.Len(t, got, 1)
			require.Equal(t, c.field, got[0].Field)
			require.Contains(t, got[0].Reason, c.reason)
			require.LessOrEqual(t, len([]rune(got[0].Value)), 100)
		})
	}
	require.NoError(t, catalog.Catalogue{Name: "Goods", Currency: "EUR", Language: "pt-BR"}.Validate())
	err := catalog.Catalogue{Currency: "e", Language: "Deutsch bitte"}.Validate()
	require.ErrorIs(t, err, fault.Invalid)
	for _, field := range []string{"name", "currency", "language"} {
		require.ErrorContains(t, err, field, "every fault is told at once")
	}
}

func TestPrices(t *testing.T) {
	for text, want := range map[string]string{
		"12": "12", "12.5": "12.50", "12,50": "12.50", "1 990,50": "1990.50", "1\u00a0990": "1990", "1,990.50": "1990.50", "1.990,50": "1990.50",
		"1,990": "1990", "1.990.000": "1990000", "0.125": "0.125", "€12": "12", "12.50 EUR": "12.50", "350 ₽": "350", "1'990.00": "1990", "12.": "12", "0": "0",
	} {
		p, _, err := catalog.ParsePrice(text)
		require.NoError(t, err, text)
		require.Equal(t, want, p.String(), text)
	}
	_, code, err := catalog.ParsePrice("12 usd")
	require.NoError(t, err)
	require.Equal(t, "USD", code)
	for _, text := range []string{"", "-5", "free", "1.990", "12.34567", "1,99,0", "12 EURO", "5%", "1.2,3.4", "99999999999999", ".", "."} {
		_, _, err := catalog.ParsePrice(text)
		require.Error(t, err, "%q", text)
	}
	_, _, err = catalog.ParsePrice("1.990")
	require.ErrorContains(t, err, "may mean 1.990 or 1990")
}

func TestPricesAreWrittenAsTheyAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := catalog.Price(rapid.Int64Range(0, 1e13).Draw(t, "price"))
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var got catalog.Price
		if err := json.Unmarshal(b, &got); err != nil || got != p {
			t.Fatalf("%s: %v, %v", b, got, err)
		}
	})
}

func TestAnImportSaysWhatItWouldDo(t *testing.T) {
	old := cup(t)
	plate := cup(t)
	plate.SKU, plate.Title, plate.Description = "P-1", "Plate", "Kept, because the file has no such column."
	have := map[string]catalog.Product{"C-1": old, "P-1": plate}
	items, warnings, err := catalog.FromTable([][]string{
		{"SKU", "Title*", "Price", "product_url", "attributes.Colour", "Tags", "Shelf"},
		{"C-1", "Blue cup", "12.50", "https://shop.example/c-1", "", "", "4"},
		{"P-1", "Plate", "1 200,00 EUR", "https://shop.example/c-1", "white", "kitchen; new", ""},
		{"", "", "", "", "", "", ""},
		{"N-1", "New", "free", "shop.example", "", "", ""},
		{"N-2", "New", "5"},
		{"P-1", "Again", "5", "https://shop.example/x", "", "", ""},
		{"N-3", "Novelty", "3", "https://shop.example/n", "red", "", ""},
	})
	require.NoError(t, err)
	require.Equal(t, []string{`column "Shelf" is not known and was left out`}, warnings)
	got := catalog.Plan(have, items)
	require.Equal(t, []string{"C-1"}, got.Unchanged)
	require.Len(t, got.New, 1)
	require.Equal(t, "N-3", got.New[0].SKU)
	require.True(t, got.New[0].Active)
	require.Len(t, got.Changed, 1)
	require.Equal(t, []string{"price", "attributes", "tags"}, got.Changed[0].Fields)
	require.Equal(t, plate.Description, got.Changed[0].Product.Description)
	require.Equal(t, []catalog.Failure{
		{Row: 5, Fault: catalog.Fault{Field: "price", Value: "free", Reason: "is no amount such as 1990.50"}},
		{Row: 5, Fault: catalog.Fault{Field: "product_url", Value: "shop.example", Reason: "is no address that begins with https:// or http://"}},
		{Row: 6, Fault: catalog.Fault{Field: "product_url", Value: "", Reason: "is missing"}},
		{Row: 7, Fault: catalog.Fault{Field: "sku", Value: "P-1", Reason: "stands in row 3 as well"}},
	}, got.Failed)
	require.Len(t, have, 2, "a plan changes nothing")
	require.Equal(t, plate, have["P-1"])
	after := got.Apply(have)
	require.Len(t, after, 3)
	require.Equal(t, "1200", after["P-1"].Price.String())
	again := catalog.Plan(after, items)
	require.Empty(t, again.New)
	require.Empty(t, again.Changed, "what was applied is unchanged the next time")
}

func TestTablesThatAreNone(t *testing.T) {
	for want, rows := range map[string][][]string{
		"the table is empty":      nil,
		"no column is named sku":  {{"Title"}, {"x"}},
		"two columns are the sku": {{"sku", "id"}},
	} {
		_, _, err := catalog.FromTable(rows)
		require.ErrorIs(t, err, fault.Invalid)
		require.ErrorContains(t, err, want)
	}
}

func TestImportOfJSON(t *testing.T) {
	items, err := catalog.FromJSON(strings.NewReader(`{"shop":{"x":1},"products":[
		{"sku":"A","title":"Kettle","price":19.5,"currency":"EUR","product_url":"https://s.example/a","attributes":{"watt":2000,"steel":true},"tags":["hot"],"active":false},
		{"sku":7,"title":"Pan","price":"5,00 EUR","product_url":"https://s.example/b","weight":3},
		{"sku":"B","title":["x"]}]}`))
	require.NoError(t, err)
	got := catalog.Plan(nil, items)
	require.Len(t, got.New, 1)
	p := got.New[0]
	require.Equal(t, "19.50", p.Price.String())
	require.Equal(t, map[string]string{"watt": "2000", "steel": "true"}, p.Attributes)
	require.False(t, p.Active)
	require.Equal(t, catalog.Failure{Row: 2, Fault: catalog.Fault{Field: "weight", Value: "3", Reason: "is no field of a product"}}, got.Failed[0])
	require.Equal(t, 3, got.Failed[1].Row)
	for _, bad := range []string{"", "5", `{"a":1}`, `{"products":{}}`, `[{"sku":"A"},`, `[{"sku":`, `[5]`, `[{"sku":"A"}`} {
		_, err := catalog.FromJSON(strings.NewReader(bad))
		require.ErrorIs(t, err, fault.Invalid, bad)
	}
}

func TestACatalogueHoldsNoMoreThanItMay(t *testing.T) {
	have := map[string]catalog.Product{}
	for i := range catalog.MaxProducts - 1 {
		p := cup(t)
		p.SKU = fmt.Sprint("S", i)
		have[p.SKU] = p
	}
	items, _, err := catalog.FromTable([][]string{{"sku", "title", "link"}, {"X1", "x", "https://a.example"}, {"X2", "x", "https://a.example"}, {"S5", "Renamed", "https://a.example"}})
	require.NoError(t, err)
	got := catalog.Plan(have, items)
	require.Len(t, got.New, 1)
	require.Len(t, got.Changed, 1)
	require.Contains(t, got.Failed[0].Reason, "more than 50000")
}

func shop(t testing.TB) *catalog.Index {
	products := map[string]catalog.Product{}
	for _, r := range [][]string{
		{"K-1", "Steel kettle", "Kitchen > Kettles", "39.90", "Boils a litre of water in three minutes."},
		{"K-2", "Glass kettle", "Kitchen > Kettles", "59", "Shows the water while it boils."},
		{"T-1", "Oak table", "Furniture", "420", "Seats six. The kettle stands well on it."},
		{"T-2", "Pine table", "Furniture", "180", "Seats four."},
		{"M-1", "Blue mug", "Kitchen > Cups", "8.50", "Holds tea and coffee."},
		{"X-1", "Secret kettle", "Kitchen", "1", "Not for sale."},
	} {
		products[r[0]] = catalog.Product{SKU: r[0], Title: r[1], Category: r[2], Price: price(t, r[3]), Description: r[4], Availability: catalog.InStock, Active: r[0] != "X-1", ProductURL: "https://s.example/" + r[0]}
	}
	return catalog.NewIndex(lexis.New(), products)
}

func TestSearch(t *testing.T) {
	x := shop(t)
	skus := func(q catalog.Query) []string {
		var out []string
		for _, p := range x.Search(q) {
			out = append(out, p.SKU)
		}
		return out
	}
	require.Equal(t, []string{"K-1", "K-2", "T-1"}, skus(catalog.Query{Text: "kettles"}), "the title counts most, and inactive ones are not sold")
	require.Equal(t, "K-2", skus(catalog.Query{Text: "a kettle of glass"})[0])
	require.Equal(t, []string{"K-1", "K-2"}, skus(catalog.Query{Text: "kettle", Category: "kitchen"}))
	require.Equal(t, []string{"K-1"}, skus(catalog.Query{Text: "kettle", PriceMax: price(t, "50")}))
	require.Equal(t, []string{"T-1"}, skus(catalog.Query{Category: "Furniture", PriceMin: price(t, "200")}))
	require.Equal(t, []string{"T-2", "T-1"}, skus(catalog.Query{Category: "Furniture"}), "the cheapest first")
	require.Equal(t, []string{"M-1"}, skus(catalog.Query{Text: "m-1"}), "a sku is a query as well")
	require.Equal(t, []string{"K-1", "K-2"}, skus(catalog.Query{Text: "kettel", Limit: 2}), "a slip is understood")
	require.Len(t, skus(catalog.Query{Limit: 100}), catalog.MaxFound)
	require.Empty(t, skus(catalog.Query{Text: "bicycle"}))
	_, ok := x.Get("x-1")
	require.False(t, ok)
	p, ok := x.Get(" k-1 ")
	require.True(t, ok)
	require.Equal(t, "Steel kettle", p.Title)
}

func TestCardsAsText(t *testing.T) {
	p := cup(t)
	p.Currency, p.Description = "", strings.Repeat("A fine cup. ", 40)
	text := catalog.Catalogue{Name: "Goods", Currency: "EUR"}.Card(p)
	lines := strings.Split(text, "\n")
	require.Equal(t, []string{"Blue cup", "12.50 EUR", "In stock"}, lines[:3])
	require.True(t, strings.HasSuffix(lines[3], "…"))
	require.LessOrEqual(t, len([]rune(lines[3])), 200)
	require.Equal(t, "https://shop.example/c-1", lines[4], "the link to buy it comes last")
	p.Price, p.Availability, p.Description = nil, catalog.Preorder, ""
	require.Equal(t, "Blue cup\nCan be ordered in advance\nhttps://shop.example/c-1", catalog.Catalogue{}.Card(p))
}

func FuzzTable(f *testing.F) {
	f.Add("sku,price,attributes,tags\nA,1.5,x=1;y,a|b")
	f.Fuzz(func(t *testing.T, text string) {
		var rows [][]string
		for l := range strings.SplitSeq(text, "\n") {
			rows = append(rows, strings.Split(l, ","))
		}
		items, _, err := catalog.FromTable(rows)
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
		}
		settles(t, items)
	})
}

func FuzzJSON(f *testing.F) {
	f.Add(`[{"sku":"A","title":"x","price":1e3,"product_url":"http://a","attributes":{"a":null}}]`)
	f.Add(`{"products":[{"SKU":"A","id":"B"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		items, err := catalog.FromJSON(strings.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
		}
		settles(t, items)
	})
}

// settles imports twice: the second time nothing changes, and what is there is valid.
func settles(t *testing.T, items []catalog.Item) {
	first := catalog.Plan(nil, items)
	have := first.Apply(nil)
	for _, p := range have {
		require.Empty(t, p.Validate())
	}
	again := catalog.Plan(have, items)
	require.Empty(t, again.New)
	require.Empty(t, again.Changed)
	require.Len(t, again.Unchanged, len(first.New))
}

func BenchmarkSearch(b *testing.B) {
	products := map[string]catalog.Product{}
	for i := range catalog.MaxProducts {
		p := cup(b)
		p.SKU, p.Title, p.Category = fmt.Sprint("S", i), fmt.Sprintf("Cup %d of clay word%d", i, i%7000), "Kitchen"
		products[p.SKU] = p
	}
	x := catalog.NewIndex(lexis.New(), products)
	b.ReportAllocs()
	for b.Loop() {
		x.Search(catalog.Query{Text: "clay cup wrod4711"})
	}
}
