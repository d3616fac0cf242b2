package voice_test

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

	"flametree/bench/rig"
	"flametree/bench/voice"
	"flametree/engine/fault"
)

// TestMain also plays the children: a test binary starts itself, as bench does.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 {
		children := map[string]func() error{
			rig.ServerName:    func() error { return rig.Serve(context.Background(), os.Stdin, os.Stdout) },
			voice.LegsName:    func() error { return voice.Legs(context.Background(), os.Stdin, os.Stdout) },
			voice.CallersName: func() error { return voice.Callers(context.Background(), os.Stdin, os.Stdout) },
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

// The sums are given more room than in a run that is long enough for one
// percent to be more than a packet.
const room = 0.06

func TestTwoCallsAreHeardAnsweredAndInterrupted(t *testing.T) {
	r, err := voice.Run(t.Context(), voice.Options{Calls: 2, Length: 4 * time.Second, Period: 3 * time.Second, Interrupt: 2})
	if err != nil {
		require.NotErrorIs(t, err, fault.Unavailable, "a call failed")
		require.NotEmpty(t, r.Checks, "%v", err)
	}
	for _, c := range r.Checks {
		require.LessOrEqual(t, c.Off(), room, "%s: %v against %v", c.Name, c.Left, c.Right)
		require.Positive(t, c.Left, c.Name)
	}
	var out bytes.Buffer
	require.NoError(t, r.JSON(&out))
	var got struct {
		Metrics struct {
			Overhead, Silence, Pacing struct {
				P50, P99 float64
				N        int
			}
			Interrupt struct{ P50 float64 } `json:"interrupt_to_silence_ms"`
			CPU       float64               `json:"cpu_percent_per_call"`
			Turns     int
		}
	}
	text := bytes.ReplaceAll(out.Bytes(), []byte("_ms\":{\"p50"), []byte("\":{\"p50"))
	require.NoError(t, json.Unmarshal(text, &got))
	m := got.Metrics
	require.GreaterOrEqual(t, m.Turns, 4)
	require.Equal(t, m.Turns, m.Overhead.N, "every turn was measured")
	require.Positive(t, m.Overhead.P50, "an answer cannot come before the script lets it")
	require.Less(t, m.Overhead.P50, 500.0)
	require.Positive(t, m.Silence.N)
	require.Less(t, m.Silence.P50, 500.0)
	require.Greater(t, m.Pacing.N, 100)
	require.Less(t, m.Pacing.P50, 20.0)
	require.Positive(t, m.CPU)
}

// Legs alone carry both directions in any codec, and every packet is counted on
// both sides.
func TestLegsAloneCarryEveryPacket(t *testing.T) {
	for _, codec := range []string{"PCMU", "opus"} {
		t.Run(codec, func(t *testing.T) {
			r, err := voice.Run(t.Context(), voice.Options{Calls: 3, Length: 2 * time.Second, Mode: voice.Packets, Codec: codec})
			if err != nil {
				require.NotErrorIs(t, err, fault.Unavailable, "a call failed")
			}
			require.Len(t, r.Checks, 2)
			for _, c := range r.Checks {
				require.Greater(t, c.Left, 200.0, c.Name)
				require.LessOrEqual(t, c.Off(), room, "%s: %v against %v", c.Name, c.Left, c.Right)
			}
		})
	}
}
