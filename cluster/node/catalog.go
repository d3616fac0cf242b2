package node

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/catalog"
	"flametree/engine/event"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/readmodel"
)

// merchant keeps what agents sell: for each agent the products that its file
// names by path and those of the catalogues it is connected to, changed in
// running conversations without a restart.
type merchant struct {
	model   *readmodel.Model
	library *librarian // reads what is kept with revisions
	lexicon func() *lexis.Lexicon
	forget  func(t tenant.ID, agentID string) // whether an agent sells anything at all has changed
	log     *slog.Logger

	mu      sync.Mutex
	stalls  map[stallKey]*stall
	stocked map[string]stocked // by catalogue

	// What follows the journal marks what has changed, and what builds takes all
	// that is marked at once: a thousand changes are not a thousand indexes.
	moved    *sync.Cond // of all below
	changed  map[seller]bool
	building bool
	ended    bool
	seen, at journal.Position
}

// seller is an agent of a tenant.
type seller struct {
	tenant tenant.ID
	agent  string
}

// stallKey names what an agent sells: revisions with the same own catalogues
// share it.
type stallKey struct {
	seller
	own [sha256.Size]byte
}

// stall is what an agent sells, as it is at the moment.
type stall struct {
	key stallKey
	own []*goods
	now atomic.Pointer[goods]

	mu sync.Mutex // one change at a time
}

var _ actors.Goods = (*stall)(nil)

// Ask implements actors.Goods.
func (s *stall) Ask(name string, args json.RawMessage) (string, error) {
	return s.now.Load().Ask(name, args)
}

// stocked is a catalogue as it was indexed.
type stocked struct {
	seq   uint64
	goods *goods
}

func newMerchant(n *Node, lexicon func() *lexis.Lexicon) *merchant {
	m := &merchant{
		model: n.model, library: n.library, lexicon: lexicon, log: n.log, stalls: make(map[stallKey]*stall),
		stocked: make(map[string]stocked), changed: make(map[seller]bool),
	}
	m.moved = sync.NewCond(&m.mu)
	return m
}

// follow marks what changes, until the events end.
func (m *merchant) follow(ctx context.Context, j journal.Journal, from journal.Position) {
	for e, err := range j.Subscribe(ctx, from) {
		if err != nil {
			if ctx.Err() == nil {
				m.log.Error("the catalogues are followed no more", "err", err)
			}
			break
		}
		var touched []seller
		if e.Stream.Kind == event.CatalogStream {
			if m.model.Wait(ctx, e.Position) != nil {
				break
			}
			touched = m.touched(e)
		}
		m.mu.Lock()
		for _, a := range touched {
			m.changed[a] = true
		}
		m.seen = e.Position
		if len(m.changed) == 0 && !m.building {
			m.at = m.seen
		}
		m.mu.Unlock()
		m.moved.Broadcast()
	}
	m.mu.Lock()
	m.ended = true
	m.mu.Unlock()
	m.moved.Broadcast()
}

// touched are the agents whose goods an event may change.
func (m *merchant) touched(e event.Envelope) []seller {
	var agents []string
	switch b := e.Body.(type) {
	case event.CatalogChanged, event.ProductsPut, event.ProductsRemoved:
		c, _ := m.model.Catalog(e.Stream.ID)
		agents = c.Agents
	case event.CatalogConnected:
		agents = []string{b.Agent}
	case event.CatalogDisconnected:
		agents = []string{b.Agent}
	default:
	}
	out := make([]seller, len(agents))
	for i, a := range agents {
		out[i] = seller{e.Stream.Tenant, a}
	}
	return out
}

// build refreshes what was marked, until nothing follows any more.
func (m *merchant) build() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		for len(m.changed) == 0 && !m.ended {
			m.moved.Wait()
		}
		if m.ended {
			return
		}
		todo, upto := m.changed, m.seen
		m.changed, m.building = make(map[seller]bool), true
		m.mu.Unlock()
		for a := range todo {
			m.refresh(a)
		}
		m.prune()
		m.mu.Lock()
		m.building, m.at = false, upto
		if len(m.changed) == 0 {
			m.at = m.seen
		}
		m.moved.Broadcast()
	}
}

// settled returns when what agents sell is what the journal said at that
// position, or ctx ends.
func (m *merchant) settled(ctx context.Context, at journal.Position) error {
	defer context.AfterFunc(ctx, func() { m.moved.Broadcast() })()
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.at < at {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m.moved.Wait()
	}
	return nil
}

// refresh brings what an agent sells up to date, for all of its revisions.
func (m *merchant) refresh(a seller) {
	m.mu.Lock()
	var all []*stall
	for k, s := range m.stalls {
		if k.seller == a {
			all = append(all, s)
		}
	}
	m.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		s.now.Store(m.join(s))
		s.mu.Unlock()
	}
	m.forget(a.tenant, a.agent)
}

