// Package catalog is what an agent knows about goods: products with their
// limits, imports that say beforehand what they would change, search, and a
// product as text where a channel has no cards. It decides only: it stores
// nothing, reads no file (rows come from knowledge/ingest) and sells nothing.
package catalog
