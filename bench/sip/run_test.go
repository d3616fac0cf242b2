package sip_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/bench/sip"
	"flametree/engine/fault"
)

// TestMain also plays the children: a test binary starts itself, as bench does.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		children := map[string]func() error{
			sip.ServerName:  func() error { return sip.Serve(context.Background(), os.Stdin, os.Stdout) },
			sip.CallersName: func() error { return sip.Callers(context.Background(), os.Stdin, os.Stdout) },
			sip.BareName:    func() error { return sip.Bare(context.Background(), os.Stdin, os.Stdout) },
		}
		if child := children[os.Args[1]]; child != nil {
			if err := child(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

// Every call of a short run is set up, ended and told in the journal, ours and
// those of a foreign phone; the peers take their calls too.
func TestCallsAreSetUpAndToldBesideTheirPeers(t *testing.T) {
	r, err := sip.Run(t.Context(), sip.Options{Rate: 20, Length: time.Second, Peers: time.Second})
	require.NoError(t, err, "a call failed, or the journal tells of others")
	var out bytes.Buffer
	require.NoError(t, r.JSON(&out))
	type one struct {
		Calls, Failed int
		CPU           float64 `json:"cpu_ms_per_call"`
	}
	var got struct {
		Metrics struct {
			one
			Events   float64 `json:"events_per_call"`
			Sipp     one     `json:"sipp_calls_us"`
			Bare     one     `json:"bare_sipgo"`
			Kamailio one     `json:"kamailio_relay"`
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	m := got.Metrics
	for name, o := range map[string]one{"ours": m.one, "sipp": m.Sipp, "bare sipgo": m.Bare, "kamailio": m.Kamailio} {
		require.Equal(t, 20, o.Calls, name)
		require.Zero(t, o.Failed, name)
	}
	require.Positive(t, m.CPU)
	require.GreaterOrEqual(t, m.Events, 4.0, "a call is offered and ended, a session created and ended")
	for _, c := range r.Checks {
		require.True(t, c.Holds(), c.Name)
		require.Positive(t, c.Left, c.Name)
	}
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	for name, opt := range map[string]sip.Options{
		"a negative rate":  {Rate: -1},
		"too many sockets": {Sockets: 1000},
		"no call at all":   {Rate: 1, Length: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sip.Run(t.Context(), opt)
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
}
