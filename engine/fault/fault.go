// Package fault says what kind of trouble an error is, so that a caller can
// choose between retrying, refusing and waking somebody up. It does not say
// what an edge answers: each edge has one table from kinds to its own codes.
package fault

import (
	"context"
	"errors"
)

// Kind is a class of trouble. A Kind is itself an error: wrap it with %w where
// the fact is known, once.
type Kind string

// The kinds. Each names the reaction it calls for.
const (
	Invalid     Kind = "invalid"     // the caller must change the request
	Denied      Kind = "denied"      // the caller may not
	NotFound    Kind = "not found"   // nothing there
	Conflict    Kind = "conflict"    // read again, then decide
	Exhausted   Kind = "exhausted"   // back off
	Unavailable Kind = "unavailable" // try again, perhaps elsewhere
	Cancelled   Kind = "cancelled"   // nobody waits for the answer
	Bug         Kind = "bug"         // ours; log it loudly
)

// Error implements error.
func (k Kind) Error() string { return string(k) }

// KindOf finds the outermost kind in err, "" for nil. An error nobody
// classified is a Bug.
func KindOf(err error) Kind {
	var k Kind
	switch {
	case err == nil:
		return ""
	case errors.As(err, &k):
		return k
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	}
	return Bug
}
