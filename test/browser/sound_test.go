package browser_test

import (
	"bytes"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/wav"
	"flametree/test/house"
)

// frame is 10 ms.
const frame = rateHz / 100

// voiced is the level in dB, of 16-bit samples, from which a frame is speech.
const voiced = 40

func level(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return 0
	}
	return 10 * math.Log10(sum/float64(len(pcm)))
}

// spurt is a stretch of speech in what was heard.
type spurt struct {
	from, to time.Duration
	pcm      []int16
}

// spurts are the stretches between silences of at least a length.
func spurts(pcm []int16, silence time.Duration) []spurt {
	var out []spurt
	at := func(i int) time.Duration { return time.Duration(i) * time.Second / rateHz }
	for i := 0; i+frame <= len(pcm); i += frame {
		if level(pcm[i:i+frame]) < voiced {
			continue
		}
		if n := len(out); n > 0 && at(i)-out[n-1].to < silence {
			out[n-1].to = at(i + frame)
			continue
		}
		out = append(out, spurt{from: at(i), to: at(i + frame)})
	}
	for i, s := range out {
		out[i].pcm = pcm[int(s.from.Seconds()*rateHz):int(s.to.Seconds()*rateHz)]
	}
	return out
}

// words recognises what was heard, sentence by sentence, with the ears of the server.
func words(t *testing.T, s *house.Server, pcm []int16) string {
	t.Helper()
	chat := s.Chat(s.Agent(t, "Island"))
	var out []string
	for _, p := range spurts(pcm, 400*time.Millisecond) {
		if p.to-p.from < 150*time.Millisecond {
			continue
		}
		a, err := chat.Do(t.Context(), house.Request{Method: http.MethodPost, Path: "/transcribe", Type: "audio/wav", Body: narrow(t, p.pcm)})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
		out = append(out, string(a.Body))
	}
	return strings.Join(out, " ")
}

// narrow makes a file of 16 kHz, with some silence around the words.
func narrow(t *testing.T, pcm []int16) *bytes.Buffer {
	t.Helper()
	dir := t.TempDir()
	wide, small := filepath.Join(dir, "48.wav"), filepath.Join(dir, "16.wav")
	f, err := os.Create(wide)
	require.NoError(t, err)
	require.NoError(t, wav.Write(f, wav.Audio{RateHz: rateHz, Channels: 1, PCM: pcm}))
	require.NoError(t, f.Close())
	execute(t, "sox", wide, "-r", "16000", "-b", "16", small, "pad", "0.3", "0.3")
	b, err := os.ReadFile(small)
	require.NoError(t, err)
	return bytes.NewBuffer(b)
}

// rightly requires that most words of what was said were heard.
func rightly(t *testing.T, said, heard string, percent int) {
	t.Helper()
	right, all := house.WordsRight(said, heard)
	t.Logf("said %q, heard %q: %d of %d words", said, heard, right, all)
	require.GreaterOrEqual(t, right*100, all*percent)
}
