package turns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// lateUntil is a server whose packets are late until a moment.
func lateUntil(calmAt time.Time) func(context.Context) (time.Duration, error) {
	return func(context.Context) (time.Duration, error) {
		if time.Now().Before(calmAt) {
			return 80 * time.Millisecond, nil
		}
		return time.Millisecond, nil
	}
}

// TestCallsBeginOnceTheMachineIsCalm: the first after a while of calm, another
// as soon as packets are in time, and none waits for ever.
func TestCallsBeginOnceTheMachineIsCalm(t *testing.T) {
	tests := map[string]struct {
		late          time.Duration // for how long packets are
		settles       bool
		first, second time.Duration // how long calls wait
		held          int
	}{
		"a calm machine":            {0, true, calmFor, 0, 0},
		"one that becomes calm":     {20 * time.Second, true, 20 * time.Second, 0, 0},
		"one that is busy for long": {92 * time.Second, false, calmWithin, 2 * time.Second, 0},
		"one that never is":         {time.Hour, false, calmWithin, roomWithin, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				w := &weather{ask: lateUntil(time.Now().Add(tt.late))}
				go w.watch(ctx)
				begun := time.Now()
				synctest.Wait()
				require.Equal(t, tt.settles, w.settle(ctx))
				require.InDelta(t, tt.first.Seconds(), time.Since(begun).Seconds(), 1.2)
				begun = time.Now()
				w.room(ctx)
				require.InDelta(t, tt.second.Seconds(), time.Since(begun).Seconds(), 1.2)
				cancel()
				synctest.Wait()
				require.Equal(t, tt.held, w.held)
				require.NotEmpty(t, w.pacer)
				require.NotEmpty(t, w.ticks)
			})
		})
	}
}

// TestCallsBeginOneAfterTheOther: many that could begin at once are spread out.
func TestCallsBeginOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := house{opt: Options{Now: true}, door: make(chan struct{}, 1)}
		begun := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { h.begin(t.Context()) })
		}
		all.Wait()
		require.Equal(t, 10*spacing, time.Since(begun))
	})
}

func TestABusyMachineIsToldFromABusyAgent(t *testing.T) {
	tests := map[string]struct {
		of   *weather
		busy bool
	}{
		"nothing known":      {&weather{}, false},
		"all in time":        {&weather{pacer: []float64{1, 2, 3}, frames: 10_000, late: 49}, false},
		"the server is late": {&weather{pacer: []float64{1, 2, 30}, frames: 10_000}, true},
		"the callers are":    {&weather{pacer: []float64{1, 2, 3}, frames: 10_000, late: 51}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.busy, tt.of.busy())
			r := (&house{opt: Options{}, weather: tt.of}).report(time.Second)
			require.Equal(t, tt.busy, strings.Contains(strings.Join(r.Notes, " "), "too busy"))
		})
	}
}

func TestHowLateTheServerIsIsReadFromItsMetrics(t *testing.T) {
	text := "# HELP " + lateMetric + " Lateness.\n# TYPE " + lateMetric + " gauge\n" + lateMetric + " 0.0125\n"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/metrics", r.URL.Path)
		_, _ = fmt.Fprint(w, text)
	}))
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := asking(client, strings.TrimPrefix(srv.URL, "http://"))
	late, err := ask(t.Context())
	require.NoError(t, err)
	require.Equal(t, 12500*time.Microsecond, late)
	text = "nothing 1\n"
	_, err = ask(t.Context())
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ask(ctx)
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}
