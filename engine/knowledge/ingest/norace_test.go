//go:build !race

package ingest_test

const childMemory = 200 << 20
