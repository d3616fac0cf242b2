package openai_test

import (
	"testing"

	"flametree/engine/provider"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/speechtest"
	"flametree/engine/provider/wire/speech"
)

func TestTranscriber(t *testing.T) {
	speechtest.Ears{
		New:    transcriber,
		Server: speechtest.OpenAI, Timed: true, Requests: true,
	}.Run(t)
}

func TestLiveTranscriber(t *testing.T) {
	speechtest.Ears{
		New:    liveTranscriber,
		Server: speechtest.OpenAI, Partials: true, Repeats: true,
	}.Run(t)
}

func TestSynthesizer(t *testing.T) {
	speechtest.Mouth{
		New:    synthesizer,
		Server: speechtest.OpenAI, Requests: true, Rates: true,
	}.Run(t)
}

func transcriber(o speech.Options) (provider.Transcriber, error) {
	return openai.NewTranscriber(openai.SpeechOptions{Options: o})
}

func liveTranscriber(o speech.Options) (provider.Transcriber, error) {
	return openai.NewLiveTranscriber(openai.SpeechOptions{Options: o})
}

func synthesizer(o speech.Options) (provider.Synthesizer, error) {
	return openai.NewSynthesizer(openai.SpeechOptions{Options: o})
}

func FuzzLiveTranscriber(f *testing.F) {
	speechtest.Ears{New: liveTranscriber}.Fuzz(f,
		`{"type":"input_audio_buffer.committed","item_id":"a"}`+"\n"+
			`{"type":"conversation.item.input_audio_transcription.delta","item_id":"a","delta":"Hi "}`+"\n"+
			`{"type":"conversation.item.input_audio_transcription.completed","item_id":"a","transcript":"Hi there."}`,
		`{"type":"error","error":{"type":"invalid_request_error","code":"input_audio_buffer_commit_empty"}}`,
		`{"type":"conversation.item.input_audio_transcription.failed","item_id":"a","error":{"code":"audio_unintelligible"}}`)
}

func FuzzTranscriber(f *testing.F) {
	speechtest.Ears{New: transcriber}.Fuzz(f, `{"text":"Hi.","words":[{"word":"Hi","start":0.1,"end":1e300}]}`, `{"text":null}`, `{"error":"no"}`)
}

// TestOneFinalForEachCommit shows that items that are completed out of order are
// heard in the order in which they were said.
func TestOneFinalForEachCommit(t *testing.T) {
	url := speechtest.Script(t, 7, // the session, and two commits of two messages of audio each
		`{"type":"input_audio_buffer.committed","item_id":"a"}`,
		`{"type":"input_audio_buffer.committed","item_id":"b"}`,
		`{"type":"conversation.item.input_audio_transcription.completed","item_id":"b","transcript":"Second."}`,
		`{"type":"conversation.item.input_audio_transcription.completed","item_id":"a","transcript":"First."}`,
	)
	tr, err := liveTranscriber(speechtest.Options(url))
	if err != nil {
		t.Fatal(err)
	}
	x, err := tr.Open(t.Context(), provider.Format{RateHz: 16000})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_ = x.Write(make([]int16, 3200)) // what fails is told by Heard
		_ = x.Finalize()
	}
	_ = x.CloseSend()
	var got []string
	for h, err := range x.Heard() {
		if err != nil {
			t.Fatal(err)
		}
		if h.Final {
			got = append(got, h.Text)
		}
	}
	if len(got) != 2 || got[0] != "first" || got[1] != "second" {
		t.Errorf("heard %q", got)
	}
}

func TestLiveSpeech(t *testing.T) {
	speechtest.Live(t, "OPENAI_API_KEY", speechtest.Mouth{New: synthesizer}, speechtest.Ears{New: liveTranscriber})
	speechtest.Live(t, "OPENAI_API_KEY", speechtest.Mouth{New: synthesizer}, speechtest.Ears{New: transcriber})
}
