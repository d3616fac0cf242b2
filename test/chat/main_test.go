// Package chat_test speaks to the real program as the documented Chat API's
// clients do, over HTTP and WebSocket, and runs its commands as a newcomer would.
package chat_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

// agents are the paths of agent files of ours.
func agents(t *testing.T, names ...string) []string {
	t.Helper()
	out := make([]string, len(names))
	for i, n := range names {
		path, err := filepath.Abs(filepath.Join("testdata", n+".yaml"))
		require.NoError(t, err)
		out[i] = path
	}
	return out
}

// serve runs a server with agents of ours. When the test is over, every
// conversation that took place is decided again, while the server still runs.
func serve(t *testing.T, names ...string) *house.Server {
	t.Helper()
	s := house.Serve(t, house.Options{Silent: true, Agents: agents(t, names...)})
	t.Cleanup(func() {
		if !t.Failed() && s.Running() {
			replays(t, s)
		}
	})
	return s
}

// row is a line of `sessions list --json`.
type row struct {
	ID, Agent, Channel, Status string
	Turns                      int
}

func sessions(t *testing.T, data string) []row {
	t.Helper()
	var out []row
	for line := range strings.Lines(house.Must(t, "--data", data, "sessions", "list", "--json", "--most", "1000")) {
		var r row
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		out = append(out, r)
	}
	return out
}

// replays decides every conversation of a folder again and finds no difference.
func replays(t *testing.T, s *house.Server) {
	t.Helper()
	for _, r := range sessions(t, s.Data) {
		equal(t, s.Data, r.ID)
	}
}

// equal decides one conversation again.
func equal(t *testing.T, data, session string) {
	t.Helper()
	var report struct {
		Inputs, Decisions int
		Differences       []any
	}
	require.NoError(t, json.Unmarshal([]byte(house.Must(t, "--data", data, "replay", session, "--json")), &report))
	require.NotZero(t, report.Inputs)
	require.NotNil(t, report.Differences)
	require.Empty(t, report.Differences, "session %s", session)
}
