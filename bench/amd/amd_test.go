package amd_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/bench/amd"
)

// TestPeopleAndMachinesAreToldApart renders recordings that no rule was made on
// and holds the bench's own promises on them.
func TestPeopleAndMachinesAreToldApart(t *testing.T) {
	r, err := amd.Run(t.Context(), amd.Options{Seed: 77, N: 40})
	require.NoError(t, err)
	for _, m := range r.Metrics {
		t.Logf("figure: amd %s %v", m.Name, m.Of)
	}
	for _, n := range r.Notes {
		t.Log(n)
	}
	for _, g := range r.Gates {
		require.True(t, g.Met(), "%s: %v, promised %v", g.Name, g.Got, g.Want)
	}
}
