package chat_test

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

	"flametree/bench/chat"
	"flametree/bench/rig"
	"flametree/engine/fault"
)

// TestMain also plays the server: a test binary starts itself, as bench does.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == rig.ServerName {
		if err := rig.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestTurnsAreTimedForEachNumberOfClients(t *testing.T) {
	r, err := chat.Run(t.Context(), chat.Options{Length: 500 * time.Millisecond, Clients: []int{1, 3}})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, r.JSON(&out))
	var got struct {
		Metrics struct {
			One   struct{ P50, P99 float64 } `json:"turn_ms_1"`
			Three struct{ P50, P99 float64 } `json:"turn_ms_3"`
			Rate  float64                    `json:"turns_per_second_3"`
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Positive(t, got.Metrics.One.P50)
	require.GreaterOrEqual(t, got.Metrics.One.P99, got.Metrics.One.P50)
	require.Positive(t, got.Metrics.Three.P50)
	require.Positive(t, got.Metrics.Rate)
	require.Len(t, r.Gates, 1)
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	_, err := chat.Run(t.Context(), chat.Options{Length: -time.Second})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = chat.Run(t.Context(), chat.Options{Sessions: -1})
	require.ErrorIs(t, err, fault.Invalid)
}
