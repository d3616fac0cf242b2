// Package webrtc measures calls from browsers: peers of pion's in a process of
// their own, which call by the agent's socket and speak Opus, in the place of the
// telephones of bench/voice, by which everything else is done: the server, what
// is said, and who judges it. What a real browser adds on its side is not here.
package webrtc

import (
	"context"
	"time"

	"flametree/bench/report"
	"flametree/bench/voice"
)

// Options of a run. The zero value is 100 calls of 20 s.
type Options struct {
	Calls   int
	Length  time.Duration // during which all calls are up
	Profile string        // file for a CPU profile of the server; "" = none
}

// Run makes the calls and judges them, as voice.Run does.
func Run(ctx context.Context, opt Options) (report.Report, error) {
	if opt.Calls == 0 {
		opt.Calls = 100
	}
	if opt.Length == 0 {
		opt.Length = 20 * time.Second
	}
	return voice.Run(ctx, voice.Options{Calls: opt.Calls, Length: opt.Length, Profile: opt.Profile, Browser: true})
}
