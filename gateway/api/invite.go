package api

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flametree/engine/catalog"
	"flametree/engine/catalog/stock"
	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

//go:embed invite
var invitePages embed.FS

// Editors is what the page for outside editors needs of catalogues. A token that
// opens nothing, any more or at all, is fault.Denied, and so is one that ceases
// to while it is used. Methods may be called from any goroutine.
type Editors interface {
	// Invited says what a token opens.
	Invited(ctx context.Context, token string) (Invitation, error)
	// Products gives limit products that hold a text behind the first skip, and
	// how many there are in all.
	Products(ctx context.Context, token string, f ProductFilter) ([]catalog.Product, int, error)
	// Edit writes or removes one product. A product that may not be so is a
	// *stock.Refused.
	Edit(ctx context.Context, token string, e ProductEdit) error
	// Import writes the rows of a file, or says what it would write.
	Import(ctx context.Context, token string, f ProductFile) (catalog.Report, error)
	// Export writes all products as CSV.
	Export(ctx context.Context, token string, w io.Writer) error
}

// Invitation is what an outside editor may know: one catalogue and until when.
type Invitation struct {
	ID      string // never shown: limits are kept by it
	About   catalog.Catalogue
	Count   int // products
	Expires time.Time
}

// ProductFilter says which products are wanted.
type ProductFilter struct {
	Text        string
	Skip, Limit int
}

// ProductEdit is one change: either Item or Remove is set.
type ProductEdit struct {
	Item   *catalog.Item
	New    bool   // the product must not be there yet; else it must
	Remove string // SKU
}

// ProductFile is a file that an editor sends.
type ProductFile struct {
	Name string
	Data []byte
	Dry  bool
}

// InviteOptions gives the page what it stands on.
type InviteOptions struct {
	Editors Editors
	Now     func() time.Time // nil = time.Now
}

// The limits of an outside editor. A right token is never refused because others
// behind the same proxy send wrong ones.
const (
	wrongPerMinute   = 20 // wrong tokens of one address
	askedPerMinute   = 240
	importsPerMinute = 20
	importTime       = 2 * time.Minute
	maxProductPage   = 100
	maxProductBody   = 64 << 10
)

type invite struct {
	o                     InviteOptions
	wrong, asked, imports buckets
}

// MountInvite adds the page for outside editors of catalogues and what it calls
// to s. The token stands in the page's address behind the #, which browsers send
// to nobody, and in the header Authorization of each call; never in a URL that a
// log could keep. Call it before s serves.
func MountInvite(s *httpd.Server, o InviteOptions) {
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &invite{
		o: o, wrong: buckets{perMinute: wrongPerMinute}, asked: buckets{perMinute: askedPerMinute}, imports: buckets{perMinute: importsPerMinute},
	}
	s.Page("/invite/catalog", invitePages, "invite/page.html")
	s.Page("/invite/page.css", invitePages, "invite/page.css")
	s.Page("/invite/page.js", invitePages, "invite/page.js")
	const at = "/api/v1/invited/catalog"
	route := func(method, rest string, most int64, do func(*httpd.Request, string, Invitation) error) {
		r := httpd.Route{Method: method, Pattern: at + rest, MaxBody: most, Handle: v.admit(do)}
		if rest == "/import" {
			r.Timeout = importTime
		}
		s.Route(r)
	}
	route(http.MethodGet, "", 0, v.show)
	route(http.MethodGet, "/products", 0, v.products)
	route(http.MethodPost, "/products", maxProductBody, v.write(true))
	route(http.MethodPut, "/products", maxProductBody, v.write(false))
	route(http.MethodDelete, "/products", maxProductBody, v.remove)
	route(http.MethodPost, "/import", 0, v.load)
	route(http.MethodGet, "/export", 0, v.export)
}

// admit lets in who holds the token of an open invitation, as often as is fair.
func (v *invite) admit(do func(*httpd.Request, string, Invitation) error) func(*httpd.Request) {
	return func(r *httpd.Request) {
		token, ok := auth.Bearer(r.Header("Authorization"))
		err := stock.ErrNoInvitation
		var i Invitation
		if ok {
			i, err = v.o.Editors.Invited(r.Context(), token)
		}
		now := v.o.Now()
		switch {
		case fault.KindOf(err) == fault.Denied:
			if wait, ok := v.wrong.take(r.Remote().String(), now); !ok {
				err = tooMany(wait)
			}
		case err == nil:
			if wait, ok := v.asked.take(i.ID, now); !ok {
				err = tooMany(wait)
			}
		}
		if err == nil {
			err = do(r, token, i)
		}
		if err != nil {
			r.Fail(spoken(err))
		}
	}
}

