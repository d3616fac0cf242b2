// Package crash_test ends the real program in the worst moments and on the worst
// disks, starts it again on what is left, and compares with what its clients
// were told: nothing acknowledged may be missing, doubled or out of order.
package crash_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

// seedKey repeats an earlier run.
const seedKey = "FLAMETREE_SEED"

// chance draws from a seed that is printed.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(seedKey); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("%s=%d repeats this run", seedKey, seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// agentFile is the path of an agent file of ours.
func agentFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name+".yaml"))
	require.NoError(t, err)
	return path
}
