package stock_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/event"
	"flametree/engine/fault"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// shop is a catalogue whose commands become true at once.
type shop struct {
	t require.TestingT
	stock.State
	now    time.Time
	events []event.Event
}

func newShop(t require.TestingT) *shop {
	s := &shop{t: t, now: noon}
	events, err := s.Create(catalog.Catalogue{Name: " Chandlery ", Currency: "EUR"})
	s.takes(events, err)
	return s
}

func (s *shop) takes(events []event.Event, err error) {
	require.NoError(s.t, err)
	for _, e := range events {
		s.Apply(event.Envelope{Seq: s.Seq + 1, Time: s.now, Body: e})
		s.events = append(s.events, e)
	}
}

func (s *shop) puts(which stock.Which, by string, items ...catalog.Item) catalog.Changes {
	events, changes, err := s.Stock(items, which, by)
	s.takes(events, err)
	return changes
}

func item(sku string, more ...string) catalog.Item {
	fields := map[string]any{"sku": sku, "title": "Thing " + sku, "product_url": "https://s.example/" + sku}
	for i := 0; i+1 < len(more); i += 2 {
		fields[more[i]] = more[i+1]
	}
	return catalog.FromObject(fields)
}

func token(s string) []byte { return stock.TokenHash(s) }

func TestTheLifeOfACatalogue(t *testing.T) {
	s := newShop(t)
	require.Equal(t, "Chandlery", s.About.Name)
	_, err := s.Create(catalog.Catalogue{Name: "Again"})
	require.ErrorIs(t, err, fault.Conflict)
	s.takes(s.Change(catalog.Catalogue{Name: "Harbour shop", Currency: "EUR"}))
	require.Equal(t, "Harbour shop", s.About.Name)
	again, err := s.Change(s.About)
	require.NoError(t, err)
	require.Empty(t, again, "what changes nothing is no event")
	_, err = s.Change(catalog.Catalogue{Name: "", Currency: "Euro"})
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "currency")

	s.takes(s.Connect("a", 1))
	s.takes(s.Connect("b", 2))
	_, err = s.Connect("c", 0)
	require.ErrorContains(t, err, "save the agent once")
	s.takes(s.Disconnect("a"))
	require.False(t, s.Connected("a"))
	require.True(t, s.Connected("b"))

	s.takes(s.Invite("i", token("t"), noon))
	s.takes(s.Remove())
	require.True(t, s.Removed)
	require.False(t, s.Connected("b"))
	require.Contains(t, s.events, event.Event(event.CatalogDisconnected{Agent: "b"}), "those who follow agents hear of it")
	for name, do := range map[string]func() error{
		"stock":  func() error { _, _, err := s.Stock([]catalog.Item{item("A")}, stock.Any, ""); return err },
		"invite": func() error { _, err := s.Invite("j", token("u"), noon); return err },
		"remove": func() error { _, err := s.Remove(); return err },
	} {
		require.ErrorIs(t, do(), fault.NotFound, name)
	}
	_, err = s.Editor(token("t"), noon)
	require.ErrorIs(t, err, fault.Denied)
}

func TestProductsAreAddedChangedAndRemoved(t *testing.T) {
	s := newShop(t)
	s.puts(stock.New, "", item("L-1", "price", "89,50 EUR", "tags", "new; blue"))
	_, _, err := s.Stock([]catalog.Item{item("L-1")}, stock.New, "")
	require.ErrorIs(t, err, fault.Conflict)
	_, _, err = s.Stock([]catalog.Item{item("L-2")}, stock.Old, "")
	require.ErrorIs(t, err, fault.NotFound)

	s.puts(stock.Old, "inv", catalog.FromObject(map[string]any{"sku": "L-1", "price": "75"}))
	p, ok := s.Products.Get("L-1")
	require.True(t, ok)
	require.Equal(t, "75", p.Price.String())
	require.Equal(t, []string{"new", "blue"}, p.Tags, "what was not given stays")
	require.Equal(t, "inv", s.By)

	_, _, err = s.Stock([]catalog.Item{catalog.FromObject(map[string]any{"sku": "L-1", "price": "much", "product_url": "javascript:x"})}, stock.Old, "")
	refused, ok := errors.AsType[*stock.Refused](err)
	require.True(t, ok, "%v", err)
	require.ErrorIs(t, err, fault.Invalid)
	require.Len(t, refused.Faults, 2, "every fault is told at once")

	_, err = s.Drop([]string{"L-1", "L-9"}, "")
	require.ErrorIs(t, err, fault.NotFound)
	require.Equal(t, 1, s.Products.Len(), "all or nothing")
	s.takes(s.Drop([]string{"L-1"}, ""))
	require.Zero(t, s.Products.Len())
}

func TestAnImportWritesWhatIsGoodAndTellsTheRest(t *testing.T) {
	s := newShop(t)
	s.puts(stock.New, "", item("A"), item("B"))
	changes := s.puts(stock.Any, "", item("A", "title", "Better"), item("B"), item("C"), item("D", "price", "dear"))
	require.Equal(t, []string{"title"}, changes.Changed[0].Fields)
	require.Equal(t, []string{"B"}, changes.Unchanged)
	require.Equal(t, "price", changes.Failed[0].Field)
	require.Equal(t, 3, s.Products.Len())
	put := s.events[len(s.events)-1].(event.ProductsPut)
	require.Len(t, put.Products, 2, "what stays as it is is not written again")
}

