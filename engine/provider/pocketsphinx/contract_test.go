package pocketsphinx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/engine/provider/pocketsphinx"
	"flametree/engine/provider/providertest"
)

// said renders words with the built-in voice, with silence around them.
func said(t *testing.T, text string) []int16 {
	t.Helper()
	voice, err := flite.New(flite.Options{Voice: "rms"})
	require.NoError(t, err)
	s, err := voice.Open(t.Context(), provider.Voice{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Speak(text, 1, 1))
	pcm := make([]int16, 8000)
	for a, err := range s.Audio() {
		require.NoError(t, err)
		if pcm = append(pcm, a.PCM...); a.Last {
			break
		}
	}
	return append(pcm, make([]int16, 8000)...)
}

func TestContract(t *testing.T) {
	ears := pocketsphinx.New(pocketsphinx.Options{Dir: t.TempDir()})
	t.Cleanup(ears.Close)
	providertest.RunTranscriber(t, ears, provider.Format{
		RateHz: 16000, BandHz: 16000, Hints: provider.Hints{Key: "t", Texts: []string{"How do I block a lost card?", "Call the bank."}},
	}, said(t, "how do i block a lost card"))
}

func TestWhatCannotBeHeardIsRefused(t *testing.T) {
	ears := pocketsphinx.New(pocketsphinx.Options{Dir: t.TempDir(), ModelDir: t.TempDir()})
	_, err := ears.Open(t.Context(), provider.Format{RateHz: 8000})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = ears.Open(t.Context(), provider.Format{RateHz: 16000})
	require.ErrorIs(t, err, fault.Unavailable)
	require.ErrorContains(t, err, "apt-get install pocketsphinx-en-us")
}
