package ingest_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	bench "flametree/bench/ingest"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ingest.Command {
		os.Exit(ingest.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

func TestARunReadsEveryFormat(t *testing.T) {
	opt := bench.Options{PDF: 2 << 20, Other: 1 << 20, Dir: t.TempDir()}
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		opt.PDF, opt.Other = 100<<20, 20<<20
	}
	r, err := bench.Run(t.Context(), opt)
	require.NoError(t, err)
	require.NoError(t, r.Failed())
	require.Len(t, r.Metrics, 7)
	for _, g := range r.Gates {
		require.True(t, g.Met(), "%s: %s", g.Name, g.Measured())
	}
	require.NoError(t, r.Table(t.Output()))
	left, err := os.ReadDir(opt.Dir)
	require.NoError(t, err)
	require.Empty(t, left, "nothing is left behind")
	_, err = bench.Run(t.Context(), bench.Options{PDF: -1})
	require.ErrorIs(t, err, fault.Invalid)
}
