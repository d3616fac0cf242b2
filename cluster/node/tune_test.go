package node

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// untuned gives the runtime back as it was.
func untuned(t *testing.T) {
	t.Helper()
	procs, gc, limit := runtime.GOMAXPROCS(0), debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(procs)
		debug.SetGCPercent(gc)
		debug.SetMemoryLimit(limit)
	})
}

// TestTuneMakesRoomForTheMediasThreads: they keep processors, so there are as
// many more, and without those they keep none.
func TestTuneMakesRoomForTheMediasThreads(t *testing.T) {
	untuned(t)
	runtime.GOMAXPROCS(runtime.NumCPU())
	require.False(t, PacerOptions().Hold, "it would leave nothing to work with")
	require.False(t, ReaderOptions().Hold)
	Tune()
	p, r := PacerOptions(), ReaderOptions()
	require.True(t, p.Hold)
	require.True(t, r.Hold)
	require.True(t, p.RealTime)
	require.Equal(t, runtime.NumCPU(), runtime.GOMAXPROCS(0)-p.Shards-r.Threads, "one for each core is left to the rest")
	require.Positive(t, r.Threads)
}

// TestTuneLeavesWhatTheOperatorSet: GOGC and GOMEMLIMIT are theirs.
func TestTuneLeavesWhatTheOperatorSet(t *testing.T) {
	untuned(t)
	Tune()
	require.Equal(t, 200, debug.SetGCPercent(50))
	require.EqualValues(t, machineMemory()/2, debug.SetMemoryLimit(-1))
	debug.SetMemoryLimit(1 << 30)
	Tune()
	require.Equal(t, 50, debug.SetGCPercent(50))
	require.EqualValues(t, 1<<30, debug.SetMemoryLimit(-1))
}
