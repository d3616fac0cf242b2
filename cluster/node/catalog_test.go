package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/catalog"
	"flametree/engine/event"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
	"flametree/persist/readmodel"
)

// market is a merchant behind a journal that a test writes.
type market struct {
	*merchant
	t      *testing.T
	j      *journaltest.Memory
	epochs map[event.Stream]*journal.Head
	mu     sync.Mutex
	anew   []seller // whose casts were forgotten
}

func newMarket(t *testing.T) *market {
	t.Helper()
	m := &market{t: t, j: journaltest.NewMemory(), epochs: map[event.Stream]*journal.Head{}}
	n := &Node{model: readmodel.New(), log: slog.New(slog.DiscardHandler)}
	m.merchant = newMerchant(n, sync.OnceValue(lexis.New))
	m.forget = func(t tenant.ID, a string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.anew = append(m.anew, seller{t, a})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = n.model.Run(m.j.Subscribe(ctx, 1)) })
	done.Go(func() { m.follow(ctx, m.j, 1) })
	done.Go(m.build)
	t.Cleanup(func() { cancel(); done.Wait() })
	return m
}

// tell writes events of a catalogue; afterwards agents sell what came of it.
func (m *market) tell(t tenant.ID, id string, events ...event.Event) {
	m.t.Helper()
	at := m.write(t, id, events...)
	require.NoError(m.t, m.model.Wait(m.t.Context(), at))
	require.NoError(m.t, m.settled(m.t.Context(), at))
}

func (m *market) write(t tenant.ID, id string, events ...event.Event) journal.Position {
	m.t.Helper()
	s := event.Stream{Tenant: t, Kind: event.CatalogStream, ID: id}
	head := m.epochs[s]
	if head == nil {
		h, err := m.j.Claim(m.t.Context(), s)
		require.NoError(m.t, err)
		head = &h
		m.epochs[s] = head
	}
	written, err := m.j.Append(m.t.Context(), journal.Batch{Stream: s, Expected: head.Version, Epoch: head.Epoch, At: time.Now(), Events: events})
	require.NoError(m.t, err)
	head.Version += uint64(len(written))
	return written[len(written)-1].Position
}

func kettles(skus ...string) event.ProductsPut {
	var out event.ProductsPut
	for _, sku := range skus {
		out.Products = append(out.Products, event.Product{
			SKU: sku, Title: "Kettle " + sku, Availability: "in_stock", Priced: true, Price: 50_000, ProductURL: "https://shop.example/" + sku, Active: true,
		})
	}
	return out
}

func (m *market) sells(t tenant.ID, agentID string, catalogs ...agent.Catalog) func() string {
	m.t.Helper()
	g, err := m.goodsOf(m.t.Context(), seller{t, agentID}, &agent.Spec{Catalogs: catalogs}, nil)
	require.NoError(m.t, err)
	require.NotNil(m.t, g)
	return func() string { return found5(m.t, g) }
}

func found5(t *testing.T, g actors.Goods) string {
	t.Helper()
	text, err := g.Ask("SearchProducts", json.RawMessage(`{"query":"kettle"}`))
	require.NoError(t, err)
	return text
}

var byName = agent.Catalog{Name: "Goods"}

func TestTenantsSellTheirOwnGoodsOnly(t *testing.T) {
	m := newMarket(t)
	one, two := tenant.ID{1}, tenant.ID{2}
	// The same name, the same agent id, the same SKU: only the tenant differs.
	m.tell(one, "c1", event.CatalogCreated{Name: "Goods", Currency: "EUR"}, kettles("A"), event.CatalogConnected{Agent: "a"})
	m.tell(two, "c2", event.CatalogCreated{Name: "Goods", Currency: "USD"}, kettles("A", "B"), event.CatalogConnected{Agent: "a"})
	first, second := m.sells(one, "a", byName), m.sells(two, "a", byName)
	require.Contains(t, first(), "5 EUR")
	require.NotContains(t, first(), "sku: B")
	require.Contains(t, second(), "5 USD")
	m.tell(one, "c1", event.ProductsRemoved{SKUs: []string{"A"}})
	require.Contains(t, first(), "No product fits")
	require.Contains(t, second(), "sku: A")
	require.Contains(t, m.sells(one, "b", byName)(), "No product fits", "an agent that is not connected")
}

