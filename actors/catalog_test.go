package actors_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

// counter is a shop of two tenants.
type counter struct {
	t   *testing.T
	dir *actors.Registry
	j   journal.Journal
}

func newCounter(t *testing.T, j journal.Journal) *counter {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	sys := actor.NewActorSystemWithConfig(actor.Configure(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet })))
	kinds := actors.WithCatalogs(map[event.StreamKind]actors.Maker{}, actors.Deps{Journal: j, Log: quiet})
	t.Cleanup(func() { sys.Shutdown() })
	return &counter{t: t, dir: actors.NewLocal(sys, kinds, quiet), j: j}
}

func goodsOf(t byte, name string) actors.ID {
	return actors.ID{Kind: event.CatalogStream, Tenant: tenant.ID{t}, Name: name}
}

func (c *counter) try(id actors.ID, msg any) (*actors.CatalogView, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	got, err := c.dir.Ask(ctx, id, msg)
	if err != nil {
		return nil, err
	}
	return got.(*actors.CatalogView), nil
}

func (c *counter) ask(id actors.ID, msg any) *actors.CatalogView {
	c.t.Helper()
	v, err := c.try(id, msg)
	require.NoError(c.t, err)
	return v
}

func (c *counter) create(id actors.ID, name string) {
	c.t.Helper()
	c.ask(id, &actors.CreateCatalog{About: catalog.Catalogue{Name: name}, Connect: []actors.Connection{{Agent: "a", Revision: 1}}})
}

func thing(sku string, more ...string) catalog.Item {
	fields := map[string]any{"sku": sku, "title": "Thing " + sku, "product_url": "https://s.example/" + sku}
	for i := 0; i+1 < len(more); i += 2 {
		fields[more[i]] = more[i+1]
	}
	return catalog.FromObject(fields)
}

func TestACatalogueIsThereAgainWhenItsActorIsMadeAnew(t *testing.T) {
	j := journaltest.NewMemory()
	c := newCounter(t, j)
	id := goodsOf(1, "one")
	c.create(id, "Chandlery")
	c.ask(id, &actors.StockCatalog{Items: []catalog.Item{thing("A"), thing("B")}})
	c.ask(id, &actors.DropProducts{SKUs: []string{"B"}})
	c.ask(id, &actors.InviteEditor{Invitation: "i", Hash: stock.TokenHash("t")})
	before := c.ask(id, &actors.LookCatalog{})
	require.Equal(t, 1, before.Products)
	require.Len(t, before.Open, 1)
	after := newCounter(t, j).ask(id, &actors.LookCatalog{})
	require.True(t, before.Changed.Equal(after.Changed))
	before.Changed = after.Changed
	require.Equal(t, before, after)
}

func TestADryRunChangesNothing(t *testing.T) {
	c := newCounter(t, journaltest.NewMemory())
	id := goodsOf(1, "one")
	c.create(id, "Chandlery")
	v := c.ask(id, &actors.StockCatalog{Items: []catalog.Item{thing("A"), thing("B", "price", "dear")}, Dry: true})
	require.Len(t, v.Changes.New, 1)
	require.Len(t, v.Changes.Failed, 1)
	require.Zero(t, c.ask(id, &actors.LookCatalog{}).Products)
}

