// Package journaltest says what every journal must do: Run is the suite that
// each implementation passes, and Memory is an implementation, complete and
// small, for the tests of everything above. It is not for production: Memory
// loses all when the process ends.
//
// Where the contract leaves room, the suite decides:
//
//   - the conditions of a batch are checked in the order epoch, version, seen,
//     free, claim; the conflict names the first that does not hold;
//   - a name that its own stream claims again stays claimed; a batch may free a
//     name and claim it; Done comes before Due, so that a batch can move a row,
//     and a Due with the id of another row replaces it;
//   - a batch may have no events as long as it has something;
//   - Read ends with the context's error, Subscribe without one;
//   - a snapshot is gone once one of its stream's people is forgotten, and a
//     snapshot from beyond the end of its stream is refused.
package journaltest
