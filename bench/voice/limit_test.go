package voice

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The search ends beside the limit, wherever it lies, in few runs.
func TestTheLimitIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 10_000).Draw(t, "limit")
		runs := 0
		good, bad, err := search(fewest, func(calls int) (bool, error) {
			runs++
			return calls <= limit, nil
		})
		require.NoError(t, err)
		require.LessOrEqual(t, runs, 20)
		require.LessOrEqual(t, good, limit)
		if bad == 0 {
			require.GreaterOrEqual(t, limit, mostEver)
			return
		}
		require.Greater(t, bad, limit)
		require.LessOrEqual(t, float64(bad-good), max(1, nearness*float64(bad)))
	})
}

func TestARunThatCannotBeMadeEndsTheSearch(t *testing.T) {
	broken := errors.New("no socket")
	_, _, err := search(fewest, func(int) (bool, error) { return false, broken })
	require.ErrorIs(t, err, broken)
}
