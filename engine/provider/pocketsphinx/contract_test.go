package pocketsphinx

import (
	"testing"

	"flametree/engine/provider/providertest"
)

func TestContract(t *testing.T) {
	var clips []providertest.Clip
	for _, text := range []string{"how do i block my card", "my card was stolen"} {
		clips = append(clips, providertest.Clip{Text: text, PCM: telephone(join(quiet(0.3), say(t, "rms", text), quiet(0.4)))})
	}
	providertest.RunTranscriber(t, ears(t), providertest.Format{BandHz: 8000, Hints: hints(t, "debit")}, clips...)
}
