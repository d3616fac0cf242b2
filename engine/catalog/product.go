package catalog

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"flametree/engine/fault"
)

// The limits of a catalogue; lengths are in characters.
const (
	MaxProducts    = 50_000
	MaxTitle       = 255
	MaxDescription = 5000
	MaxSKU         = 100
	maxWord        = 255 // of a name, category or brand
	maxURL         = 2048
	maxAttributes  = 50
	maxAttribute   = 1000
	maxTags        = 50
	maxTag         = 100
)

// Catalogue is a list of products that agents are connected to.
type Catalogue struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Currency    string `json:"currency,omitempty"` // ISO 4217; of products that name none
	Language    string `json:"language,omitempty"` // BCP 47, such as "de" or "pt-BR"
}

// Availability says whether a product can be had.
type Availability string

// The availabilities.
const (
	InStock    Availability = "in_stock"
	OutOfStock Availability = "out_of_stock"
	Preorder   Availability = "preorder"
)

// Product is one thing that is sold. SKU is its key in a catalogue. An agent
// sees only active products.
type Product struct {
	SKU          string            `json:"sku"`
	Title        string            `json:"title"`
	Description  string            `json:"description,omitempty"`
	Category     string            `json:"category,omitempty"`
	Brand        string            `json:"brand,omitempty"`
	Price        *Price            `json:"price,omitempty"` // nil: not told
	Currency     string            `json:"currency,omitempty"`
	Availability Availability      `json:"availability"`
	ImageURL     string            `json:"image_url,omitempty"`
	ProductURL   string            `json:"product_url"`
	Attributes   map[string]string `json:"attributes,omitempty"`
	Tags         []string          `json:"tags,omitempty"`
	Active       bool              `json:"active"`
}

// Fault is one thing that is wrong with one field.
type Fault struct {
	Field  string `json:"field"`
	Value  string `json:"value"` // shortened
	Reason string `json:"reason"`
}

// Error implements error; it wraps fault.Invalid.
func (f Fault) Error() string { return fmt.Sprintf("%s %q: %s", f.Field, f.Value, f.Reason) }

// Unwrap gives the kind.
func (f Fault) Unwrap() error { return fault.Invalid }

var (
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
	language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// Validate gives every Fault of a catalogue at once, joined; nil for none.
func (c Catalogue) Validate() error {
	var f faults
	f.length("name", c.Name, 1, maxWord)
	f.length("description", c.Description, 0, MaxDescription)
	f.currency(c.Currency)
	if c.Language != "" && !language.MatchString(c.Language) {
		f.add("language", c.Language, "is no language tag such as en or pt-BR")
	}
	return f.err()
}

// Validate gives every Fault of a product; nil for none.
func (p Product) Validate() []Fault {
	var f faults
	f.length("sku", p.SKU, 1, MaxSKU)
	if p.SKU != strings.TrimSpace(p.SKU) || strings.ContainsFunc(p.SKU, func(r rune) bool { return r < ' ' }) {
		f.add("sku", p.SKU, "must not begin or end with a space or hold control characters")
	}
	f.length("title", p.Title, 1, MaxTitle)
	f.length("description", p.Description, 0, MaxDescription)
	f.length("category", p.Category, 0, maxWord)
	f.length("brand", p.Brand, 0, maxWord)
	if p.Price != nil && (*p.Price < 0 || *p.Price > maxPrice) {
		f.add("price", p.Price.String(), "must be between 0 and 1 000 000 000")
	}
	f.currency(p.Currency)
	switch p.Availability {
	case InStock, OutOfStock, Preorder:
	default:
		f.add("availability", string(p.Availability), "must be in_stock, out_of_stock or preorder")
	}
	f.address("product_url", p.ProductURL, true)
	f.address("image_url", p.ImageURL, false)
	if len(p.Attributes) > maxAttributes {
		f.add("attributes", "", fmt.Sprintf("are %d, at most %d are kept", len(p.Attributes), maxAttributes))
	}
	for _, k := range slices.Sorted(maps.Keys(p.Attributes)) {
		f.length("attributes", k, 1, maxTag)
		f.length("attributes."+k, p.Attributes[k], 0, maxAttribute)
	}
	if len(p.Tags) > maxTags {
		f.add("tags", "", fmt.Sprintf("are %d, at most %d are kept", len(p.Tags), maxTags))
	}
	for _, t := range p.Tags {
		f.length("tags", t, 1, maxTag)
	}
	return f
}

// equal compares two products field by field and names those that differ.
func (p Product) differs(o Product) []string {
	var out []string
	note := func(field string, same bool) {
		if !same {
			out = append(out, field)
		}
	}
	note("title", p.Title == o.Title)
	note("description", p.Description == o.Description)
	note("category", p.Category == o.Category)
	note("brand", p.Brand == o.Brand)
	note("price", (p.Price == nil) == (o.Price == nil) && (p.Price == nil || *p.Price == *o.Price))
	note("currency", p.Currency == o.Currency)
	note("availability", p.Availability == o.Availability)
	note("image_url", p.ImageURL == o.ImageURL)
	note("product_url", p.ProductURL == o.ProductURL)
	note("attributes", maps.Equal(p.Attributes, o.Attributes))
	note("tags", slices.Equal(p.Tags, o.Tags))
	note("active", p.Active == o.Active)
	return out
}

type faults []Fault

func (f *faults) add(field, value, reason string) {
	*f = append(*f, Fault{Field: shorten(field, maxTag), Value: shorten(value, maxTag), Reason: reason})
}

func (f *faults) err() error {
	out := make([]error, len(*f))
	for i, one := range *f {
		out[i] = one
	}
	return errors.Join(out...)
}

func (f *faults) length(field, value string, least, most int) {
	n := utf8.RuneCountInString(value)
	switch {
	case !utf8.ValidString(value):
		f.add(field, strings.ToValidUTF8(value, "?"), "is not UTF-8")
	case least > 0 && strings.TrimSpace(value) == "":
		f.add(field, value, "is missing")
	case n > most:
		f.add(field, value, fmt.Sprintf("has %d characters, at most %d are kept", n, most))
	}
}

func (f *faults) currency(c string) {
	if c != "" && !currency.MatchString(c) {
		f.add("currency", c, "is no code of three capital letters such as EUR")
	}
}

func (f *faults) address(field, value string, needed bool) {
	if value == "" {
		if needed {
			f.add(field, value, "is missing")
		}
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil:
		f.add(field, value, "is no address that begins with https:// or http://")
	case len(value) > maxURL:
		f.add(field, value, fmt.Sprintf("has more than %d characters", maxURL))
	}
}

// shorten keeps a value from filling a list of faults.
func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
