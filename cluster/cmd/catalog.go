package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"flametree/cluster/node"
	"flametree/engine/catalog"
	"flametree/engine/fault"
)

type catalogCmd struct {
	Create     catalogCreateCmd     `cmd:"" help:"Make a catalogue of products."`
	List       catalogListCmd       `cmd:"" help:"List all catalogues and who sells them."`
	Show       catalogShowCmd       `cmd:"" help:"Show a catalogue, its products and its open invitations."`
	Set        catalogSetCmd        `cmd:"" aliases:"rename" help:"Rename a catalogue, or change what it says of itself."`
	Import     catalogImportCmd     `cmd:"" help:"Add and change products by a file: CSV, XLSX or JSON. Products that it does not name stay."`
	Export     catalogExportCmd     `cmd:"" help:"Write the products as CSV or JSON, which import reads back."`
	Product    productCmd           `cmd:"" help:"Single products."`
	Connect    catalogConnectCmd    `cmd:"" help:"Let an agent sell a catalogue."`
	Disconnect catalogDisconnectCmd `cmd:"" help:"Take a catalogue away from an agent."`
	Invite     catalogInviteCmd     `cmd:"" help:"Make a link by which somebody from outside may edit the products for 7 days."`
	Reset      catalogResetCmd      `cmd:"" help:"Void all open links to a catalogue at once."`
	Remove     catalogRemoveCmd     `cmd:"" help:"Take a catalogue away from all agents and throw it away."`
}

func catalogPath(name, rest string) string { return "/catalogs/" + url.PathEscape(name) + rest }

type catalogCreateCmd struct {
	Name        string `arg:"" help:"Name; no two catalogues have the same."`
	Description string `help:"What is sold here."`
	Currency    string `help:"Of products that name none, such as EUR."`
	Language    string `help:"Of titles and descriptions, such as en or pt-BR."`
}

// Run implements the command.
func (c *catalogCreateCmd) Run(ctx context.Context, e *Env) error {
	var card node.CatalogCard
	about := catalog.Catalogue{Name: c.Name, Description: c.Description, Currency: c.Currency, Language: c.Language}
	if err := e.tell(ctx, "/catalogs", about, &card); err != nil {
		return err
	}
	e.printf("catalogue %s %q\n", card.ID, card.Name)
	e.printf("put products in: flametree catalog import %q FILE, or flametree catalog product add %q SKU --title … --url …\n", card.Name, card.Name)
	e.sold(card)
	return nil
}

// sold tells who sells a catalogue, and what to do when nobody does.
func (e *Env) sold(card node.CatalogCard) {
	if len(card.Agents) == 0 {
		e.printf("no agent sells it yet: flametree catalog connect %q AGENT, or name it in an agent's file under catalogs\n", card.Name)
		return
	}
	e.printf("%q is sold by %s\n", card.Name, strings.Join(card.Agents, ", "))
}

type catalogListCmd struct {
	JSON bool `name:"json" help:"One object a line."`
}

// Run implements the command.
func (c *catalogListCmd) Run(ctx context.Context, e *Env) error {
	var list []node.CatalogCard
	if err := e.ask(ctx, "/catalogs", &list); err != nil {
		return err
	}
	if c.JSON {
		for _, card := range list {
			if err := json.NewEncoder(e.Out).Encode(card); err != nil {
				return err
			}
		}
		return nil
	}
	e.printf("%-28s %8s %11s  %-28s %s\n", "CATALOGUE", "PRODUCTS", "INVITATIONS", "NAME", "AGENTS")
	for _, card := range list {
		used := strings.Join(card.Agents, ", ")
		if used == "" {
			used = "(unused)"
		}
		e.printf("%-28s %8d %11d  %-28s %s\n", card.ID, card.Products, len(card.Invitations), card.Name, used)
	}
	if len(list) == 0 {
		e.printf("there is none yet: flametree catalog create NAME\n")
	}
	return nil
}

type catalogShowCmd struct {
	Name  string `arg:"" help:"Name or id."`
	Text  string `help:"Only products that hold this in SKU, title, category, brand or tags."`
	Skip  int    `help:"Leave out that many first."`
	Limit int    `help:"Show at most that many products." default:"50"`
	JSON  bool   `name:"json" help:"The catalogue, then one product a line, as JSON."`
}

