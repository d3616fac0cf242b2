package actors

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/journal"
)

// The messages of a catalogue. Each is answered with a *CatalogView as it is
// afterwards, or with an error that changed nothing.
type (
	// CreateCatalog opens a catalogue that agents may sell at once.
	CreateCatalog struct {
		About   catalog.Catalogue
		Connect []Connection
	}
	// ChangeCatalog gives a catalogue another name, or says other things of it;
	// nil stays as it is.
	ChangeCatalog struct{ Name, Description, Currency, Language *string }
	// StockCatalog writes rows. The view tells what they change; a Dry one
	// changes nothing. Editor is the hash of an outsider's token, empty = the
	// tenant itself. Rows of more than about 16 MB are written in several steps:
	// when the process ends between them, the same rows again do the rest.
	StockCatalog struct {
		Items  []catalog.Item
		Which  stock.Which
		Dry    bool
		Editor []byte
	}
	// DropProducts takes products out. Editor is that of StockCatalog.
	DropProducts struct {
		SKUs   []string
		Editor []byte
	}
	// ConnectCatalog lets an agent sell what is in the catalogue.
	ConnectCatalog Connection
	// DisconnectCatalog takes the catalogue away from an agent.
	DisconnectCatalog struct{ Agent string }
	// InviteEditor opens a link for an outside editor.
	InviteEditor struct {
		Invitation string // id
		Hash       []byte // of its token
	}
	// ResetInvitations voids all links.
	ResetInvitations struct{}
	// RemoveCatalog takes the catalogue away from all agents and ends it.
	RemoveCatalog struct{}
	// LookCatalog asks for a catalogue as it is.
	LookCatalog struct{}
)

// CatalogView is a catalogue as the outside sees it. It shares nothing that
// changes with the actor.
type CatalogView struct {
	ID       string
	About    catalog.Catalogue
	Products int
	Agents   []string
	Open     []OpenInvitation
	Changed  time.Time
	By       string           // invitation by which the products were changed last, "" = by the tenant itself
	Changes  *catalog.Changes // what a StockCatalog came to, or would
}

// OpenInvitation is a link that lets somebody in.
type OpenInvitation struct {
	ID            string
	Made, Expires time.Time
}

// Catalog is one catalogue of a tenant.
type Catalog struct {
	Deps
	id   ID
	stay Stay

	self   *actor.PID
	state  stock.State
	epoch  uint64
	broken error
	life   context.Context
	end    context.CancelFunc
}

// NewCatalog makes the actor; its state comes from the journal when it starts.
func NewCatalog(d Deps, id ID, stay Stay) *Catalog {
	return &Catalog{Deps: d, id: id, stay: stay}
}

// Receive handles the life cycle; everything else is a message to act on.
func (c *Catalog) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.start(ctx)
	case *actor.Stopping:
		c.end()
	case *actor.Stopped:
		c.stay.Gone(c.id, ctx.Self())
	case actor.SystemMessage, actor.AutoReceiveMessage: // not ours
	case *Asked:
		m.Reply(c.handle(m.Msg, time.Now()))
	default:
		c.handle(m, time.Now())
	}
}

func (c *Catalog) start(ctx actor.Context) {
	c.life, c.end = context.WithCancel(context.Background())
	c.self = ctx.Self()
	for e, err := range c.Journal.Read(c.life, c.id.Stream(), 1) {
		if err != nil {
			_ = c.fail(fmt.Errorf("read catalogue: %w", err))
			return
		}
		c.state.Apply(e)
	}
}

func (c *Catalog) handle(m any, now time.Time) any {
	if c.broken != nil {
		return c.broken
	}
	if c.state.Removed {
		return fmt.Errorf("there is no such catalogue: %w", fault.NotFound)
	}
	events, changes, err := c.decide(m, now)
	if err == nil {
		err = c.commit(events)
	}
	if err != nil {
		return err
	}
	if c.state.Seq == 0 {
		return fmt.Errorf("catalogue %q: %w", c.id.Name, fault.NotFound)
	}
	return c.view(changes, now)
}

// decide asks the state what a message comes to.
func (c *Catalog) decide(m any, now time.Time) ([]event.Event, *catalog.Changes, error) {
	s := &c.state
	var events []event.Event
	var err error
	switch m := m.(type) {
	case *CreateCatalog:
		events, err = c.create(m)
	case *ChangeCatalog:
		events, err = s.Change(m.of(s.About))
	case *StockCatalog:
		return c.stock(m, now)
	case *DropProducts:
		var by string
		if by, err = c.editor(m.Editor, now); err == nil {
			events, err = s.Drop(m.SKUs, by)
		}
	case *ConnectCatalog:
		events, err = s.Connect(m.Agent, m.Revision)
	case *DisconnectCatalog:
		events, err = s.Disconnect(m.Agent)
	case *InviteEditor:
		events, err = s.Invite(m.Invitation, m.Hash, now)
	case *ResetInvitations:
		events, err = s.Reset()
	case *RemoveCatalog:
		events, err = s.Remove()
	case *LookCatalog, *Recover, *TimerDue: // waking is all they want
	default:
		err = fmt.Errorf("catalogue got %T: %w", m, fault.Bug)
	}
	return events, nil, err
}

