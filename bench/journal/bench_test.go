package journal_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/bench/journal"
	"flametree/engine/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestARunMeasuresAllThreeSystems(t *testing.T) {
	opt := journal.Options{Writers: []int{1, 8}, Duration: 900 * time.Millisecond, Dir: t.TempDir()}
	if d, err := time.ParseDuration(os.Getenv("BENCH_JOURNAL")); err == nil {
		opt.Writers, opt.Duration = []int{1, 16, 256}, d
	}
	r, err := journal.Run(t.Context(), opt)
	require.NoError(t, err)
	require.Greater(t, r.Bytes, 200)
	for _, row := range r.Rows {
		require.Positive(t, row.Events)
		require.GreaterOrEqual(t, row.P99, row.P50)
		t.Logf("%8s %4d writers %9.0f/s p50 %8v p99 %8v cpu %v", row.System, row.Writers, row.Rate, row.P50, row.P99, row.CPU)
	}
	require.Len(t, r.Rows, 3*len(opt.Writers))
	for _, writers := range opt.Writers {
		require.Positive(t, r.Ratios[writers])
		t.Logf("ratio with %d writers: %.2f", writers, r.Ratios[writers])
	}
	require.Contains(t, r.Metrics(), "journal_1")
	left, err := os.ReadDir(opt.Dir)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left behind")
}

func TestBadOptionsAndAnEndedContextAreErrors(t *testing.T) {
	_, err := journal.Run(t.Context(), journal.Options{Writers: []int{0}})
	require.ErrorIs(t, err, fault.Invalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = journal.Run(ctx, journal.Options{Writers: []int{1}, Duration: time.Second, Dir: t.TempDir()})
	require.ErrorIs(t, err, context.Canceled)
}