// Run implements the command.
func (c *catalogShowCmd) Run(ctx context.Context, e *Env) error {
	var card node.CatalogCard
	if err := e.ask(ctx, catalogPath(c.Name, ""), &card); err != nil {
		return err
	}
	q := url.Values{"text": {c.Text}, "skip": {strconv.Itoa(c.Skip)}, "limit": {strconv.Itoa(c.Limit)}}
	var page node.ProductPage
	if err := e.ask(ctx, catalogPath(card.ID, "/products?"+q.Encode()), &page); err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(e.Out)
		err := out.Encode(card)
		for _, p := range page.Products {
			err = errors.Join(err, out.Encode(p))
		}
		return err
	}
	e.printf("%s %q  %s %s\n", card.ID, card.Name, card.Currency, card.Language)
	if card.Description != "" {
		e.printf("%s\n", card.Description)
	}
	e.sold(card)
	for _, i := range card.Invitations {
		e.printf("invitation %s, open until %s\n", i.ID, i.Expires.Local().Format("2006-01-02 15:04"))
	}
	if card.By != "" {
		e.printf("products changed last on %s by invitation %s\n", card.Changed.Local().Format("2006-01-02 15:04"), card.By)
	}
	e.products(page, card.Currency)
	e.printf("%d of %d products\n", len(page.Products), page.All)
	return nil
}

func (e *Env) products(page node.ProductPage, currency string) {
	if len(page.Products) == 0 {
		return
	}
	e.printf("%-16s %14s  %-13s %-34s %s\n", "SKU", "PRICE", "AVAILABILITY", "TITLE", "LINK")
	for _, p := range page.Products {
		price := ""
		if p.Price != nil {
			unit := p.Currency
			if unit == "" {
				unit = currency
			}
			price = strings.TrimSpace(p.Price.String() + " " + unit)
		}
		state := string(p.Availability)
		if !p.Active {
			state = "hidden"
		}
		e.printf("%-16s %14s  %-13s %-34s %s\n", p.SKU, price, state, p.Title, p.ProductURL)
	}
}

type catalogSetCmd struct {
	Catalog     string  `arg:"" help:"Name or id."`
	NewName     *string `arg:"" optional:"" help:"New name."`
	Description *string `help:"What is sold here."`
	Currency    *string `help:"Of products that name none, such as EUR."`
	Language    *string `help:"Of titles and descriptions, such as en or pt-BR."`
}

// Run implements the command.
func (c *catalogSetCmd) Run(ctx context.Context, e *Env) error {
	b := node.CatalogSetBody{Name: c.NewName, Description: c.Description, Currency: c.Currency, Language: c.Language}
	if b == (node.CatalogSetBody{}) {
		return fmt.Errorf("say what is to change: a new name, --description, --currency or --language: %w", fault.Invalid)
	}
	var card node.CatalogCard
	if err := e.tell(ctx, catalogPath(c.Catalog, "/set"), b, &card); err != nil {
		return err
	}
	e.printf("catalogue %s %q is changed\n", card.ID, card.Name)
	return nil
}

type catalogImportCmd struct {
	Catalog string `arg:"" help:"Name or id."`
	File    string `arg:"" help:"File that ends in .csv, .xlsx or .json." type:"existingfile"`
	DryRun  bool   `name:"dry-run" help:"Say what would change, and change nothing."`
	JSON    bool   `name:"json" help:"The report as JSON."`
}