// goodsOf is what an agent's revision sells: nil for nothing. What its file
// names by path must be good; what it names by name is what it is connected to.
func (m *merchant) goodsOf(ctx context.Context, a seller, spec *agent.Spec, pins []event.Pair) (actors.Goods, error) {
	var own []*goods
	var names []event.Pair
	for _, c := range spec.Catalogs {
		if c.Path == "" {
			continue
		}
		g, err := m.library.ownGoods(ctx, c, pins)
		if err != nil {
			return nil, err
		}
		blob, _ := pin(pins, "catalog/"+catalogName(c))
		names = append(names, event.Pair{Key: c.Path, Value: blob})
		own = append(own, g)
	}
	if err := apart(own, names); err != nil {
		return nil, err
	}
	if len(spec.Catalogs) == 0 && len(m.connected(a)) == 0 {
		return nil, nil //nolint:nilnil // an agent without products has none
	}
	text, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	s := &stall{key: stallKey{a, sha256.Sum256(text)}, own: own}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.agent != "" { // else a file that is only looked at
		m.mu.Lock()
		was := m.stalls[s.key]
		if was == nil {
			m.stalls[s.key] = s // before it is filled: what changes from now on is seen
		}
		m.mu.Unlock()
		if was != nil {
			was.mu.Lock() // waits for who fills it
			defer was.mu.Unlock()
			return was, nil
		}
	}
	s.now.Store(m.join(s))
	return s, nil
}

// connected are the catalogues that an agent sells from, oldest first.
func (m *merchant) connected(a seller) []readmodel.Catalog {
	if a.agent == "" {
		return nil
	}
	return m.model.Catalogs(func(c readmodel.Catalog) bool { return c.Tenant == a.tenant && c.Connected(a.agent) })
}

// join puts together what a stall sells. Where two catalogues have a product of
// one SKU, the agent's own comes first, then the older catalogue.
func (m *merchant) join(s *stall) *goods {
	parts := append([]*goods(nil), s.own...)
	for _, c := range m.connected(s.key.seller) {
		parts = append(parts, m.indexed(c))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	all := make(map[string]catalog.Product)
	for _, g := range parts {
		for sku, p := range g.products {
			if _, there := all[sku]; !there {
				all[sku] = p
			}
		}
	}
	if was := s.now.Load(); was != nil {
		return &goods{products: all, index: was.index.Next(all)}
	}
	return &goods{products: all, index: catalog.NewIndex(m.lexicon(), all)}
}

// indexed is a catalogue with its index, made once for all agents that sell it.
func (m *merchant) indexed(c readmodel.Catalog) *goods {
	m.mu.Lock()
	was := m.stocked[c.ID]
	m.mu.Unlock()
	if was.goods != nil && was.seq == c.Seq {
		return was.goods
	}
	products := make(map[string]catalog.Product, c.Products.Len())
	for p := range c.Products.All() {
		if p.Currency == "" {
			p.Currency = c.About.Currency
		}
		products[p.SKU] = p
	}
	g := &goods{products: products}
	if was.goods != nil {
		g.index = was.goods.index.Next(products)
	} else {
		g.index = catalog.NewIndex(m.lexicon(), products)
	}
	m.mu.Lock()
	m.stocked[c.ID] = stocked{seq: c.Seq, goods: g}
	m.mu.Unlock()
	return g
}

// prune forgets the catalogues that no agent sells any more.
func (m *merchant) prune() {
	used := make(map[string]bool)
	for _, c := range m.model.Catalogs(nil) {
		used[c.ID] = len(c.Agents) > 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.stocked, func(id string, _ stocked) bool { return !used[id] })
}

// selling is a revision that offers products when its agent is connected to a
// catalogue that its file does not name.
func (m *merchant) selling(rev *agent.Revision, a seller) *agent.Revision {
	if len(rev.Spec.Catalogs) > 0 {
		return rev
	}
	all := m.connected(a)
	if len(all) == 0 {
		return rev
	}
	spec, with := *rev.Spec, *rev
	for _, c := range all {
		spec.Catalogs = append(spec.Catalogs, agent.Catalog{Name: c.About.Name})
	}
	with.Spec = &spec
	return &with
}

// startCatalogs begins to follow catalogues.
func (n *Node) startCatalogs() {
	m := n.merchant
	m.forget = n.casting.forgetGoods
	at := n.journal.Position()
	m.seen, m.at = at, at
	n.done.Go(func() { m.follow(n.life, n.journal, at+1) })
	n.done.Go(m.build)
}

// forgetGoods has the casts of an agent made anew for new sessions when it
// begins or ceases to sell anything. Running sessions keep theirs.
func (c *casting) forgetGoods(t tenant.ID, agentID string) {
	a := seller{t, agentID}
	sells := len(c.merchant.connected(a)) > 0
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.casts, func(k castKey, e *castEntry) bool {
		return k.tenant == t && k.agent == agentID && e.sells != sells
	})
}
