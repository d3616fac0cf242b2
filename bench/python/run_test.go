package python_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/bench/python"
	"flametree/engine/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCallsAreTimedAndInterpretersWeighed(t *testing.T) {
	r, err := python.Run(t.Context(), python.Options{Calls: 80, Workers: 2, Runaway: 1})
	require.NoError(t, err)
	require.Len(t, r.Gates, 3)
	for _, g := range r.Gates {
		require.Positive(t, g.Got, g.Name)
	}
	require.Len(t, r.Plots[0].Series[0].Values, 80)
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	_, err := python.Run(t.Context(), python.Options{Calls: -1})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = python.Run(t.Context(), python.Options{Workers: 65})
	require.ErrorIs(t, err, fault.Invalid)
}
