package catalog

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// columns are those of a written table, in order. FromTable reads them back.
func columns() []string {
	return []string{
		"sku", "title", "description", "category", "brand", "price", "currency", "availability",
		"image_url", "product_url", "attributes", "tags", "active",
	}
}

// WriteCSV writes products as a table that FromTable reads back (RFC 4180, UTF-8
// with the mark that table programs look for). A cell that a table program
// would take for a formula begins with an apostrophe, because products may come
// from somebody else than who opens the table. Errors are w's.
func WriteCSV(w io.Writer, products iter.Seq[Product]) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("write products: %w", err)
	}
	out := csv.NewWriter(w)
	_ = out.Write(columns()) // it keeps its error for Flush
	for p := range products {
		row := cells(p)
		for i, c := range row {
			row[i] = guarded(c)
		}
		_ = out.Write(row)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write products: %w", err)
	}
	return nil
}

func cells(p Product) []string {
	price, attributes := "", ""
	if p.Price != nil {
		price = p.Price.String()
	}
	if len(p.Attributes) > 0 {
		attributes = scalar(p.Attributes) // a map of texts always marshals
	}
	return []string{
		p.SKU, p.Title, p.Description, p.Category, p.Brand, price, p.Currency, string(p.Availability),
		p.ImageURL, p.ProductURL, attributes, tagged(p.Tags), strconv.FormatBool(p.Active),
	}
}

// tagged writes tags so that list reads the same ones.
func tagged(tags []string) string {
	text := strings.Join(tags, "; ")
	if len(tags) == 1 && strings.ContainsAny(text, ",|") {
		text += ";"
	}
	if slices.Equal(list(text), tags) {
		return text
	}
	return scalar(tags)
}

// guarded puts an apostrophe before what begins, behind apostrophes or not, as a
// formula does.
func guarded(cell string) string {
	if formula(cell) {
		return "'" + cell
	}
	return cell
}

// unguarded is the inverse of guarded.
func unguarded(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && formula(rest) {
		return rest
	}
	return cell
}

func formula(cell string) bool {
	rest := strings.TrimLeft(cell, "'")
	return rest != "" && strings.ContainsRune("=+-@\t\r", rune(rest[0]))
}

// WriteJSON writes a catalogue as an object with its products, which FromJSON
// reads back. Errors are w's.
func WriteJSON(w io.Writer, about Catalogue, products iter.Seq[Product]) error {
	head, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("write catalogue: %w", err)
	}
	if _, err := fmt.Fprintf(w, "{\"catalog\":%s,\n\"products\":[", head); err != nil {
		return fmt.Errorf("write products: %w", err)
	}
	comma := "\n"
	for p := range products {
		b, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("write product %q: %w", p.SKU, err)
		}
		if _, err := fmt.Fprintf(w, "%s%s", comma, b); err != nil {
			return fmt.Errorf("write products: %w", err)
		}
		comma = ",\n"
	}
	if _, err := io.WriteString(w, "\n]}\n"); err != nil {
		return fmt.Errorf("write products: %w", err)
	}
	return nil
}
