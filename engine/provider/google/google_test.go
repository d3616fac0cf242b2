package google_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/google"
	"flametree/engine/provider/speechtest"
	"flametree/engine/provider/wire/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func transcriber(o speech.Options) (provider.Transcriber, error) {
	return google.NewTranscriber(google.Options{Options: o, Project: "a-project"})
}

func synthesizer(o speech.Options) (provider.Synthesizer, error) {
	return google.NewSynthesizer(google.Options{Options: o})
}

func TestTranscriber(t *testing.T) {
	speechtest.Ears{New: transcriber, Server: speechtest.Google, Timed: true, Requests: true}.Run(t)
}

// TestSynthesizer knows both kinds of voices: those that tell times of words, and
// those that do not. A word ends where the next begins.
func TestSynthesizer(t *testing.T) {
	speechtest.Mouth{New: synthesizer, Server: speechtest.Google, Timed: true, Requests: true, Rates: true, Joined: true}.Run(t)
	t.Run("chirp", func(t *testing.T) {
		speechtest.Mouth{
			New: synthesizer, Server: speechtest.Google, Requests: true, Rates: true, Voice: provider.Voice{Name: "en-US-Chirp3-HD-Charon"},
		}.Run(t)
	})
}

func FuzzTranscriber(f *testing.F) {
	speechtest.Ears{New: transcriber}.Fuzz(f,
		`{"results":[{"alternatives":[{"transcript":"Hi.","words":[{"word":"hi","startOffset":"-1s","endOffset":"1e9s"}]}]},{"alternatives":[]}]}`, `{"results":7}`)
}

func FuzzSynthesizer(f *testing.F) {
	speechtest.Mouth{New: synthesizer}.Fuzz(f, `{"audioContent":"UklGRgAAAABXQVZFZGF0YQIAAAAAAA==","timepoints":[{"markName":"0","timeSeconds":-1},{"markName":"x"}]}`,
		`{"audioContent":"UklGRgAAAABXQVZF"}`, `{"audioContent":"?"}`)
}

// TestAProjectIsNeeded shows that a host and a path cannot be put together from
// anything.
func TestAProjectIsNeeded(t *testing.T) {
	for _, o := range []google.Options{{}, {Project: "a/b"}, {Project: "ok", Location: "evil.example/"}} {
		if _, err := google.NewTranscriber(o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestLive(t *testing.T) {
	project := os.Getenv("GOOGLE_CLOUD_PROJECT")
	speechtest.Live(t, "GOOGLE_ACCESS_TOKEN", speechtest.Mouth{New: synthesizer}, speechtest.Ears{New: func(o speech.Options) (provider.Transcriber, error) {
		return google.NewTranscriber(google.Options{Options: o, Project: project})
	}})
}
