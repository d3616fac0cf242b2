package azure_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/azure"
	"flametree/engine/provider/speechtest"
	"flametree/engine/provider/wire/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func transcriber(o speech.Options) (provider.Transcriber, error) {
	return azure.NewTranscriber(azure.Options{Options: o, Region: "westeurope"})
}

func synthesizer(o speech.Options) (provider.Synthesizer, error) {
	return azure.NewSynthesizer(azure.Options{Options: o, Region: "westeurope"})
}

func TestTranscriber(t *testing.T) {
	speechtest.Ears{New: transcriber, Server: speechtest.Azure, Partials: true, Timed: true, Repeats: true, Wordless: true}.Run(t)
}

func TestSynthesizer(t *testing.T) {
	speechtest.Mouth{New: synthesizer, Server: speechtest.Azure, Requests: true}.Run(t)
}

// TestMarkupIsSaid shows that what is said cannot become markup.
func TestMarkupIsSaid(t *testing.T) {
	s := speechtest.Azure()
	y, err := synthesizer(speechtest.Options(speechtest.Local(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := y.Open(t.Context(), provider.Voice{Name: "de-DE-KatjaNeural", Language: "de", Rate: 1.5})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	const said = `a</voice> & "b" <break/>`
	if err := p.Speak(said, 1, 1); err != nil {
		t.Fatal(err)
	}
	for a, err := range p.Audio() {
		if err != nil {
			t.Fatal(err)
		}
		if a.Last {
			break
		}
	}
	if got := s.Said(); len(got) != 1 || got[0] != said {
		t.Errorf("said %q", got)
	}
}

// TestARegionIsNeeded shows that a host cannot be put together from anything.
func TestARegionIsNeeded(t *testing.T) {
	for _, region := range []string{"", "evil.example/", "West Europe", "a@b"} {
		if _, err := azure.NewTranscriber(azure.Options{Region: region}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("region %q: %v", region, err)
		}
	}
}

func TestLive(t *testing.T) {
	region := os.Getenv("AZURE_SPEECH_REGION")
	speechtest.Live(t, "AZURE_SPEECH_KEY",
		speechtest.Mouth{New: func(o speech.Options) (provider.Synthesizer, error) {
			return azure.NewSynthesizer(azure.Options{Options: o, Region: region})
		}},
		speechtest.Ears{New: func(o speech.Options) (provider.Transcriber, error) {
			return azure.NewTranscriber(azure.Options{Options: o, Region: region})
		}})
}