// Run implements the command.
func (c *catalogImportCmd) Run(ctx context.Context, e *Env) error {
	f, err := os.Open(filepath.Clean(c.File))
	if err != nil {
		return fmt.Errorf("the file cannot be opened: %w: %w", fault.Invalid, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	q := url.Values{"name": {filepath.Base(c.File)}}
	if c.DryRun {
		q.Set("dry", "1")
	}
	var r catalog.Report
	if err := e.alter(ctx, http.MethodPost, catalogPath(c.Catalog, "/import?"+q.Encode()), f, &r); err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(e.Out).Encode(r); err != nil {
			return err
		}
	} else {
		e.imported(r)
	}
	if r.Failed > 0 {
		return &failure{code: exitFailed, err: fmt.Errorf("%d rows have faults and changed nothing: put them right and import the file again, the rest stays as it is", r.Failed)}
	}
	return nil
}

func (e *Env) imported(r catalog.Report) {
	for _, w := range r.Warnings {
		e.printf("warning: %s\n", w)
	}
	for _, sku := range r.Added {
		e.printf("  new      %s\n", sku)
	}
	for _, t := range r.Changes {
		e.printf("  changed  %s: %s\n", t.SKU, strings.Join(t.Fields, ", "))
	}
	if more := r.New + r.Changed - len(r.Added) - len(r.Changes); more > 0 {
		e.printf("  and %d more\n", more)
	}
	for _, f := range r.Faults {
		e.printf("  row %d: %s %q %s\n", f.Row, f.Field, f.Value, f.Reason)
	}
	what := "imported"
	if r.Dry {
		what = "dry run, nothing is changed"
	}
	e.printf("%s: %d new, %d changed, %d as they are, %d with faults\n", what, r.New, r.Changed, r.Unchanged, r.Failed)
}

type catalogExportCmd struct {
	Catalog string `arg:"" help:"Name or id."`
	Format  string `help:"csv or json." enum:"csv,json" default:"csv"`
	Out     string `help:"File to write (default: the terminal)."`
}

// Run implements the command.
func (c *catalogExportCmd) Run(ctx context.Context, e *Env) (err error) {
	s, err := e.settings()
	if err != nil {
		return err
	}
	body, err := dial(s.Data).do(ctx, http.MethodGet, catalogPath(c.Catalog, "/export?format="+c.Format), nil)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no server runs on %s: start one with flametree serve: %w", s.Data, fault.Unavailable)
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	to := e.Out
	if c.Out != "" {
		f, err := os.OpenFile(filepath.Clean(c.Out), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("the file is not written: %w: %w", fault.Invalid, err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		to = f
	}
	if _, err := io.Copy(to, body); err != nil {
		return fmt.Errorf("export: %w: %w", fault.Unavailable, err)
	}
	return nil
}

type catalogConnectCmd struct {
	Catalog string `arg:"" help:"Name or id."`
	Agent   string `arg:"" help:"Id, alias or name."`
}

// Run implements the command.
func (c *catalogConnectCmd) Run(ctx context.Context, e *Env) error {
	return e.sell(ctx, c.Catalog, node.ConnectBody{Agent: c.Agent})
}

type catalogDisconnectCmd struct {
	Catalog string `arg:"" help:"Name or id."`
	Agent   string `arg:"" help:"Id, alias or name."`
}

// Run implements the command.
func (c *catalogDisconnectCmd) Run(ctx context.Context, e *Env) error {
	return e.sell(ctx, c.Catalog, node.ConnectBody{Agent: c.Agent, Off: true})
}

func (e *Env) sell(ctx context.Context, name string, b node.ConnectBody) error {
	var card node.CatalogCard
	if err := e.tell(ctx, catalogPath(name, "/connect"), b, &card); err != nil {
		return err
	}
	for _, n := range card.Notes {
		e.printf("note: %s\n", n)
	}
	used := strings.Join(card.Agents, ", ")
	if used == "" {
		used = "nobody"
	}
	e.printf("%q is sold by %s\n", card.Name, used)
	return nil
}

type catalogInviteCmd struct {
	Catalog string `arg:"" help:"Name or id."`
}

// Run implements the command.
func (c *catalogInviteCmd) Run(ctx context.Context, e *Env) error {
	var i node.Invited
	if err := e.tell(ctx, catalogPath(c.Catalog, "/invite"), struct{}{}, &i); err != nil {
		return err
	}
	for _, n := range i.Notes {
		e.printf("note: %s\n", n)
	}
	e.printf("%s\n", i.Link)
	e.printf("whoever has this link may edit the products of %q until %s; it is shown once\n", i.Catalog.Name, i.Expires.Local().Format("2006-01-02 15:04"))
	e.printf("%d open; void all of them: flametree catalog reset %q\n", len(i.Catalog.Invitations), i.Catalog.Name)
	return nil
}

type catalogResetCmd struct {
	Catalog string `arg:"" help:"Name or id."`
}

// Run implements the command.
func (c *catalogResetCmd) Run(ctx context.Context, e *Env) error {
	var card node.CatalogCard
	if err := e.tell(ctx, catalogPath(c.Catalog, "/reset"), struct{}{}, &card); err != nil {
		return err
	}
	e.printf("no link opens %q any more; make a new one with flametree catalog invite\n", card.Name)
	return nil
}

type catalogRemoveCmd struct {
	Catalog string `arg:"" help:"Name or id."`
}

// Run implements the command.
func (c *catalogRemoveCmd) Run(ctx context.Context, e *Env) error {
	var card node.CatalogCard
	if err := e.alter(ctx, http.MethodDelete, catalogPath(c.Catalog, ""), bytes.NewReader(nil), &card); err != nil {
		return err
	}
	e.printf("%q is removed\n", card.Name)
	return nil
}
