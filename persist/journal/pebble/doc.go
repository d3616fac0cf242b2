// Package pebble is the journal of one machine: the contract of persist/journal
// on Pebble, an embedded ordered store. One goroutine commits; everything that
// waits goes into one synced batch. It refuses to be a database: it has no
// query but those of the contract, it does not repair what it finds damaged,
// and it does not go on after a failed sync.
//
// # Keys
//
// All numbers are big-endian and every string but the last is terminated, so
// that keys sort as what they name. The tenant comes first, so that one range
// holds all of a tenant's rows of a kind. A stream is 16 bytes of the hash of
// its kind and id.
//
//	e|tenant|stream|seq    position, hash, stored bytes of an event
//	g|last position        e's keys of a group's events, from its first position on
//	h|tenant|stream        what the events do not say: epoch, subjects
//	d|tenant|space|name    position of the batch that took the external id
//	c|tenant|space|name    group, stream that claimed the name
//	o|tenant|time|due      group, what is due
//	i|tenant|due           time of the due row
//	s|tenant|stream        newest snapshot, sealed with its people's keys
//	k|tenant|subject       wrapped key of a person; subject "" is the tenant's own
//	m                      store id, group, position: written by every group
//
// # What is acknowledged is there, or the store does not open
//
// Pebble cannot tell a torn tail of its newest log from a flipped bit in it:
// both end the replay. So every group of commits has a number, stored in the
// group itself and, once its log is synced, in the file high-water, which lags
// behind by a few groups, and by 50 ms when nothing comes. A log that ends below
// the mark is refused. A reader never sees what is not synced.
//
// # Decisions
//
// Marks count groups, not only positions: a lost epoch or a forgotten key is as
// bad as a lost event. They are written for every fourth group: one for each was
// every second sync of a server of calls, and made groups late.
//
// One row of pointers for a group, and none in h for an event, leave one
// insertion for each event: with a pointer and a head for each, an append took
// half as much processor time again. A head not in memory is read from the
// newest event.
//
// The engine never learns that its log could not be closed or made: it would
// break off inside its locks and end the process without a word. The guard says
// why and holds the engine's goroutine; a process should end when told by Fatal.
//
// Snapshots hold personal text in the folder's own encoding, so each is sealed
// with the keys of all subjects that the stream ever had, and is gone with the
// first of them. A stream with more than eight keeps no snapshot.
//
// Due rows start with the tenant, as everything does; Due therefore seeks once
// for every tenant that has rows, some microseconds each.
package pebble
