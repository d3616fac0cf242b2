package pebble

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
)

func TestWhatWasEncodedBeforeSomebodyWasForgottenIsNotKept(t *testing.T) {
	var m tail
	before := m.era()
	m.put([]event.Envelope{{Position: 1}}, before)
	_, kept := m.get(1)
	require.True(t, kept)
	m.clear()
	m.put([]event.Envelope{{Position: 2}}, before)
	for position := range uint64(3) {
		_, kept = m.get(position + 1)
		require.False(t, kept, position+1)
	}
	m.put([]event.Envelope{{Position: 3 + tailEvents}, {Position: 4}}, m.era())
	_, kept = m.get(3)
	require.False(t, kept, "another event has its place")
	_, kept = m.get(4)
	require.True(t, kept)
}