func TestGoodsChangeUnderARunningConversation(t *testing.T) {
	m := newMarket(t)
	one := tenant.ID{1}
	m.tell(one, "c", event.CatalogCreated{Name: "Goods"})
	ask := m.sells(one, "a", byName)
	require.Contains(t, ask(), "No product fits")
	m.tell(one, "c", kettles("A"), event.CatalogConnected{Agent: "a"})
	require.Contains(t, ask(), "sku: A")
	m.tell(one, "d", event.CatalogCreated{Name: "More"}, kettles("A", "B"), event.CatalogConnected{Agent: "a"})
	require.Contains(t, ask(), "sku: B")
	m.tell(one, "c", event.CatalogDisconnected{Agent: "a"}, event.CatalogRemoved{})
	require.Contains(t, ask(), "sku: A", "the other catalogue has it, too")
	m.tell(one, "d", event.CatalogChanged{Name: "More", Currency: "EUR"})
	require.Contains(t, ask(), "5 EUR")
	m.tell(one, "d", event.CatalogDisconnected{Agent: "a"})
	require.Contains(t, ask(), "No product fits")
	require.Contains(t, m.anew, seller{one, "a"}, "new conversations are offered the tools, or not")
	m.merchant.mu.Lock()
	defer m.merchant.mu.Unlock()
	require.Empty(t, m.stocked, "what nobody sells is forgotten")
}

func TestAnAgentThatSellsNothingHasNoGoods(t *testing.T) {
	m := newMarket(t)
	g, err := m.goodsOf(t.Context(), seller{tenant.ID{1}, "a"}, &agent.Spec{}, nil)
	require.NoError(t, err)
	require.Nil(t, g)
	rev := &agent.Revision{Spec: &agent.Spec{}}
	require.Empty(t, m.selling(rev, seller{tenant.ID{1}, "a"}).Spec.Catalogs)
	m.tell(tenant.ID{1}, "c", event.CatalogCreated{Name: "Goods"}, event.CatalogConnected{Agent: "a"})
	require.Len(t, m.selling(rev, seller{tenant.ID{1}, "a"}).Spec.Catalogs, 1)
	require.Empty(t, rev.Spec.Catalogs, "the revision itself stays as it was saved")
	require.Empty(t, m.selling(rev, seller{tenant.ID{2}, "a"}).Spec.Catalogs)
}

// TestManyChangesAreFewIndexes writes a thousand changes while an index is
// being made: those that wait are taken together.
func TestManyChangesAreFewIndexes(t *testing.T) {
	m := newMarket(t)
	one := tenant.ID{1}
	m.tell(one, "c", event.CatalogCreated{Name: "Goods"}, event.CatalogConnected{Agent: "a"})
	m.mu.Lock()
	m.anew = nil
	m.mu.Unlock()
	held, free := make(chan struct{}, 1), make(chan struct{})
	count := m.forget
	m.forget = func(t tenant.ID, a string) {
		count(t, a)
		select {
		case held <- struct{}{}:
		default:
		}
		<-free
	}
	m.write(one, "c", kettles("S0"))
	<-held // the builder is at work
	for i := range 1000 {
		m.write(one, "c", kettles(fmt.Sprintf("S%d", i)))
	}
	last := m.write(one, "c", kettles("LAST"))
	require.NoError(t, m.model.Wait(t.Context(), last))
	close(free)
	require.NoError(t, m.settled(t.Context(), last))
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Less(t, len(m.anew), 500, "indexes for a thousand changes")
	t.Logf("figure: %d indexes for 1001 changes", len(m.anew))
}

// Figures: a large catalogue, and in long tests one as large as it may be.
func TestALargeCatalogueIsSoldAndEdited(t *testing.T) {
	count := 5000
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		count = catalog.MaxProducts
	}
	m := newMarket(t)
	one := tenant.ID{1}
	m.tell(one, "c", event.CatalogCreated{Name: "Goods", Currency: "EUR"}, event.CatalogConnected{Agent: "a"})
	ask := m.sells(one, "a", byName)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := time.Now()
	var last journal.Position
	for at := 0; at < count; at += 1000 {
		var b event.ProductsPut
		for i := range 1000 {
			p := kettles(fmt.Sprintf("S-%05d", at+i)).Products[0]
			p.Description = fmt.Sprintf("A kettle of steel number %d that boils a litre of water in three minutes and shuts off by itself.", at+i)
			p.Category, p.Brand = fmt.Sprintf("Kitchen > Kettles %d", i%50), fmt.Sprintf("Brand%d", i%200)
			b.Products = append(b.Products, p)
		}
		last = m.write(one, "c", b)
	}
	require.NoError(t, m.model.Wait(t.Context(), last))
	require.NoError(t, m.settled(t.Context(), last))
	took := time.Since(begun)
	require.Contains(t, ask(), "sku: ")
	runtime.GC()
	runtime.ReadMemStats(&after)
	begun = time.Now()
	m.tell(one, "c", kettles("S-00042"))
	t.Logf("figure: %d products: sold %.1f s after they came, %d MB in memory, an edit is sold %.0f ms later",
		count, took.Seconds(), (after.HeapAlloc-before.HeapAlloc)>>20, float64(time.Since(begun).Microseconds())/1000)
}
