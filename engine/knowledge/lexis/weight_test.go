package lexis_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/knowledge/lexis"
)

// A stem is light with its light words, unless a word that tells something has
// the same stem.
func TestStemsOfLightAndTellingWords(t *testing.T) {
	lex := lexis.New()
	for word, want := range map[string]float64{
		"telling": lexis.Light, "tellings": lexis.Light, "hearing": lexis.Light,
		"basically": lexis.Content, "basic": lexis.Content, "different": lexis.Content, "settings": lexis.Content,
		"ferry": lexis.Content,
	} {
		require.Equal(t, want, lex.StemWeight(lex.Stem(word)), word)
	}
	require.Equal(t, lexis.Light, lex.Weight("basically"), "the word itself asks for nothing")
}
