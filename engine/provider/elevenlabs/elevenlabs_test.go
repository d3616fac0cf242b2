package elevenlabs_test

import (
	"testing"

	"go.uber.org/goleak"

	"flametree/engine/provider"
	"flametree/engine/provider/elevenlabs"
	"flametree/engine/provider/speechtest"
	"flametree/engine/provider/wire/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func transcriber(o speech.Options) (provider.Transcriber, error) {
	return elevenlabs.NewTranscriber(elevenlabs.Options{Options: o})
}

func synthesizer(o speech.Options) (provider.Synthesizer, error) {
	return elevenlabs.NewSynthesizer(elevenlabs.Options{Options: o})
}

func TestTranscriber(t *testing.T) {
	speechtest.Ears{New: transcriber, Server: speechtest.ElevenLabs, Partials: true, Timed: true, Repeats: true}.Run(t)
}

func TestSynthesizer(t *testing.T) {
	speechtest.Mouth{New: synthesizer, Server: speechtest.ElevenLabs, Timed: true}.Run(t)
}

func FuzzTranscriber(f *testing.F) {
	speechtest.Ears{New: transcriber}.Fuzz(f,
		`{"message_type":"session_started"}`+"\n"+`{"message_type":"partial_transcript","text":"Hi"}`+"\n"+
			`{"message_type":"committed_transcript_with_timestamps","text":"Hi.","words":[{"text":"Hi.","start":-3,"end":1e300,"type":"word"}]}`,
		`{"message_type":"auth_error"}`, `{"message_type":"insufficient_audio_activity"}`)
}

func FuzzSynthesizer(f *testing.F) {
	speechtest.Mouth{New: synthesizer}.Fuzz(f,
		`{"audio":"AAEC","contextId":"c1","alignment":{"chars":["a"," "],"charStartTimesMs":[0,60],"charDurationsMs":[60,-1]}}`+"\n"+`{"isFinal":true,"contextId":"c1"}`,
		`{"audio":"?","contextId":"c1"}`, `{"contextId":"d"}`, `{"error":"quota_exceeded"}`, `{"contextId":"c1","alignment":{"chars":["a"]}}`)
}

// TestShortUtterances shows that a commit is filled up to what the vendor takes,
// and that what was filled in does not shift the words that follow.
func TestShortUtterances(t *testing.T) {
	tr, err := transcriber(speechtest.Options(speechtest.Local(t, speechtest.ElevenLabs())))
	if err != nil {
		t.Fatal(err)
	}
	x, err := tr.Open(t.Context(), provider.Format{RateHz: 16000})
	if err != nil {
		t.Fatal(err)
	}
	said := speechtest.Sound("no ", 16000, speechtest.Letter)
	for range 3 {
		_ = x.Write(said) // what fails is told by Heard
		_ = x.Finalize()
	}
	_ = x.CloseSend()
	n := 0
	for h, err := range x.Heard() {
		if err != nil {
			t.Fatal(err)
		}
		if !h.Final {
			continue
		}
		if want := 60 * n; h.Text != "no" || len(h.Words) != 1 || h.Words[0].Start.Milliseconds() != int64(want) {
			t.Errorf("utterance %d: %+v, want it at %d ms", n, h, want)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d finals", n)
	}
}

func TestLive(t *testing.T) {
	speechtest.Live(t, "ELEVENLABS_API_KEY", speechtest.Mouth{New: synthesizer}, speechtest.Ears{New: transcriber})
}
