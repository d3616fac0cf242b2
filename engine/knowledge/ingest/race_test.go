//go:build race

package ingest_test

// The race detector's shadow counts as memory.
const childMemory = 400 << 20
