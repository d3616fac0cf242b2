package pebble_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/persist/journal"
	"flametree/persist/journal/pebble"
)

// collect reads count events from position 1 on.
func collect(t *testing.T, j journal.Journal, count int) []event.Envelope {
	t.Helper()
	var got []event.Envelope
	for env, err := range j.Subscribe(t.Context(), 1) {
		require.NoError(t, err)
		if got = append(got, env); len(got) == count {
			break
		}
	}
	return got
}

// What a subscriber gets from memory is what the store holds: more events than
// memory keeps, so that both are read in one go.
func TestSubscribersGetTheSameFromMemoryAndFromTheStore(t *testing.T) {
	const count = 1500
	dir := t.TempDir()
	j, err := pebble.Open(dir, options(nil))
	require.NoError(t, err)
	for n := range 3 {
		var texts []string
		for range count / 3 {
			texts = append(texts, "how much is it?")
		}
		b := batch(n, 0, texts[1:]...)
		b.Events = append(b.Events, event.SessionCreated{Buttons: []string{}}) // stored as none at all
		_, err = j.Append(t.Context(), b)
		require.NoError(t, err)
	}
	fromMemory := collect(t, j, count)
	require.NoError(t, j.Close())
	again := open(t, dir, options(nil))
	require.Equal(t, collect(t, again, count), fromMemory)
}

// Forgetting reaches what is in memory, and what was on its way to it.
func TestMemoryForgetsToo(t *testing.T) {
	j := open(t, t.TempDir(), options(nil))
	_, err := j.Append(t.Context(), batch(1, 0, "my number is 4711"))
	require.NoError(t, err)
	require.Equal(t, said("my number is 4711"), collect(t, j, 1)[0].Body)
	require.NoError(t, j.Forget(t.Context(), session(1).Tenant, "person 1"))
	body, ok := collect(t, j, 1)[0].Body.(event.MessageReceived)
	require.True(t, ok)
	require.True(t, body.Text.Erased)
}