func TestTheTokenOfAResetInvitationWritesNothing(t *testing.T) {
	c := newCounter(t, journaltest.NewMemory())
	id, other := goodsOf(1, "one"), goodsOf(1, "two")
	c.create(id, "Chandlery")
	c.create(other, "Library")
	hash := stock.TokenHash("t")
	c.ask(id, &actors.InviteEditor{Invitation: "i", Hash: hash})
	v := c.ask(id, &actors.StockCatalog{Items: []catalog.Item{thing("A")}, Which: stock.New, Editor: hash})
	require.Equal(t, "i", v.By, "it is kept by which invitation a product was written")
	_, err := c.try(other, &actors.StockCatalog{Items: []catalog.Item{thing("A")}, Editor: hash})
	require.ErrorIs(t, err, fault.Denied, "it opens one catalogue")
	c.ask(id, &actors.ResetInvitations{})
	for name, msg := range map[string]any{
		"stock":   &actors.StockCatalog{Items: []catalog.Item{thing("B")}, Editor: hash},
		"dry run": &actors.StockCatalog{Items: []catalog.Item{thing("B")}, Editor: hash, Dry: true},
		"drop":    &actors.DropProducts{SKUs: []string{"A"}, Editor: hash},
	} {
		_, err := c.try(id, msg)
		require.ErrorIs(t, err, fault.Denied, name)
	}
	require.Equal(t, 1, c.ask(id, &actors.LookCatalog{}).Products)
}

func TestNoTwoCataloguesOfATenantHaveOneName(t *testing.T) {
	c := newCounter(t, journaltest.NewMemory())
	one, two := goodsOf(1, "one"), goodsOf(1, "two")
	c.create(one, "Chandlery")
	_, err := c.try(two, &actors.CreateCatalog{About: catalog.Catalogue{Name: "CHANDLERY "}})
	require.ErrorIs(t, err, fault.Conflict)
	require.ErrorContains(t, err, "give another one")
	c.create(goodsOf(2, "three"), "Chandlery") // another tenant's
	c.create(two, "Library")
	name := "chandlery"
	_, err = c.try(two, &actors.ChangeCatalog{Name: &name})
	require.ErrorIs(t, err, fault.Conflict)
	require.Equal(t, "Library", c.ask(two, &actors.LookCatalog{}).About.Name)
	c.ask(one, &actors.ChangeCatalog{Name: &name}) // its own name, in other letters
	free := "Free"
	c.ask(one, &actors.ChangeCatalog{Name: &free})
	c.ask(two, &actors.ChangeCatalog{Name: &name})
	c.ask(two, &actors.RemoveCatalog{})
	c.ask(one, &actors.ChangeCatalog{Name: &name})
}

func TestARemovedCatalogueIsGone(t *testing.T) {
	c := newCounter(t, journaltest.NewMemory())
	id := goodsOf(1, "one")
	_, err := c.try(id, &actors.LookCatalog{})
	require.ErrorIs(t, err, fault.NotFound)
	c.create(id, "Chandlery")
	c.ask(id, &actors.RemoveCatalog{})
	_, err = c.try(id, &actors.LookCatalog{})
	require.ErrorIs(t, err, fault.NotFound)
	_, err = c.try(goodsOf(1, "x"), &actors.Write{Text: "hello"})
	require.ErrorIs(t, err, fault.Bug, "a message of others")
}

// crowded is a journal that is full after some batches, as a disk may be.
type crowded struct {
	journal.Journal
	left int
}

func (c *crowded) Append(ctx context.Context, b journal.Batch) ([]event.Envelope, error) {
	if c.left--; c.left < 0 {
		return nil, fmt.Errorf("no space: %w", fault.Unavailable)
	}
	return c.Journal.Append(ctx, b)
}

func TestAnImportThatWasBrokenOffIsFinishedByTheSameFile(t *testing.T) {
	memory := journaltest.NewMemory()
	c := newCounter(t, &crowded{Journal: memory, left: 2})
	id := goodsOf(1, "one")
	c.create(id, "Chandlery")
	var items []catalog.Item
	for i := range 20 * 1000 {
		items = append(items, thing(fmt.Sprintf("S-%05d", i), "description", strings.Repeat("x", 20)))
	}
	_, err := c.try(id, &actors.StockCatalog{Items: items})
	require.ErrorIs(t, err, fault.Unavailable)
	c = newCounter(t, memory)
	require.Equal(t, 16_000, c.ask(id, &actors.LookCatalog{}).Products)
	v := c.ask(id, &actors.StockCatalog{Items: items})
	require.Equal(t, 20_000, v.Products)
	require.Len(t, v.Changes.New, 4_000, "what is there is not written again")
}
