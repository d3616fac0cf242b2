package index

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/knowledge"
)

// tiring is an embedder that fails after so many texts.
type tiring struct {
	grams
	left *int
	got  *[]string
}

func (e tiring) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if *e.left -= len(texts); *e.left < 0 {
		return nil, fault.Unavailable
	}
	*e.got = append(*e.got, texts...)
	return e.grams.Embed(ctx, texts)
}

func many(n int) []knowledge.Source {
	var out []knowledge.Source
	for i := range n {
		out = append(out, faq(fmt.Sprint("q", i), fmt.Sprintf("What does service number %d cost?", i), fmt.Sprintf("Service number %d costs %d euros.", i, i+5)))
	}
	return out
}

// Vectors of another embedder come bit by bit: what was made stays through a
// failure and a file, nothing is made twice, and meanwhile all is found by words.
func TestVectorsOfAnotherEmbedderAreMadeBitByBit(t *testing.T) {
	base := fill(t, "fees", many(200)...)
	left, got := 100, []string(nil)
	e := tiring{grams: grams{dim: 96}, left: &left, got: &got}
	s, err := base.More(t.Context(), e, "other", 10, nil)
	require.NoError(t, err)
	require.Equal(t, 190, s.Missing())
	require.Equal(t, 200, s.Len())
	require.Equal(t, Label{Source: "fees", Revision: 1, Model: "other"}, s.Label())
	require.Zero(t, base.Missing(), "the shelf itself is as it was")

	s, err = s.More(t.Context(), e, "other", 1000, nil)
	require.ErrorIs(t, err, fault.Unavailable)
	require.Equal(t, 126, s.Missing(), "what was made before the failure is kept")
	back, err := Decode(s.Encode())
	require.NoError(t, err)
	require.Equal(t, s, back)

	x := New(Options{Lexicon: lexicon(), Trust: 0.6})
	require.NoError(t, x.Change(nil, back))
	require.Equal(t, 96, x.Dim())
	for _, i := range []int{3, 150} {
		q := ask(fmt.Sprintf("what does service number %d cost", i))
		v, err := e.grams.Embed(t.Context(), []string{x.Text(q)})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("q", i), x.FindNear(q, v[0])[0].ID, "with a vector or without one")
		for _, h := range x.Nearest(v[0], 200) {
			require.NotZero(t, h.Score, "a passage without a vector is near nothing")
		}
	}

	left = 1000
	whole, err := base.More(t.Context(), e, "other", 1000, back)
	require.NoError(t, err)
	require.Zero(t, whole.Missing())
	require.Len(t, got, 200, "each once")
	require.NoError(t, x.Change(nil, whole))

	third, err := whole.More(t.Context(), e, "third", 0, base)
	require.NoError(t, err)
	require.Equal(t, 200, third.Missing(), "vectors of another model are worth nothing")
	_, err = base.More(t.Context(), grams{dim: 0}, "x", 1, nil)
	require.ErrorIs(t, err, fault.Invalid)
	_, err = base.More(t.Context(), e, "", 1, nil)
	require.ErrorIs(t, err, fault.Invalid)
}

// A likeness stands out from the others, not from itself: else nothing stands
// out among few.
func TestOneOfFewStandsOut(t *testing.T) {
	likes := []float64{0.9, 0.1, 0.12}
	var s spread
	for _, l := range likes {
		s.n++
		s.mean += l / 3
	}
	for _, l := range likes {
		s.deviation += (l - s.mean) * (l - s.mean) / 3
	}
	s.deviation = math.Sqrt(s.deviation)
	require.Greater(t, s.out(0.9), standsOut+standsFar)
	require.Less(t, s.out(0.12), 0.0)
	require.Zero(t, spread{n: 1, mean: 0.9}.out(0.9), "of one nothing is known")
	large := spread{mean: 0.2, deviation: 0.1, n: 100_000}
	require.InDelta(t, 5, large.out(0.7), 0.01, "among many it makes no difference")
}
