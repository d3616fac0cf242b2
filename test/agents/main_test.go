// Package agents_test lives with agents as their owners do: it starts the real
// program, saves, publishes, restores, exports, imports, copies and tries agents
// by its commands, and talks with them over the Chat API while models, servers
// of tools and APIs stand on loopback. It knows what an owner is promised and
// refuses to look at anything an owner cannot see.
package agents_test

import (
	"fmt"
	"os"
	"testing"

	"flametree/test/house"
)

// The test binary is its own server of tools: started again with this variable,
// it is one, in a process of its own.
const asServer = "FLAMETREE_TEST_MCP"

func TestMain(m *testing.M) {
	kind := os.Getenv(asServer)
	if len(os.Args) == 2 && os.Args[1] == "stdio" { // a sandbox passes no variable on
		kind = os.Args[1]
	}
	if kind != "" {
		if err := serveTools(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(house.Main(m))
}
