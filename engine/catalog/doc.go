// Package catalog is what an agent knows about goods: products with their
// limits, imports that say beforehand what they would change, products written
// as a table or as JSON that can be imported again, search, and a product as
// text where a channel has no cards. It decides only: it stores nothing, reads
// no file (rows come from knowledge/ingest) and sells nothing. Whose a catalogue
// is and who may edit it is the business of catalog/stock.
package catalog
