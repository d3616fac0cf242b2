package rig

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Providers plays all three roles by the script, each under the name "fake".
func (s Script) Providers(string) (node.Providers, error) {
	return node.Providers{
		Completers:   map[string]provider.Completer{"fake": model{s}},
		Transcribers: map[string]provider.Transcriber{"fake": hearer{s}},
		Synthesizers: map[string]provider.Synthesizer{"fake": voice{s, sync.OnceValue(hum)}},
	}, nil
}

// model says the script's reply to everything.
type model struct{ script Script }

var _ provider.Completer = model{}

// Complete implements provider.Completer. The first delta holds the first
// clause and enough of the next for the clause to be known as whole.
func (m model) Complete(ctx context.Context, _ provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		words := strings.SplitAfter(m.script.Reply, " ")
		first := min(firstDelta, len(words))
		if !precisely(ctx, time.Now().Add(m.script.FirstToken)) {
			yield(provider.Delta{}, cancelled(ctx))
			return
		}
		if !yield(provider.Delta{Text: strings.Join(words[:first], "")}, nil) {
			return
		}
		for _, w := range words[first:] {
			if !wait(ctx, m.script.Token) {
				yield(provider.Delta{}, cancelled(ctx))
				return
			}
			if !yield(provider.Delta{Text: w}, nil) {
				return
			}
		}
		yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

// firstDelta is in words: "Here is what I found. The answer ".
const firstDelta = 7

// lastStretch is what Go's timers may be late by and more: they go through the
// poller and its milliseconds.
const lastStretch = 2 * time.Millisecond

// precisely waits until a time, to within 0.1 ms, so that what is scripted can
// be taken off what is measured: the answer of a real provider comes by a
// socket, which is that quick. It reports false when ctx ended first.
func precisely(ctx context.Context, until time.Time) bool {
	if !wait(ctx, time.Until(until.Add(-lastStretch))) {
		return false
	}
	for left := time.Until(until); left > 0; left = time.Until(until) {
		ts := unix.NsecToTimespec(int64(left))
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil) // early is harmless: it looks again
	}
	return ctx.Err() == nil
}

// wait reports false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func cancelled(ctx context.Context) error {
	return fmt.Errorf("played by the script: %w: %w", fault.Cancelled, context.Cause(ctx))
}
