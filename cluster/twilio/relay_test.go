package twilio_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/provider"
	media "flametree/media/twilio"
)

func TestACallWithTwiliosOwnSpeech(t *testing.T) {
	h := open(t, "speech=twilio", "voice_model=Polly.Salli", "speech_model=googlev2_telephony")
	c, err := h.far.Call(them)
	require.NoError(t, err)
	in := h.take()
	relay, ok := in.Leg.(*media.Relay)
	require.True(t, ok, "a leg of words")
	voice, err := relay.Speaks().Open(t.Context(), provider.Voice{})
	require.NoError(t, err)
	require.NoError(t, voice.Speak("Good morning.", 1, 1))
	for a := range voice.Audio() {
		require.NoError(t, relay.Play(t.Context(), a.Gen, a.PCM, a.RateHz))
		break
	}
	ears, err := relay.Hears().Open(t.Context(), provider.Format{})
	require.NoError(t, err)
	far, err := c.Relay()
	require.NoError(t, err)
	require.Contains(t, c.TwiML()[0], `ttsProvider="Amazon" voice="Salli" transcriptionProvider="Google" speechModel="telephony"`)
	require.Eventually(t, func() bool { return len(far.Cycles()) == 1 && far.Cycles()[0] == "Good morning. " }, 5*time.Second, 5*time.Millisecond)
	far.Prompt("hello there", true)
	for heard := range ears.Heard() {
		require.Equal(t, "hello there", heard.Text)
		require.True(t, heard.Final)
		break
	}
	taped, ok := in.Line.(interface{ RecordThere(context.Context) error })
	require.True(t, ok)
	h.far.Repeat = 99
	require.NoError(t, taped.RecordThere(t.Context()))
	require.ErrorIs(t, taped.RecordThere(t.Context()), fault.Conflict, "once is enough")
	require.NoError(t, relay.Close())
	require.Eventually(t, func() bool { return len(c.TwiML()) == 2 }, 5*time.Second, 5*time.Millisecond)
	require.Contains(t, c.TwiML()[1], "<Hangup>", "what follows the session is the end")
	<-c.Over()
	require.True(t, far.Ended())
	tape := <-h.tapes
	require.Equal(t, 7*time.Second, tape.Length)
	require.Equal(t, c.SID, tape.Call)
	file, err := tape.Fetch(t.Context())
	require.NoError(t, err)
	b, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Contains(t, string(b), "RIFF")
	h.far.Close()
	require.Empty(t, h.tapes, "told a hundred times, kept once")
}
