package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every package is in one group, by day and by night, and every name that a
// list gives a place is that of a package.
func TestEveryPackageIsRunOnce(t *testing.T) {
	t.Chdir("../..")
	all, err := packages()
	require.NoError(t, err)
	for _, long := range []bool{false, true} {
		parts, err := streams(long)
		require.NoError(t, err)
		require.Equal(t, long, len(parts) == 1, "what is measured by night has the machine to itself")
		var run []string
		raced := map[string]bool{}
		for _, g := range slices.Concat(parts...) {
			run = append(run, g.packages...)
			require.Contains(t, g.flags, "-timeout=20m")
			for _, p := range g.packages {
				name := strings.TrimPrefix(p, "flametree/")
				onThePhone := slices.Contains(slices.Concat(waiting(), inTime()), name) || strings.HasPrefix(name, "test/") && !slices.Contains(atDesks(), name)
				require.Equal(t, !long && !onThePhone, g.yields, p)
				raced[p] = slices.Contains(g.flags, "-race")
			}
		}
		require.ElementsMatch(t, all, run, "long: %v", long)
		require.True(t, raced["flametree/actors"], "what runs at once is looked at for races by day, too")
		for _, name := range []string{"media/amd", "bench/voice"} {
			require.Equal(t, long, raced["flametree/"+name], name)
		}
		for _, name := range slices.Concat(atDesks(), waiting(), slow(), listened(), inTime()) {
			require.Contains(t, run, "flametree/"+name)
		}
	}
	require.Less(t, rank("flametree/test/agents", atDesks()), rank("flametree/test/mail", atDesks()))
	require.Equal(t, len(slow()), rank("flametree/"+strings.Repeat("x", 3), slow()))
}
