package policy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/policy"
)

// TestHealth follows a provider through a bad day.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := plays(says("ok"))
		h := policy.NewHealth(policy.HealthOptions{Probe: policy.Ping(m)})
		if r := h.Report(); r.State != policy.Degraded || r.Reason == "" {
			t.Errorf("before all: %+v", r)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = h.Run(ctx)
		}()
		at := func(state policy.HealthState, probes int) policy.Report {
			t.Helper()
			synctest.Wait()
			r := h.Report()
			if r.State != state || m.count() != probes || (r.Reason == "") != (state == policy.OK) {
				t.Fatalf("%+v after %d probes, want %s after %d", r, m.count(), state, probes)
			}
			return r
		}
		since := at(policy.OK, 1).Since
		time.Sleep(60 * time.Second)
		if r := at(policy.OK, 2); r.Since != since || !r.Checked.After(since) {
			t.Errorf("%+v", r)
		}
		time.Sleep(30 * time.Second)
		c := h.Completer(plays(fails(errAway)))
		ask(t, c, provider.Request{}) // a request moves the next probe away
		down := at(policy.Degraded, 2).Since
		time.Sleep(59 * time.Second)
		at(policy.Degraded, 2)
		m.turns(fails(errAway))
		time.Sleep(time.Second)
		at(policy.Degraded, 3)
		time.Sleep(time.Minute)
		if r := at(policy.Failed, 4); !r.Since.After(down) || !strings.Contains(r.Reason, "away") {
			t.Errorf("%+v", r)
		}
		ask(t, h.Completer(plays(fails(fault.Cancelled))), provider.Request{}) // says nothing
		at(policy.Failed, 4)
		ask(t, h.Completer(plays(says("a"))), provider.Request{})
		at(policy.OK, 4)
		ask(t, h.Completer(plays(fails(fault.Denied))), provider.Request{})
		at(policy.Failed, 4)
		cancel()
		<-ended
	})
}

// dim is an embedder that fails as often as it is told.
type dim struct {
	fails int
	asked int
}

func (d *dim) Dim() int { return 1 }

func (d *dim) Embed(context.Context, []string) ([][]float32, error) {
	if d.asked++; d.asked <= d.fails {
		return nil, errAway
	}
	return [][]float32{{1}}, nil
}

func TestEmbeddersAreRetriedAndWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dim{fails: 2}
		h := policy.NewHealth(policy.HealthOptions{})
		b := policy.NewBreaker(policy.BreakerOptions{Window: 4, Least: 3})
		e := policy.RetryEmbedder(b.Embedder(h.Embedder(d)), policy.RetryOptions{})
		if v, err := e.Embed(t.Context(), []string{"a"}); err != nil || len(v) != 1 || d.asked != 3 || e.Dim() != 1 {
			t.Errorf("%v, %v after %d requests", v, err, d.asked)
		}
		if r := h.Report(); r.State != policy.OK {
			t.Errorf("%+v", r)
		}
		d.fails = 100
		for range 5 {
			_, _ = e.Embed(t.Context(), []string{"a"}) // it fails
		}
		if s, _ := b.State(); s != policy.Open {
			t.Errorf("%s after %d requests", s, d.asked)
		}
		if err := policy.PingEmbedder(e)(t.Context()); !errors.Is(err, policy.ErrOpen) {
			t.Error(err)
		}
	})
}
