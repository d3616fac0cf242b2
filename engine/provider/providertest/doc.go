// Package providertest holds the suites that every provider passes: one each
// for language models, recognisers and voices. They test the contract of
// package provider and nothing of a vendor's: how good an answer or a voice is,
// is not asked here.
package providertest

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flametree/engine/fault"
)

// patience bounds every wait, so that a broken provider fails and does not hang.
const patience = 30 * time.Second

// limited returns a context that ends with the test, or when patience does.
func limited(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), patience)
}

// noneLeft checks that f leaves no goroutine behind. Goroutines that ran before
// it are not its business.
func noneLeft(t *testing.T, f func()) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	f()
	goleak.VerifyNone(t, before)
}

// within runs f and fails if it takes longer than patience.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s did not end within %v", what, patience)
	}
}

// classified fails if err has no kind: then nobody can choose what to do.
func classified(t *testing.T, err error) {
	t.Helper()
	if err != nil && fault.KindOf(err) == fault.Bug {
		t.Errorf("error %v wraps no fault.Kind, or is a bug", err)
	}
}
