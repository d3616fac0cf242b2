package policy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// HealthState is one of the three below (spec D3).
type HealthState string

// The states of a provider's health.
const (
	OK       HealthState = "ok"
	Degraded HealthState = "degraded" // failed lately, or not asked yet
	Failed   HealthState = "failed"   // fails again and again, or refuses the key or the model
)

// Report is the health of a provider.
type Report struct {
	State   HealthState
	Reason  string // of what is not ok; without keys and texts
	Since   time.Time
	Checked time.Time // the last request or probe that told something
}

// HealthOptions of a Health.
type HealthOptions struct {
	Every   time.Duration // without a request, a probe; 0 = 60 s
	Timeout time.Duration // of a probe; 0 = 10 s
	Failed  int           // failures in a row that are more than degraded; 0 = 3
	Probe   func(ctx context.Context) error
}

// Health knows how a provider does: from the requests that pass through it, and
// from a probe when there are none. It is safe for concurrent use.
type Health struct {
	o     HealthOptions
	moved chan struct{} // a request told something: the probe may wait

	mu     sync.Mutex
	report Report
	row    int // failures one after another
}

// NewHealth makes a Health. Nothing is asked before Run.
func NewHealth(o HealthOptions) *Health {
	if o.Every <= 0 {
		o.Every = time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Failed <= 0 {
		o.Failed = 3
	}
	return &Health{o: o, moved: make(chan struct{}, 1), report: Report{State: Degraded, Reason: "not asked yet", Since: time.Now()}}
}

// Run probes at once and then whenever nothing was asked for Every, until ctx
// ends.
func (h *Health) Run(ctx context.Context) error {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.moved:
		case <-t.C:
			h.probe(ctx)
		}
		t.Reset(h.o.Every)
	}
}

func (h *Health) probe(ctx context.Context) {
	if h.o.Probe == nil {
		return
	}
	in, cancel := context.WithTimeout(ctx, h.o.Timeout)
	defer cancel()
	err := h.o.Probe(in)
	if ctx.Err() == nil { // at the end of Run nothing is learnt
		h.learn(judged(in, err, err == nil), err)
	}
}

// Report is the health now.
func (h *Health) Report() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.report
}

// learn takes in one outcome. A refused key or an unknown model will not mend
// by itself; an invalid request says that the provider is there.
func (h *Health) learn(v verdict, err error) {
	k := fault.KindOf(err)
	if v == neither {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	state, reason := OK, ""
	switch {
	case k == fault.Denied || k == fault.NotFound:
		h.row++
		state, reason = Failed, err.Error()
	case v == bad:
		h.row++
		if state = Degraded; h.row >= h.o.Failed {
			state = Failed
		}
		if reason = errSlow.Error(); err != nil {
			reason = err.Error()
		}
	default:
		h.row = 0
	}
	if state != h.report.State {
		h.report.Since = now
	}
	h.report.State, h.report.Reason, h.report.Checked = state, reason, now
}

// told is learn for requests: the next probe moves away.
func (h *Health) told(v verdict, err error) {
	h.learn(v, err)
	if v == neither {
		return
	}
	select {
	case h.moved <- struct{}{}:
	default: // it is moved already
	}
}

func (h *Health) enter() error { return nil }

// Completer is c, watched.
func (h *Health) Completer(c provider.Completer) provider.Completer {
	return observed{inner: c, enter: h.enter, leave: h.told}
}

// Embedder is e, watched.
func (h *Health) Embedder(e provider.Embedder) provider.Embedder {
	return observedEmbedder{Embedder: e, enter: h.enter, leave: h.told}
}

// Ping is a probe that asks a model for one word.
func Ping(c provider.Completer) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		q := provider.Request{
			Messages:  []provider.Message{{Role: provider.RoleUser, Text: "Say ok."}},
			MaxTokens: 16, Temperature: -1, // 16 is the least that some servers take
		}
		n := 0
		for _, err := range c.Complete(ctx, q) {
			if err != nil {
				return err
			}
			n++
		}
		if n == 0 {
			return fmt.Errorf("the model answered nothing: %w", fault.Unavailable)
		}
		return nil
	}
}

// PingEmbedder is a probe that embeds one word.
func PingEmbedder(e provider.Embedder) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := e.Embed(ctx, []string{"ok"})
		return err
	}
}

// pingLength is the sound that a recogniser is probed with: more than the least
// that any vendor takes.
const pingLength = 8000 // samples at 16 kHz

// hum is a square wave of 250 Hz: silence would not be sent to a vendor that is
// asked by requests.
func hum() []int16 {
	const level = 3000
	pcm := make([]int16, pingLength)
	for i := range pcm {
		if pcm[i] = level; i/32%2 == 1 {
			pcm[i] = -level
		}
	}
	return pcm
}

// PingEars is a probe that has a recogniser hear half a second of a hum.
func PingEars(t provider.Transcriber) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		s, err := t.Open(ctx, provider.Format{RateHz: 16000, BandHz: 16000})
		if err != nil {
			return err
		}
		// What fails here is told by Heard.
		_ = s.Write(hum())
		_ = s.Finalize()
		_ = s.CloseSend()
		heard := false
		for h, err := range s.Heard() {
			if err != nil {
				return err
			}
			heard = heard || h.Final
		}
		if !heard {
			return fmt.Errorf("the recogniser did not answer: %w", fault.Unavailable)
		}
		return nil
	}
}

// PingMouth is a probe that has a voice say one word.
func PingMouth(y provider.Synthesizer, v provider.Voice) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		s, err := y.Open(ctx, v)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		if err := s.Speak("ok", 1, 1); err != nil {
			return err
		}
		for a, err := range s.Audio() {
			if err != nil || a.Last {
				return err
			}
		}
		return fmt.Errorf("the voice said nothing: %w", fault.Unavailable)
	}
}
