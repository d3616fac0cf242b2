package deepgram_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"flametree/engine/provider"
	"flametree/engine/provider/deepgram"
	"flametree/engine/provider/speechtest"
	"flametree/engine/provider/wire/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func transcriber(o speech.Options) (provider.Transcriber, error) {
	return deepgram.NewTranscriber(deepgram.Options{Options: o})
}

func synthesizer(o speech.Options) (provider.Synthesizer, error) {
	return deepgram.NewSynthesizer(deepgram.Options{Options: o})
}

func TestTranscriber(t *testing.T) {
	speechtest.Ears{New: transcriber, Server: speechtest.Deepgram, Partials: true, Timed: true, Repeats: true}.Run(t)
}

func TestSynthesizer(t *testing.T) {
	speechtest.Mouth{New: synthesizer, Server: speechtest.Deepgram, Stops: true}.Run(t)
}

func FuzzTranscriber(f *testing.F) {
	speechtest.Ears{New: transcriber}.Fuzz(f,
		`{"type":"Results","start":0,"duration":1,"is_final":true,"from_finalize":true,"channel":{"alternatives":[{"transcript":"Hi.","words":[{"word":"hi","start":-1,"end":1e300}]}]}}`,
		`{"type":"Results","channel":{"alternatives":[]}}`, `{"type":"Error","code":"INVALID_AUTH"}`, `{"type":"Metadata"}`)
}

func FuzzSynthesizer(f *testing.F) {
	speechtest.Mouth{New: synthesizer}.Fuzz(f, "\x00abc\n"+`{"type":"Flushed","sequence_id":0}`, `{"type":"Cleared"}`, `{"type":"Error","code":"x"}`)
}

func results(text, more string) string {
	return `{"type":"Results",` + more + `,"channel":{"alternatives":[{"transcript":"` + text + `","words":[]}]}}`
}

// heard opens a stream on a server that says what is given after n messages,
// writes 400 ms in two parts, and gives what was heard.
func heard(t *testing.T, n int, says ...string) (out []provider.Hearing) {
	t.Helper()
	o := speechtest.Options(speechtest.Script(t, n, says...))
	o.FinalWait, o.SilentAfter = 200*time.Millisecond, 20*time.Second
	tr, err := transcriber(o)
	if err != nil {
		t.Fatal(err)
	}
	x, err := tr.Open(t.Context(), provider.Format{RateHz: 16000})
	if err != nil {
		t.Fatal(err)
	}
	_ = x.Write(make([]int16, 6400)) // what fails is told by Heard
	_ = x.Finalize()
	for h, err := range x.Heard() {
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, h); h.Final {
			_ = x.CloseSend()
		}
	}
	return out
}

// TestStretchesAreJoined shows that what Deepgram settles on its own comes as one
// final, that its end of turn is passed on without ending the utterance, and that
// a stretch which reaches the Finalize answers it.
func TestStretchesAreJoined(t *testing.T) {
	got := heard(t, 21,
		results("one two", `"start":0,"duration":0.1,"is_final":true,"speech_final":true`),
		results("one two", `"start":0,"duration":0.1,"is_final":true,"speech_final":true`),
		results("three", `"start":0.1,"duration":0.3,"is_final":true`),
	)
	last := got[len(got)-1]
	if !last.Final || last.Text != "one two three" {
		t.Errorf("heard %+v", got)
	}
	hints := 0
	for _, h := range got[:len(got)-1] {
		if h.Final {
			t.Errorf("a final before the last words: %+v", h)
		}
		if h.EndOfTurn {
			hints++
		}
	}
	if hints == 0 {
		t.Error("the vendor's end of turn was lost")
	}
}

// TestNoAnswerToFinalize shows that an utterance ends with what was heard when
// Deepgram lives and does not answer, which it says it may.
func TestNoAnswerToFinalize(t *testing.T) {
	got := heard(t, 21, results("one two", `"start":0,"duration":0.1,"is_final":false`))
	if last := got[len(got)-1]; !last.Final || last.Text != "one two" {
		t.Errorf("heard %+v", got)
	}
}

// TestHintsAreSent shows that names of the agent reach Deepgram as key terms.
func TestHintsAreSent(t *testing.T) {
	s := speechtest.Deepgram()
	tr, err := transcriber(speechtest.Options(speechtest.Local(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	x, err := tr.Open(t.Context(), provider.Format{RateHz: 16000, Language: "en-GB", Hints: provider.Hints{
		Texts: []string{"You can use Flametree at home. Ask for a card."}, Fields: []provider.Field{{Options: []string{"premium card"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	_ = x.CloseSend() // nothing was written
	for range x.Heard() {
	}
	q := s.Asked()
	if got := q["keyterm"]; len(got) != 2 || got[0] != "premium card" || got[1] != "Flametree" || q.Get("language") != "en-GB" {
		t.Errorf("asked with %v", q)
	}
}

// TestAQuickTalkerGetsANewSocket shows that the limit of 20 flushes is kept.
func TestAQuickTalkerGetsANewSocket(t *testing.T) {
	s := speechtest.Deepgram()
	y, err := synthesizer(speechtest.Options(speechtest.Local(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := y.Open(t.Context(), provider.Voice{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	for i := range uint64(45) {
		if err := p.Speak("yes", 1, i); err != nil {
			t.Fatal(err)
		}
	}
	whole := 0
	for a, err := range p.Audio() {
		if err != nil {
			t.Fatal(err)
		}
		if a.Last {
			if whole++; whole == 45 {
				break
			}
		}
	}
	if whole != 45 || s.Opened() != 3 {
		t.Errorf("%d clauses over %d sockets", whole, s.Opened())
	}
}

func TestDefaults(t *testing.T) {
	if _, err := deepgram.NewTranscriber(deepgram.Options{Endpointing: time.Second}); err != nil {
		t.Error(err)
	}
	if _, err := deepgram.NewSynthesizer(deepgram.Options{Options: speech.Options{BaseURL: "ftp://x"}}); err == nil {
		t.Error("an address that is none was taken")
	}
}

func TestLive(t *testing.T) {
	speechtest.Live(t, "DEEPGRAM_API_KEY", speechtest.Mouth{New: synthesizer}, speechtest.Ears{New: transcriber})
}
