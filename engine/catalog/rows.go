package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"flametree/engine/fault"
)

// Item is one row of an import. Only what the row gives changes a product that
// is there already: Given names those fields.
type Item struct {
	Row     int // from 1 on, as a table program counts; in JSON the place in the list
	Product Product
	Given   map[string]bool
	Faults  []Fault
}

// fields are the names that a column or a key may have.
func fields() map[string]string {
	return map[string]string{
		"sku": "sku", "id": "sku", "article": "sku", "артикул": "sku",
		"title": "title", "name": "title", "product": "title", "название": "title",
		"description": "description", "описание": "description",
		"category": "category", "product type": "category", "категория": "category",
		"brand": "brand", "бренд": "brand",
		"price": "price", "цена": "price",
		"currency": "currency", "валюта": "currency",
		"availability": "availability", "stock": "availability", "наличие": "availability",
		"image_url": "image_url", "image url": "image_url", "image link": "image_url", "image_link": "image_url", "image": "image_url",
		"product_url": "product_url", "product url": "product_url", "url": "product_url", "link": "product_url", "ссылка": "product_url",
		"attributes": "attributes", "tags": "tags", "active": "active",
	}
}

// column tells what a column is: a field, or one attribute by its name.
func column(name string, known map[string]string) (field, attribute string) {
	name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
	for _, prefix := range []string{"attributes.", "attribute:", "attr:"} {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return "attributes", strings.TrimSpace(name[len(prefix):])
		}
	}
	return known[strings.ToLower(strings.TrimSuffix(name, "*"))], ""
}

// FromTable reads rows, the first of which names the columns. Columns that are
// not known are told as warnings and left out. A table without a column for the
// sku is fault.Invalid.
func FromTable(rows [][]string) (items []Item, warnings []string, err error) {
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("the table is empty: its first row must name the columns, sku, title and product_url among them: %w", fault.Invalid)
	}
	known := fields()
	type col struct{ field, attribute string }
	cols := make([]col, len(rows[0]))
	seen := map[col]bool{}
	for i, name := range rows[0] {
		c := col{}
		c.field, c.attribute = column(name, known)
		switch {
		case strings.TrimSpace(name) == "":
		case c.field == "":
			warnings = append(warnings, fmt.Sprintf("column %q is not known and was left out", shorten(name, maxTag)))
		case seen[c]:
			return nil, nil, fmt.Errorf("two columns are the %s: leave one: %w", c.field, fault.Invalid)
		}
		seen[c] = true
		cols[i] = c
	}
	if !seen[col{field: "sku"}] {
		return nil, nil, fmt.Errorf("no column is named sku: the first row must name the columns, sku, title and product_url among them: %w", fault.Invalid)
	}
	for n, cells := range rows[1:] {
		if strings.TrimSpace(strings.Join(cells, "")) == "" {
			continue
		}
		it := newItem(n + 2)
		for i, c := range cols {
			value := ""
			if i < len(cells) {
				value = unguarded(strings.TrimSpace(cells[i]))
			}
			if c.attribute != "" {
				it.attribute(c.attribute, value)
			} else if c.field != "" {
				it.set(c.field, value)
			}
		}
		items = append(items, it)
	}
	return items, warnings, nil
}

func newItem(row int) Item {
	return Item{Row: row, Given: map[string]bool{}, Product: Product{Availability: InStock, Active: true}}
}

func (it *Item) fail(field, value, reason string) {
	it.Faults = append(it.Faults, Fault{Field: field, Value: shorten(value, maxTag), Reason: reason})
}

func (it *Item) attribute(name, value string) {
	it.Given["attributes"] = true
	if value == "" {
		return
	}
	if it.Product.Attributes == nil {
		it.Product.Attributes = map[string]string{}
	}
	it.Product.Attributes[name] = value
}

// set reads the text of one cell.
func (it *Item) set(field, value string) {
	p := &it.Product
	it.Given[field] = true
	switch field {
	case "sku":
		p.SKU = value
	case "title":
		p.Title = value
	case "description":
		p.Description = value
	case "category":
		p.Category = value
	case "brand":
		p.Brand = value
	case "currency":
		if value != "" || p.Currency == "" { // the price's cell may have told it
			p.Currency = strings.ToUpper(value)
		}
	case "image_url":
		p.ImageURL = value
	case "product_url":
		p.ProductURL = value
	case "price":
		it.price(value)
	case "availability":
		it.availability(value)
	case "active":
		it.active(value)
	case "tags":
		p.Tags = list(value)
	case "attributes":
		it.attributes(value)
	}
}

func (it *Item) price(value string) {
	if value == "" {
		return
	}
	v, code, err := ParsePrice(value)
	if err != nil {
		it.fail("price", value, err.Error())
		return
	}
	it.Product.Price = &v
	if code != "" && !it.Given["currency"] {
		it.Product.Currency, it.Given["currency"] = code, true
	}
}

func (it *Item) availability(value string) {
	switch strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(value)) {
	case "", "in_stock", "instock", "available", "yes", "true", "1", "да", "в_наличии":
		it.Product.Availability = InStock
	case "out_of_stock", "outofstock", "sold_out", "no", "false", "0", "нет", "нет_в_наличии":
		it.Product.Availability = OutOfStock
	case "preorder", "pre_order", "предзаказ":
		it.Product.Availability = Preorder
	default:
		it.fail("availability", value, "must be in_stock, out_of_stock or preorder")
	}
}

