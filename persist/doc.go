// Package persist is the floor that remembers. It has no code of its own; its
// rooms are:
//
//   - journal: the contract of the append-only record, the only truth;
//     journal/journaltest is the suite that every implementation passes and a
//     complete one in memory for tests; journal/pebble is the one for a single
//     machine;
//   - vault: keys wrapped in keys, so that deleting one key deletes a person;
//   - readmodel: tables folded from events, which can be dropped and made again;
//   - blob: recordings and attachments as content-addressed files.
//
// Nothing here knows an actor, a socket or a request. Whoever changes state
// appends events; nobody writes a table or a file that cannot be made again
// from them, but for blobs, which events name by their hash.
//
// # Decisions
//
// Pebble for the journal (2026): a flipped bit in its newest log ends the replay
// without an error, and a full disk ends the process. Both are met around it: a
// high-water mark beside the log, and a guard between engine and disk.
//
// Personal fields are sealed from the first event on, each person's with a key
// of their own. Names in Seen and Claim are kept as they are, because they are
// looked up: erasing a person includes freeing those names.
package persist
