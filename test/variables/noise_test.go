package variables

import (
	"bytes"
	"context"
	"iter"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
	"flametree/media/pcm"
	"flametree/media/wav"
	"flametree/test/house"
)

// meter stands for the built-in recogniser: it says how loud the end of what it
// is given is. What suppression does for words is measured in media/denoise.
type meter struct{}

// Open implements provider.Transcriber.
func (meter) Open(_ context.Context, f provider.Format) (provider.Transcription, error) {
	return &metering{rate: f.RateHz, done: make(chan struct{})}, nil
}

type metering struct {
	rate int
	pcm  []int16
	done chan struct{}
}

func (m *metering) Write(pcm []int16) error {
	m.pcm = append(m.pcm, pcm...)
	return nil
}

func (*metering) Finalize() error { return nil }

func (m *metering) CloseSend() error {
	close(m.done)
	return nil
}

func (m *metering) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		<-m.done
		text := "loud"
		if pcm.LevelDB(m.pcm[max(0, len(m.pcm)-m.rate):]) < 40 {
			text = "soft"
		}
		yield(provider.Hearing{Text: text, Final: true}, nil)
	}
}

// besideARoad is how loud a recogniser hears it: noise of 46 dB over a step.
func besideARoad(t *testing.T, c *house.Chat) string {
	chance := rand.New(rand.NewPCG(3, 9))
	sound := wav.Audio{RateHz: 16000, Channels: 1, PCM: make([]int16, 4*16000)}
	for i := range sound.PCM {
		sound.PCM[i] = int16(chance.NormFloat64() * 200)
	}
	var b bytes.Buffer
	require.NoError(t, wav.Write(&b, sound))
	a, err := c.Do(t.Context(), house.Request{Method: http.MethodPost, Path: "/transcribe", Type: "audio/wav", Body: &b})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	return string(a.Body)
}