func tooMany(wait time.Duration) error {
	p := httpd.Refuse(http.StatusTooManyRequests, "too_many_requests", fmt.Sprintf("too many requests: try again in %d s", int(wait/time.Second)+1))
	p.RetryAfter = wait
	return p
}

// spoken makes an error fit for an outside editor.
func spoken(err error) error {
	if p, ok := errors.AsType[*httpd.Problem](err); ok {
		return p
	}
	if refused, ok := errors.AsType[*stock.Refused](err); ok {
		p := httpd.Refuse(http.StatusUnprocessableEntity, "invalid", refused.Error())
		for _, f := range refused.Faults {
			p.Errors = append(p.Errors, httpd.Located{Location: "body." + f.Field, Message: f.Reason})
		}
		return p
	}
	p := httpd.ProblemOf(err)
	if p.Kind == string(fault.Denied) {
		p = httpd.Refuse(http.StatusUnauthorized, "invitation_over", err.Error())
	}
	p.Detail = strings.TrimSuffix(p.Detail, ": "+p.Kind)
	return p
}

type inviteView struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Currency    string    `json:"currency"`
	Language    string    `json:"language"`
	Products    int       `json:"products"`
	Expires     time.Time `json:"expires"`
}

func (v *invite) show(r *httpd.Request, _ string, i Invitation) error {
	r.JSON(http.StatusOK, inviteView{i.About.Name, i.About.Description, i.About.Currency, i.About.Language, i.Count, i.Expires})
	return nil
}

func (v *invite) products(r *httpd.Request, token string, _ Invitation) error {
	f := ProductFilter{Text: r.Query("text"), Limit: maxProductPage}
	for name, to := range map[string]*int{"skip": &f.Skip, "limit": &f.Limit} {
		text := r.Query(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return httpd.Invalid("query."+name, "must be a number of at least 0")
		}
		*to = n
	}
	f.Limit = min(f.Limit, maxProductPage)
	some, all, err := v.o.Editors.Products(r.Context(), token, f)
	if err != nil {
		return err
	}
	if some == nil {
		some = []catalog.Product{}
	}
	r.JSON(http.StatusOK, map[string]any{"products": some, "all": all})
	return nil
}

// write adds a product, or changes one: fields that are not given stay.
func (v *invite) write(fresh bool) func(*httpd.Request, string, Invitation) error {
	return func(r *httpd.Request, token string, _ Invitation) error {
		raw, err := r.ReadAll()
		if err != nil {
			return err
		}
		var fields map[string]any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			return httpd.Invalid("body", "must be a product as a JSON object")
		}
		item := catalog.FromObject(fields)
		if err := v.o.Editors.Edit(r.Context(), token, ProductEdit{Item: &item, New: fresh}); err != nil {
			return err
		}
		r.JSON(http.StatusOK, map[string]string{"sku": item.Product.SKU})
		return nil
	}
}

func (v *invite) remove(r *httpd.Request, token string, _ Invitation) error {
	sku := r.Query("sku")
	if sku == "" {
		return httpd.Invalid("query.sku", "is missing")
	}
	if err := v.o.Editors.Edit(r.Context(), token, ProductEdit{Remove: sku}); err != nil {
		return err
	}
	r.JSON(http.StatusOK, map[string]string{"sku": sku})
	return nil
}

func (v *invite) load(r *httpd.Request, token string, i Invitation) error {
	if wait, ok := v.imports.take(i.ID, v.o.Now()); !ok {
		return tooMany(wait)
	}
	name := r.Query("name")
	if name == "" || len(name) > 255 || strings.ContainsAny(name, "/\\\x00") {
		return httpd.Invalid("query.name", "must be the file's name, such as products.csv")
	}
	raw, err := r.ReadAll()
	if err != nil {
		return err
	}
	report, err := v.o.Editors.Import(r.Context(), token, ProductFile{Name: name, Data: raw, Dry: r.Query("dry") == "1"})
	if err != nil {
		return err
	}
	r.JSON(http.StatusOK, report)
	return nil
}

func (v *invite) export(r *httpd.Request, token string, _ Invitation) error {
	var b bytes.Buffer
	if err := v.o.Editors.Export(r.Context(), token, &b); err != nil {
		return err
	}
	r.SetHeader("Content-Disposition", `attachment; filename="products.csv"`)
	r.Bytes(http.StatusOK, "text/csv; charset=utf-8", b.Bytes())
	return nil
}
