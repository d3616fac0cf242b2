package catalog

import (
	"strings"
	"unicode/utf8"
)

// cardText is how much of a description stands on a card, in characters.
const cardText = 200

// Card writes a product as text, for channels that have no cards: title, price,
// whether it can be had, the beginning of its description, and the link to buy
// it. The words are English; a model that speaks another language says them in
// its own.
func (c Catalogue) Card(p Product) string {
	lines := []string{p.Title}
	if p.Price != nil {
		currency := p.Currency
		if currency == "" {
			currency = c.Currency
		}
		lines = append(lines, strings.TrimSpace(p.Price.String()+" "+currency))
	}
	switch p.Availability {
	case OutOfStock:
		lines = append(lines, "Out of stock")
	case Preorder:
		lines = append(lines, "Can be ordered in advance")
	case InStock:
		lines = append(lines, "In stock")
	}
	if d := strings.Join(strings.Fields(p.Description), " "); d != "" {
		lines = append(lines, beginning(d))
	}
	if p.ProductURL != "" {
		lines = append(lines, p.ProductURL)
	}
	return strings.Join(lines, "\n")
}

// beginning cuts a description at a word.
func beginning(d string) string {
	if utf8.RuneCountInString(d) <= cardText {
		return d
	}
	d = string([]rune(d)[:cardText-1])
	if i := strings.LastIndexByte(d, ' '); i > len(d)/2 {
		d = d[:i]
	}
	return strings.TrimRight(d, " ,;:") + "…"
}
