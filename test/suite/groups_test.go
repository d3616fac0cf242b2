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
		parts, err := groups(long)
		require.NoError(t, err)
		var run []string
		for _, g := range parts {
			run = append(run, g.packages...)
			require.Contains(t, g.flags, "-timeout=20m")
		}
		require.ElementsMatch(t, all, run, "long: %v", long)
		require.Contains(t, parts[0].flags, "-race")
		require.Equal(t, long, slices.Contains(parts[0].packages, "flametree/media/amd"))
		require.Contains(t, parts[0].packages, "flametree/actors", "what runs at once is looked at for races by day, too")
		for _, name := range slices.Concat(atDesks(), waiting(), slow()) {
			require.Contains(t, run, "flametree/"+name)
		}
	}
	require.Less(t, rank("flametree/test/agents", atDesks()), rank("flametree/test/mail", atDesks()))
	require.Equal(t, len(slow()), rank("flametree/"+strings.Repeat("x", 3), slow()))
}
