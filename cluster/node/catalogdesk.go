package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/readmodel"
)

// CatalogCard is a catalogue of the tenant as people are shown it.
type CatalogCard struct {
	ID string `json:"id"`
	catalog.Catalogue
	Products    int              `json:"products"`
	Agents      []string         `json:"agents"` // names of those that sell it
	Invitations []InvitationCard `json:"invitations"`
	Changed     time.Time        `json:"changed"`
	By          string           `json:"by,omitempty"` // invitation by which the products were changed last
	Notes       []string         `json:"notes,omitempty"`
}

// InvitationCard is an open link to a catalogue.
type InvitationCard struct {
	ID      string    `json:"id"`
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
}

// Invited is a link that is shown once.
type Invited struct {
	Catalog CatalogCard `json:"catalog"`
	Link    string      `json:"link"`
	Expires time.Time   `json:"expires"`
	Notes   []string    `json:"notes,omitempty"`
}

// CatalogCreate makes a catalogue. Agents whose files name it sell it at once.
func (n *Node) CatalogCreate(ctx context.Context, about catalog.Catalogue) (CatalogCard, error) {
	t, err := n.tenant(ctx)
	if err != nil {
		return CatalogCard{}, err
	}
	n.library.adopting.Lock() // an agent that is being saved sees it before or after, and whole
	defer n.library.adopting.Unlock()
	if err := n.caughtUp(ctx); err != nil {
		return CatalogCard{}, err
	}
	v, err := n.toCatalog(ctx, t, n.newID(time.Now()).String(), &actors.CreateCatalog{
		About: about, Connect: n.awaiting(ctx, t, about.Name),
	})
	if err != nil {
		return CatalogCard{}, err
	}
	return n.catalogCard(v), n.goodsSettled(ctx)
}

// awaiting are the agents whose files name a catalogue that was not there until now.
func (n *Node) awaiting(ctx context.Context, t tenant.ID, name string) []actors.Connection {
	var out []actors.Connection
	for _, a := range n.model.Agents() {
		if a.Tenant != t {
			continue
		}
		state, err := n.casting.read(ctx, t, a.ID)
		if err != nil {
			continue
		}
		saved, _ := state.Revision(state.Live)
		if spec, _, err := agent.Parse([]byte(saved.File)); err == nil && names(spec, name) {
			out = append(out, actors.Connection{Agent: a.ID, Revision: state.Live})
		}
	}
	return out
}

// names reports whether a file names a catalogue of the tenant.
func names(spec *agent.Spec, name string) bool {
	return slices.ContainsFunc(spec.Catalogs, func(c agent.Catalog) bool { return c.Path == "" && stock.Key(c.Name) == stock.Key(name) })
}

// lendCatalogs connects an agent to the catalogues that its file names, and takes
// those away that only the revision before named.
func (n *Node) lendCatalogs(ctx context.Context, t tenant.ID, id string, s *agent.State) (notes []string, err error) {
	saved, ok := s.Revision(s.Live)
	if !ok {
		return nil, nil
	}
	spec, _, err := agent.Parse([]byte(saved.File))
	if err != nil {
		return nil, err
	}
	var before agent.Spec
	if was, ok := s.Revision(s.Live - 1); ok && s.Live > 1 {
		if old, _, err := agent.Parse([]byte(was.File)); err == nil {
			before = *old
		}
	}
	if len(spec.Catalogs)+len(before.Catalogs) == 0 {
		return nil, nil
	}
	n.library.adopting.Lock()
	defer n.library.adopting.Unlock()
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	for _, c := range slices.Concat(spec.Catalogs, before.Catalogs) {
		if c.Path != "" {
			continue
		}
		var msg any = &actors.ConnectCatalog{Agent: id, Revision: s.Live}
		named := names(spec, c.Name)
		if !named {
			msg = &actors.DisconnectCatalog{Agent: id}
		}
		one, err := n.catalogOf(t, c.Name)
		if err != nil {
			if named {
				notes = append(notes, plainly(err)+": the agent sells nothing of it until it is made (flametree catalog create)")
			}
			continue
		}
		if _, err := n.toCatalog(ctx, t, one.ID, msg); err != nil {
			return notes, err
		}
	}
	return notes, n.goodsSettled(ctx)
}

