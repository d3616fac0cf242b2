package chat_test

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/media/wav"
	"flametree/test/house"
)

// speak synthesizes a text in a voice, "" = the agent's.
func speak(t *testing.T, chat *house.Chat, path, text, voice string) wav.Audio {
	t.Helper()
	q := url.Values{"text": {text}, "format": {"wav"}}
	if voice != "" {
		q.Set("voice_name", voice)
	}
	a := chat.JSON(t, http.MethodGet, path+"/synthesize?"+q.Encode(), nil)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	require.Equal(t, "audio/wav", a.Header.Get("Content-Type"))
	sound, err := wav.Decode(a.Body)
	require.NoError(t, err)
	require.NotEmpty(t, sound.PCM)
	return sound
}

func transcribe(t *testing.T, chat *house.Chat, sound wav.Audio) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, wav.Write(&b, sound))
	a, err := chat.Do(t.Context(), house.Request{Method: http.MethodPost, Path: "/transcribe", Type: "audio/wav", Body: &b})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	require.Contains(t, a.Header.Get("Content-Type"), "text/plain")
	return string(a.Body)
}

// What the agent's voice says the agent's ears understand.
func TestSpeechRoundTrip(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	var caps map[string]bool
	chat.JSON(t, http.MethodGet, "/capabilities", nil).Into(t, &caps)
	require.Equal(t, map[string]bool{"has_stt": true, "has_tts": true}, caps)
	id := chat.MustOpen(t, "guest")
	right, all := 0, 0
	for i, text := range []string{
		"how much does a canoe cost for an hour", "may i bring my dog in the kayak", "when does the boat hire open in the morning",
		"what happens if a thunderstorm comes", "do i have to be able to swim",
	} {
		path := ""
		if i%2 == 1 {
			path = "/session/" + id
		}
		heard := transcribe(t, chat, speak(t, chat, path, text, ""))
		r, n := house.WordsRight(text, heard)
		t.Logf("said %q, heard %q", text, heard)
		right, all = right+r, all+n
	}
	t.Logf("figure: %d of %d words right from the voice to the ears over HTTP", right, all)
	require.GreaterOrEqual(t, right*100, all*70)
	silence := wav.Audio{RateHz: 16000, Channels: 1, PCM: make([]int16, 2*16000)}
	require.Empty(t, transcribe(t, chat, silence), "silence has no words")
}

// Another voice takes another time; figures are spoken as words; a stereo file at
// another rate is understood too.
func TestVoicesAndFigures(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	const text = "A canoe costs nineteen euros."
	own, other := speak(t, chat, "", text, ""), speak(t, chat, "", text, "kal16")
	require.NotEqual(t, len(own.PCM)*other.RateHz, len(other.PCM)*own.RateHz)
	// A voice breathes by chance: two renderings have the same length, not the same samples.
	require.Len(t, speak(t, chat, "", text, "slt").PCM, len(own.PCM), "the voice that is the default")
	words, figures := speak(t, chat, "", text, ""), speak(t, chat, "", "A canoe costs €19.", "")
	require.Equal(t, len(words.PCM), len(figures.PCM), "money is spoken as words")
	stereo := wav.Audio{RateHz: own.RateHz, Channels: 2, PCM: make([]int16, 0, 2*len(own.PCM))}
	for _, v := range own.PCM {
		stereo.PCM = append(stereo.PCM, v, v)
	}
	require.Equal(t, transcribe(t, chat, own), transcribe(t, chat, stereo))
}
