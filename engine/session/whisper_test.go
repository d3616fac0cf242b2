package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
)

func TestTheNewestFiveWhispersAreKept(t *testing.T) {
	var s session.State
	s.Apply(event.Envelope{Seq: 1, Body: event.SessionCreated{Agent: "a"}})
	for i := range 7 {
		events, err := s.Whisper("anna", fmt.Sprintf("hint %d", i))
		require.NoError(t, err)
		before := s.Whispers
		s.Apply(event.Envelope{Seq: s.Seq + 1, Body: events[0]})
		for j, w := range before { // a view of the older state is not touched
			require.Equal(t, fmt.Sprintf("hint %d", max(0, i-5)+j), w.Text)
		}
	}
	require.Len(t, s.Whispers, 5)
	require.Equal(t, session.Whisper{By: "anna", Text: "hint 2"}, s.Whispers[0])
	require.Equal(t, "hint 6", s.Whispers[4].Text)
}

func TestAWhisperNamesItsAuthorAndSaysSomething(t *testing.T) {
	var s session.State
	s.Apply(event.Envelope{Seq: 1, Body: event.SessionCreated{Agent: "a"}})
	for name, w := range map[string][2]string{
		"nobody": {"", "x"}, "nothing": {"anna", "  "}, "too long": {"anna", strings.Repeat("x", 3000)}, "no text": {"anna", "\xff"},
	} {
		_, err := s.Whisper(w[0], w[1])
		require.ErrorIs(t, err, fault.Invalid, name)
	}
	s.Apply(event.Envelope{Seq: 2, Body: event.SessionEnded{Status: event.Completed}})
	_, err := s.Whisper("anna", "too late")
	require.Error(t, err)
}
