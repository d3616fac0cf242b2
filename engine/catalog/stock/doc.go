// Package stock holds what the life of a tenant's catalogue permits: its name,
// its products, the agents that sell them, and the links by which outsiders may
// edit the products. State is one catalogue as its stream tells it. It is pure:
// it draws no token, reads no file and searches nothing; what a product must be
// is decided by package catalog, and who the tenant's own people are is decided
// before anybody asks here.
package stock