// goodsSettled waits until what is in the journal now is what agents sell.
func (n *Node) goodsSettled(ctx context.Context) error {
	at := n.journal.Position()
	if err := n.model.Wait(ctx, at); err != nil {
		return err
	}
	return n.merchant.settled(ctx, at)
}

// catalogOf finds a catalogue of a tenant by id or name.
func (n *Node) catalogOf(t tenant.ID, name string) (readmodel.Catalog, error) {
	all := n.model.Catalogs(func(c readmodel.Catalog) bool {
		return c.Tenant == t && (c.ID == name || stock.Key(c.About.Name) == stock.Key(name))
	})
	if len(all) == 0 {
		return readmodel.Catalog{}, fmt.Errorf("there is no catalogue %q: %w", name, fault.NotFound)
	}
	return all[0], nil // names are unique in a tenant
}

// findCatalog finds a catalogue for a command.
func (n *Node) findCatalog(ctx context.Context, name string) (readmodel.Catalog, error) {
	t, err := n.tenant(ctx)
	if err != nil {
		return readmodel.Catalog{}, err
	}
	if err := n.caughtUp(ctx); err != nil {
		return readmodel.Catalog{}, err
	}
	c, err := n.catalogOf(t, name)
	if err != nil {
		return c, fmt.Errorf("there is no catalogue %q (see flametree catalog list): %w", name, fault.NotFound)
	}
	return c, nil
}

// toCatalog asks a catalogue.
func (n *Node) toCatalog(ctx context.Context, t tenant.ID, id string, msg any) (*actors.CatalogView, error) {
	return ask[*actors.CatalogView](ctx, n.dir, actors.ID{Kind: event.CatalogStream, Tenant: t, Name: id}, msg)
}

// CatalogDo sends a catalogue a message. When it returns, agents sell what came
// of it.
func (n *Node) CatalogDo(ctx context.Context, name string, msg any) (CatalogCard, error) {
	c, err := n.findCatalog(ctx, name)
	if err != nil {
		return CatalogCard{}, err
	}
	v, err := n.toCatalog(ctx, c.Tenant, c.ID, msg)
	if err != nil {
		return CatalogCard{}, err
	}
	return n.catalogCard(v), n.goodsSettled(ctx)
}

