package cartesia_test

import (
	"testing"

	"go.uber.org/goleak"

	"flametree/engine/provider"
	"flametree/engine/provider/cartesia"
	"flametree/engine/provider/speechtest"
	"flametree/engine/provider/wire/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func transcriber(o speech.Options) (provider.Transcriber, error) {
	return cartesia.NewTranscriber(cartesia.Options{Options: o})
}

func synthesizer(o speech.Options) (provider.Synthesizer, error) {
	return cartesia.NewSynthesizer(cartesia.Options{Options: o})
}

func TestTranscriber(t *testing.T) {
	speechtest.Ears{New: transcriber, Server: speechtest.Cartesia, Partials: true, Timed: true, Repeats: true}.Run(t)
}

func TestSynthesizer(t *testing.T) {
	speechtest.Mouth{New: synthesizer, Server: speechtest.Cartesia, Timed: true, Stops: true}.Run(t)
}

func FuzzTranscriber(f *testing.F) {
	speechtest.Ears{New: transcriber}.Fuzz(f,
		`{"type":"transcript","is_final":true,"text":"Hi","words":[{"word":"Hi","start":-1,"end":1e300}]}`+"\n"+`{"type":"flush_done"}`,
		`{"type":"error","status_code":401,"error_code":"unauthorized"}`, `{"type":"done"}`)
}

func FuzzSynthesizer(f *testing.F) {
	speechtest.Mouth{New: synthesizer}.Fuzz(f,
		`{"type":"chunk","data":"AAEC","context_id":"c1"}`+"\n"+`{"type":"done","context_id":"c1"}`,
		`{"type":"timestamps","context_id":"c1","word_timestamps":{"words":["a"],"start":[],"end":[]}}`, `{"type":"chunk","data":"?","context_id":"c1"}`,
		`{"type":"error","status_code":429}`, `{"type":"chunk","context_id":"x"}`)
}

// TestPiecesMayBreakWords shows that pieces are put together as they came: a
// piece ends where it ends, be it within a word.
func TestPiecesMayBreakWords(t *testing.T) {
	url := speechtest.Script(t, 2,
		`{"type":"transcript","is_final":true,"text":"Block my c"}`,
		`{"type":"transcript","is_final":true,"text":"ard."}`,
		`{"type":"flush_done"}`)
	tr, err := transcriber(speechtest.Options(url))
	if err != nil {
		t.Fatal(err)
	}
	x, err := tr.Open(t.Context(), provider.Format{RateHz: 16000})
	if err != nil {
		t.Fatal(err)
	}
	_ = x.Write(make([]int16, 320)) // what fails is told by Heard
	_ = x.Finalize()
	_ = x.CloseSend()
	for h, err := range x.Heard() {
		if err != nil || h.Final && h.Text != "block my card" {
			t.Errorf("%+v, %v", h, err)
		}
	}
}

// TestLanguages shows that a language which ink-2 does not know is heard with
// ink-whisper, unless a model is set.
func TestLanguages(t *testing.T) {
	for language, want := range map[string]string{"": "ink-2", "en-US": "ink-2", "de": "ink-whisper"} {
		s := speechtest.Cartesia()
		tr, err := transcriber(speechtest.Options(speechtest.Local(t, s)))
		if err != nil {
			t.Fatal(err)
		}
		x, err := tr.Open(t.Context(), provider.Format{RateHz: 16000, Language: language})
		if err != nil {
			t.Fatal(err)
		}
		_ = x.CloseSend() // nothing was written
		for range x.Heard() {
		}
		if got := s.Asked().Get("model"); got != want {
			t.Errorf("%q is heard with %q, want %q", language, got, want)
		}
	}
}

func TestLive(t *testing.T) {
	speechtest.Live(t, "CARTESIA_API_KEY", speechtest.Mouth{New: synthesizer}, speechtest.Ears{New: transcriber})
}