// create opens the catalogue with the agents that sell it, in one step.
func (c *Catalog) create(m *CreateCatalog) ([]event.Event, error) {
	events, err := c.state.Create(m.About)
	if err != nil {
		return nil, err
	}
	next := c.state
	next.Apply(event.Envelope{Seq: 1, Body: events[0]})
	for _, a := range m.Connect {
		more, err := next.Connect(a.Agent, a.Revision)
		if err != nil {
			return nil, err
		}
		for _, e := range more {
			next.Apply(event.Envelope{Seq: next.Seq + 1, Body: e})
		}
		events = append(events, more...)
	}
	return events, nil
}

func (m *ChangeCatalog) of(about catalog.Catalogue) catalog.Catalogue {
	for to, from := range map[*string]*string{
		&about.Name: m.Name, &about.Description: m.Description, &about.Currency: m.Currency, &about.Language: m.Language,
	} {
		if from != nil {
			*to = *from
		}
	}
	return about
}

// editor is the invitation that lets somebody write, "" for the tenant itself.
// It is asked here, where links are reset: what was reset before writes nothing.
func (c *Catalog) editor(hash []byte, now time.Time) (string, error) {
	if len(hash) == 0 {
		return "", nil
	}
	i, err := c.state.Editor(hash, now)
	return i.ID, err
}

func (c *Catalog) stock(m *StockCatalog, now time.Time) ([]event.Event, *catalog.Changes, error) {
	by, err := c.editor(m.Editor, now)
	if err != nil {
		return nil, nil, err
	}
	events, changes, err := c.state.Stock(m.Items, m.Which, by)
	if err != nil {
		return nil, nil, err
	}
	if m.Dry {
		events = nil
	}
	return events, &changes, nil
}

func (c *Catalog) view(changes *catalog.Changes, now time.Time) *CatalogView {
	s := &c.state
	v := &CatalogView{
		ID: c.id.Name, About: s.About, Products: s.Products.Len(), Agents: s.Agents, Changed: s.Changed, By: s.By, Changes: changes,
	}
	for _, i := range s.Open(now) {
		v.Open = append(v.Open, OpenInvitation{ID: i.ID, Made: i.Made, Expires: i.Expires})
	}
	return v
}

// inOneStep is how many events of products are written together. Each holds
// about a megabyte at most, and a journal takes 32 in a batch.
const inOneStep = 16

func (c *Catalog) commit(events []event.Event) error {
	for len(events) > 0 {
		n := min(len(events), inOneStep)
		if _, products := events[0].(event.ProductsPut); !products {
			n = len(events)
		}
		if err := c.append(events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

func (c *Catalog) append(events []event.Event) error {
	if c.epoch == 0 {
		head, err := c.Journal.Claim(c.life, c.id.Stream())
		if err != nil {
			return c.fail(fmt.Errorf("claim catalogue: %w", err))
		}
		c.epoch = head.Epoch
	}
	take, free := c.names(events)
	written, err := c.Journal.Append(c.life, journal.Batch{
		Stream: c.id.Stream(), Expected: c.state.Seq, Epoch: c.epoch, At: time.Now(), Events: events, Claim: take, Free: free,
	})
	if taken, ok := errors.AsType[*journal.Conflict](err); ok && taken.Condition == "claim" {
		return fmt.Errorf("there is a catalogue of that name already: give another one: %w", fault.Conflict)
	}
	if err != nil {
		return c.fail(fmt.Errorf("append to catalogue: %w", err))
	}
	for _, e := range written {
		c.state.Apply(e)
	}
	return nil
}

// names are the name that events take for the catalogue and the one they give
// back: two catalogues of a tenant never have the same.
func (c *Catalog) names(events []event.Event) (take, free []journal.Key) {
	for _, e := range events {
		switch b := e.(type) {
		case event.CatalogCreated:
			take = append(take, nameKey(b.Name))
		case event.CatalogChanged:
			if was, is := nameKey(c.state.About.Name), nameKey(b.Name); was != is {
				take, free = append(take, is), append(free, was)
			}
		case event.CatalogRemoved:
			free = append(free, nameKey(c.state.About.Name))
		default:
		}
	}
	return take, free
}

// nameKey is as long as a key may be, whatever the name is.
func nameKey(name string) journal.Key {
	sum := sha256.Sum256([]byte(stock.Key(name)))
	return journal.Key{Space: "catalog", Name: hex.EncodeToString(sum[:])}
}

func (c *Catalog) fail(err error) error {
	c.Log.Error("catalogue stopped", "err", err, "source", c.id.Name)
	c.broken = fmt.Errorf("the catalogue is not available: %w: %w", fault.Unavailable, err)
	c.end()
	c.stay.Leave(c.id, c.self)
	return c.broken
}