// CatalogList shows all catalogues of the tenant, oldest first.
func (n *Node) CatalogList(ctx context.Context) ([]CatalogCard, error) {
	t, err := n.tenant(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	out := []CatalogCard{}
	for _, c := range n.model.Catalogs(func(c readmodel.Catalog) bool { return c.Tenant == t }) {
		v, err := n.toCatalog(ctx, t, c.ID, &actors.LookCatalog{})
		if fault.KindOf(err) == fault.NotFound { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, n.catalogCard(v))
	}
	return out, nil
}

// ProductPage is a part of a catalogue's products.
type ProductPage struct {
	Products []catalog.Product `json:"products"`
	All      int               `json:"all"` // that hold the text
}

// CatalogProducts shows products that hold a text, limit of them behind the first skip.
func (n *Node) CatalogProducts(ctx context.Context, name, text string, skip, limit int) (ProductPage, error) {
	c, err := n.findCatalog(ctx, name)
	if err != nil {
		return ProductPage{}, err
	}
	return pageOf(c, text, skip, limit), nil
}

func pageOf(c readmodel.Catalog, text string, skip, limit int) ProductPage {
	some, all := c.Products.Find(text, skip, limit)
	if some == nil {
		some = []catalog.Product{}
	}
	return ProductPage{Products: some, All: all}
}

// maxReport is how many lines of each list of an import are shown.
const maxReport = 50

// CatalogImport writes the rows of a file (CSV, XLSX, JSON). A dry one says what
// it would do and changes nothing.
func (n *Node) CatalogImport(ctx context.Context, name, file string, raw []byte, dry bool) (catalog.Report, error) {
	c, err := n.findCatalog(ctx, name)
	if err != nil {
		return catalog.Report{}, err
	}
	return n.importInto(ctx, c, file, raw, &actors.StockCatalog{Dry: dry})
}

func (n *Node) importInto(ctx context.Context, c readmodel.Catalog, file string, raw []byte, msg *actors.StockCatalog) (catalog.Report, error) {
	items, warnings, err := n.library.items(ctx, raw, file)
	if err != nil {
		return catalog.Report{}, err
	}
	msg.Items = items
	v, err := n.toCatalog(ctx, c.Tenant, c.ID, msg)
	if err != nil {
		return catalog.Report{}, err
	}
	out := v.Changes.Report(maxReport)
	out.Dry, out.Warnings = msg.Dry, append(out.Warnings, warnings...)
	return out, n.goodsSettled(ctx)
}

// CatalogExport writes a catalogue as csv or json, which import reads back.
func (n *Node) CatalogExport(ctx context.Context, name, format string, w io.Writer) error {
	c, err := n.findCatalog(ctx, name)
	if err != nil {
		return err
	}
	return export(c, format, w)
}

func export(c readmodel.Catalog, format string, w io.Writer) error {
	switch format {
	case "csv", "":
		return catalog.WriteCSV(w, c.Products.All())
	case "json":
		return catalog.WriteJSON(w, c.About, c.Products.All())
	}
	return fmt.Errorf("a catalogue is written as csv or json, not %q: %w", format, fault.Invalid)
}

// CatalogConnect lets an agent sell a catalogue, or takes it away from it.
func (n *Node) CatalogConnect(ctx context.Context, name, agentName string, off bool) (CatalogCard, error) {
	a, s, err := n.agentState(ctx, agentName)
	if err != nil {
		return CatalogCard{}, err
	}
	if off {
		return n.CatalogDo(ctx, name, &actors.DisconnectCatalog{Agent: a.ID})
	}
	card, err := n.CatalogDo(ctx, name, &actors.ConnectCatalog{Agent: a.ID, Revision: s.Latest()})
	if err == nil {
		card.Notes = n.twice(card.ID, seller{a.Tenant, a.ID})
	}
	return card, err
}

// twice tells which products an agent sells from another catalogue already.
func (n *Node) twice(id string, a seller) []string {
	c, _ := n.model.Catalog(id)
	var out []string
	for _, other := range n.merchant.connected(a) {
		if other.ID == id {
			continue
		}
		for p := range c.Products.All() {
			if _, there := other.Products.Get(p.SKU); there {
				out = append(out, fmt.Sprintf("the sku %q stands in the catalogue %q, too: the agent sells that of the older catalogue", p.SKU, other.About.Name))
				break
			}
		}
	}
	return out
}

// CatalogInvite opens a link by which somebody from outside may edit the
// products of a catalogue. Only its hash is kept: the link is shown once.
func (n *Node) CatalogInvite(ctx context.Context, name string) (Invited, error) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails, crypto/rand says
	token := base64.RawURLEncoding.EncodeToString(secret[:])
	now := time.Now()
	card, err := n.CatalogDo(ctx, name, &actors.InviteEditor{Invitation: n.newID(now).String(), Hash: stock.TokenHash(token)})
	if err != nil {
		return Invited{}, err
	}
	out := Invited{Catalog: card, Expires: now.Add(stock.Life)}
	out.Link, out.Notes = n.link(token)
	return out, nil
}

// link is the address of the page for outside editors. The token stands behind
// the #: browsers send that part to no server, so no log and no proxy sees it.
func (n *Node) link(token string) (string, []string) {
	const page = "/invite/catalog#"
	if n.cfg.PublicURL != "" {
		return strings.TrimSuffix(n.cfg.PublicURL, "/") + page + token, nil
	}
	notes := []string{"the link leads to this machine; set public_url to the address that others reach it by"}
	at, err := netip.ParseAddrPort(n.httpAddr)
	if err == nil && at.Addr().IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d%s%s", at.Port(), page, token), notes
	}
	return "http://" + n.httpAddr + page + token, notes
}

func (n *Node) catalogCard(v *actors.CatalogView) CatalogCard {
	c := CatalogCard{
		ID: v.ID, Catalogue: v.About, Products: v.Products, Agents: []string{}, Invitations: []InvitationCard{}, Changed: v.Changed, By: v.By,
	}
	for _, a := range v.Agents {
		c.Agents = append(c.Agents, n.agentName(a))
	}
	for _, i := range v.Open {
		c.Invitations = append(c.Invitations, InvitationCard(i))
	}
	return c
}
