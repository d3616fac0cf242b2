// Package journal measures what the journal costs: our durable append beside
// bare Pebble (Set with Sync) and beside a plain append and fsync of the same
// bytes, with the same number of writers, in the same run, in turns. It
// reports; only ratios may gate. It has no main and prints nothing.
package journal
