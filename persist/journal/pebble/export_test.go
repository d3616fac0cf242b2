package pebble

import (
	"log/slog"
	"testing"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/persist/vault"
)

// EventKey is the key of an event.
func EventKey(s event.Stream, seq uint64) []byte { return eventKey(streamKey(s), seq) }

// HeadKey is the key of a stream's head.
func HeadKey(s event.Stream) []byte { return row(tableHead, streamKey(s)) }

// GlobalKey is the key of a position's pointer.
func GlobalKey(pos uint64) []byte { return globalKey(pos) }

// Spoil deletes a row behind the journal's back, while it is open, and gives
// what Verify says to it.
func Spoil(t *testing.T, fs vfs.FS, dir string, key []byte) (problems []string) {
	t.Helper()
	j, err := Open(dir, Options{Vault: vault.New([32]byte{1}), FS: fs, Log: slog.New(slog.DiscardHandler), LowWater: 1})
	require.NoError(t, err)
	if key != nil {
		require.NoError(t, j.db.Delete(key, pdb.Sync))
	}
	report, err := j.Verify(t.Context(), nil)
	require.NoError(t, err)
	require.EqualValues(t, len(report.Problems), report.Found)
	for _, p := range report.Problems {
		problems = append(problems, p.Where+": "+p.What)
	}
	require.NoError(t, j.Close())
	return problems
}