func (it *Item) active(value string) {
	switch strings.ToLower(value) {
	case "", "true", "yes", "1", "да":
		it.Product.Active = true
	case "false", "no", "0", "нет":
		it.Product.Active = false
	default:
		it.fail("active", value, "must be true or false")
	}
}

// attributes reads JSON, or "colour=red; size=M".
func (it *Item) attributes(value string) {
	if strings.HasPrefix(value, "{") {
		var m map[string]any
		if err := json.Unmarshal([]byte(value), &m); err != nil {
			it.fail("attributes", value, "is damaged JSON: "+err.Error())
			return
		}
		for k, v := range m {
			it.attribute(k, scalar(v))
		}
		return
	}
	for part := range strings.SplitSeq(value, ";") {
		k, v, ok := strings.Cut(part, "=")
		if !ok {
			k, v, ok = strings.Cut(part, ":")
		}
		if strings.TrimSpace(part) == "" {
			continue
		}
		if !ok {
			it.fail("attributes", part, "is no pair such as colour=red")
			continue
		}
		it.attribute(strings.TrimSpace(k), strings.TrimSpace(v))
	}
}

// list reads a JSON list of tags, or parts them at semicolons, bars or commas.
func list(value string) []string {
	var whole []string
	if strings.HasPrefix(value, "[") && json.Unmarshal([]byte(value), &whole) == nil {
		return whole
	}
	sep := ","
	for _, s := range []string{";", "|"} {
		if strings.Contains(value, s) {
			sep = s
			break
		}
	}
	var out []string
	for t := range strings.SplitSeq(value, sep) {
		if t = strings.TrimSpace(t); t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// FromJSON reads a list of products, or an object whose key "products" holds
// one. A text that is no such list is fault.Invalid with the place.
func FromJSON(r io.Reader) ([]Item, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	if err := toList(d); err != nil {
		return nil, err
	}
	var items []Item
	for n := 1; d.More(); n++ {
		var m map[string]any
		if err := d.Decode(&m); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("product %d: the list is cut off at byte %d: %w", n, d.InputOffset(), fault.Invalid)
		} else if err != nil {
			return nil, fmt.Errorf("product %d, at byte %d: %w: %w", n, d.InputOffset(), err, fault.Invalid)
		}
		if n > 2*MaxProducts {
			return nil, fmt.Errorf("the list is longer than %d products: %w", 2*MaxProducts, fault.Invalid)
		}
		items = append(items, fromObject(n, m))
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("the list is cut off at byte %d: %w", d.InputOffset(), fault.Invalid)
	}
	return items, nil
}

// toList goes to the beginning of the list.
func toList(d *json.Decoder) error {
	bad := fmt.Errorf("the JSON must be a list of products, or an object with a key \"products\" that holds one: %w", fault.Invalid)
	tok, err := d.Token()
	if err != nil {
		return bad
	}
	if tok == json.Delim('[') {
		return nil
	}
	for tok == json.Delim('{') && d.More() {
		key, err := d.Token()
		if err != nil {
			return bad
		}
		if key == "products" {
			if open, err := d.Token(); err != nil || open != json.Delim('[') {
				return bad
			}
			return nil
		}
		var skip json.RawMessage
		if d.Decode(&skip) != nil {
			return bad
		}
	}
	return bad
}

// FromObject reads one product from a JSON object, as FromJSON does. Keys that it
// has not got are not given: they leave a product that is there as it is; null
// and "" empty a field. Numbers are json.Number or text.
func FromObject(m map[string]any) Item { return fromObject(1, m) }

func fromObject(n int, m map[string]any) Item {
	it := newItem(n)
	known := fields()
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys) // currency stands before price, so that it is given
	for _, k := range keys {
		field := known[strings.ToLower(k)]
		switch v := m[k].(type) {
		case map[string]any:
			if field != "attributes" {
				it.fail(shorten(k, maxTag), "{…}", "must not be an object")
				continue
			}
			it.Given[field] = true
			for name, value := range v {
				it.attribute(name, scalar(value))
			}
		case []any:
			if field != "tags" {
				it.fail(shorten(k, maxTag), "[…]", "must not be a list")
				continue
			}
			it.Given[field] = true
			for _, t := range v {
				it.Product.Tags = append(it.Product.Tags, strings.TrimSpace(scalar(t)))
			}
		case json.Number:
			it.number(field, k, v)
		default:
			if field == "" {
				it.fail(shorten(k, maxTag), scalar(v), "is no field of a product")
				continue
			}
			it.set(field, scalar(v))
		}
	}
	return it
}

// number takes a number of JSON, whose point always begins the decimals.
func (it *Item) number(field, key string, v json.Number) {
	switch field {
	case "":
		it.fail(shorten(key, maxTag), v.String(), "is no field of a product")
	case "price":
		it.Given[field] = true
		p := new(Price)
		if err := p.UnmarshalJSON([]byte(v.String())); err != nil {
			it.fail(field, v.String(), err.Error())
			return
		}
		it.Product.Price = p
	default:
		it.set(field, v.String())
	}
}

// scalar writes a plain value of JSON as text.
func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
