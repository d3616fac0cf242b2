package lm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider"
)

func hints() provider.Hints {
	return provider.Hints{Key: "k", Texts: []string{
		"How do I block a lost card?", "Call the bank, day and night.", "The premium card costs ten euros a year.",
	}}
}

func arpa(t *testing.T, h provider.Hints) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Build(h, Options{}).WriteARPA(&b))
	return b.String()
}

func TestTheAgentsOwnWordsAreInTheModel(t *testing.T) {
	words := Build(hints(), Options{}).Words()
	for _, w := range strings.Fields("block lost card bank premium yes no thank goodbye seven") {
		require.True(t, slices.Contains(words, w), w)
	}
	require.False(t, slices.Contains(words, "zebra"))
}

func TestTheSameTextsMakeTheSameModel(t *testing.T) {
	require.Equal(t, arpa(t, hints()), arpa(t, hints()))
}

func TestTheFileIsWhatItsHeaderSays(t *testing.T) {
	text := arpa(t, hints())
	for n := 1; n <= 3; n++ {
		var want int
		i := strings.Index(text, fmt.Sprintf("ngram %d=", n))
		require.Positive(t, i)
		_, err := fmt.Sscanf(text[i:], fmt.Sprintf("ngram %d=%%d", n), &want)
		require.NoError(t, err)
		_, body, ok := strings.Cut(text, fmt.Sprintf("\\%d-grams:\n", n))
		require.True(t, ok)
		body, _, _ = strings.Cut(body, "\n\n")
		require.Equal(t, want, len(strings.Split(strings.TrimSpace(body), "\n")), "%d-grams", n)
	}
	require.Contains(t, text, "\\end\\")
}

func TestSentencesComeFromTheTexts(t *testing.T) {
	all := Sentences(hints())
	require.Greater(t, len(all), 100)
	require.True(t, slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "lost card") }))
}

func FuzzBuild(f *testing.F) {
	f.Add("What does it cost? €5,000!")
	f.Add("\x00\xff ... 12-12 <s> </s> |")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 2000 {
			return
		}
		var b bytes.Buffer
		if err := Build(provider.Hints{Texts: []string{s}}, Options{}).WriteARPA(&b); err != nil {
			t.Fatal(err)
		}
	})
}