func TestAnInvitationLetsInUntilItExpiresOrIsReset(t *testing.T) {
	s := newShop(t)
	s.takes(s.Invite("one", token("first"), s.now))
	i, err := s.Editor(token("first"), s.now.Add(stock.Life-time.Second))
	require.NoError(t, err)
	require.Equal(t, "one", i.ID)
	_, err = s.Editor(token("first"), s.now.Add(stock.Life))
	require.ErrorIs(t, err, fault.Denied, "after seven days")
	require.Equal(t, 7*24*time.Hour, stock.Life)
	_, err = s.Editor(token("second"), s.now)
	require.ErrorIs(t, err, fault.Denied)
	_, err = s.Editor(nil, s.now)
	require.ErrorIs(t, err, fault.Denied)

	s.takes(s.Invite("two", token("second"), s.now))
	s.takes(s.Reset())
	for _, text := range []string{"first", "second"} {
		_, err = s.Editor(token(text), s.now)
		require.ErrorIs(t, err, fault.Denied, "a reset voids all links")
	}
	nothing, err := s.Reset()
	require.NoError(t, err)
	require.Empty(t, nothing)
	s.takes(s.Invite("three", token("third"), s.now))
	_, err = s.Editor(token("third"), s.now)
	require.NoError(t, err, "a link that was made later opens")
}

func TestInvitationsAreBounded(t *testing.T) {
	s := newShop(t)
	for i := range stock.MaxInvitations {
		s.takes(s.Invite(fmt.Sprint(i), token(fmt.Sprint(i)), s.now))
	}
	_, err := s.Invite("more", token("more"), s.now)
	require.ErrorIs(t, err, fault.Exhausted)
	s.now = s.now.Add(stock.Life)
	s.takes(s.Invite("more", token("more"), s.now))
	require.Len(t, s.Invitations, 1, "those that expired are forgotten")
}

func TestALargeImportIsSeveralEvents(t *testing.T) {
	s := newShop(t)
	var items []catalog.Item
	for i := range 2500 {
		items = append(items, item(fmt.Sprintf("S-%04d", i)))
	}
	s.puts(stock.Any, "", items...)
	require.Len(t, s.events, 1+3)
	require.Equal(t, 2500, s.Products.Len())
	again := s.puts(stock.Any, "", items...)
	require.Len(t, again.Unchanged, 2500, "the same file once more changes nothing")
}

// Whatever was decided, the events alone lead to the same catalogue, and a copy
// from before stays as it was.
func TestACatalogueIsWhatItsEventsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newShop(t)
		model := map[string]string{}
		sku := rapid.SampledFrom([]string{"A", "B", "C", "D", "E"})
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			before, count := s.State, maps.Clone(model)
			switch one, title := sku.Draw(t, "sku"), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "title"); rapid.IntRange(0, 4).Draw(t, "do") {
			case 0:
				s.puts(stock.Any, "", item(one, "title", title))
				model[one] = title
			case 1:
				if events, err := s.Drop([]string{one}, ""); err == nil {
					s.takes(events, nil)
					delete(model, one)
				}
			case 2:
				s.takes(s.Connect(one, 1))
			case 3:
				s.takes(s.Disconnect(one))
			case 4:
				s.takes(s.Reset())
			}
			require.Equal(t, len(count), before.Products.Len())
			for k, v := range count {
				p, ok := before.Products.Get(k)
				require.True(t, ok && p.Title == v, "a copy shares nothing that changes")
			}
		}
		var again stock.State
		for _, e := range s.events {
			again.Apply(event.Envelope{Seq: again.Seq + 1, Time: noon, Body: e})
		}
		require.Equal(t, s.State, again)
		require.Equal(t, len(model), s.Products.Len())
		var skus []string
		for p := range s.Products.All() {
			skus = append(skus, p.SKU)
			require.Equal(t, model[p.SKU], p.Title)
		}
		require.True(t, slices.IsSorted(skus))
	})
}

func TestProductsAreFoundByWhatPeopleType(t *testing.T) {
	s := newShop(t)
	s.puts(stock.Any, "", item("K-1", "title", "Steel kettle"), item("K-2", "title", "Glass Kettle"), item("M-1", "title", "Mug", "tags", "kettlelike"), item("T-1", "brand", "Oak"))
	some, all := s.Products.Find(" KETTLE ", 1, 1)
	require.Equal(t, 3, all)
	require.Equal(t, "K-2", some[0].SKU)
	_, all = s.Products.Find("", 0, 10)
	require.Equal(t, 4, all)
	some, all = s.Products.Find("oak", 5, 10)
	require.Equal(t, 1, all)
	require.Empty(t, some)
}

// What an event says is what is kept, whatever stands in it.
func FuzzApply(f *testing.F) {
	f.Add("A", "t", int64(5), true, "k", "v")
	f.Fuzz(func(t *testing.T, sku, title string, price int64, priced bool, key, value string) {
		var s stock.State
		p := event.Product{SKU: sku, Title: title, Price: price, Priced: priced, Attributes: []event.Pair{{Key: key, Value: value}}}
		s.Apply(event.Envelope{Seq: 1, Body: event.ProductsPut{Products: []event.Product{p, p}}})
		require.Equal(t, 1, s.Products.Len())
		got, ok := s.Products.Get(sku)
		require.True(t, ok)
		require.Equal(t, title, got.Title)
		s.Apply(event.Envelope{Seq: 2, Body: event.ProductsRemoved{SKUs: []string{sku, sku}}})
		require.Zero(t, s.Products.Len())
	})
}

func BenchmarkEditOfALargeCatalogue(b *testing.B) {
	s := newShop(b)
	var items []catalog.Item
	for i := range catalog.MaxProducts {
		items = append(items, item(fmt.Sprintf("S-%05d", i), "description", "A thing of some use, made of oak and steel."))
	}
	s.puts(stock.Any, "", items...)
	s.events = nil
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		s.puts(stock.Old, "", catalog.FromObject(map[string]any{"sku": "S-00042", "price": fmt.Sprint(n)}))
	}
}
