package providertest

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"

	"flametree/engine/provider"
)

// RunEmbedder tests the contract of provider.Embedder.
func RunEmbedder(t *testing.T, e provider.Embedder) {
	texts := []string{"The daily spending limit is five thousand dollars.", "How do I block my card?", "", "ä ö ü", "The daily spending limit is five thousand dollars."}
	t.Run("each text has its vector, in order", func(t *testing.T) { placed(t, e, texts) })
	t.Run("no texts, no vectors", func(t *testing.T) {
		if v := embed(t, e, nil); len(v) != 0 {
			t.Errorf("%d vectors", len(v))
		}
	})
	t.Run("many texts at once are as each alone", func(t *testing.T) { batched(t, e) })
	t.Run("an ended context ends it with an error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := e.Embed(ctx, texts)
		if err == nil {
			t.Error("no error")
		}
		classified(t, err)
	})
	t.Run("texts are placed beside each other", func(t *testing.T) {
		noneLeft(t, func() {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { placed(t, e, texts) })
			}
			wg.Wait()
		})
	})
}

func embed(t *testing.T, e provider.Embedder, texts []string) [][]float32 {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	v, err := e.Embed(ctx, texts)
	if err != nil {
		t.Error(err)
	}
	return v
}

func placed(t *testing.T, e provider.Embedder, texts []string) {
	t.Helper()
	given := slices.Clone(texts)
	v := embed(t, e, given)
	if len(v) != len(texts) || !slices.Equal(given, texts) {
		t.Errorf("%d vectors for %d texts; the texts are %q", len(v), len(texts), given)
		return
	}
	for i := range v {
		if n := Cosine(v[i], v[i]); len(v[i]) != e.Dim() || math.Abs(n-1) > 1e-3 {
			t.Errorf("%q: %d numbers, not %d; length %v", texts[i], len(v[i]), e.Dim(), n)
		}
	}
	if same := Cosine(v[0], v[4]); same < 0.999 {
		t.Errorf("equal texts are %v alike", same)
	}
}

func batched(t *testing.T, e provider.Embedder) {
	texts := make([]string, 150)
	for i := range texts {
		texts[i] = string(rune('a'+i%26)) + string(rune('a'+i/26)) + " word"
	}
	v := embed(t, e, texts)
	for _, i := range []int{0, 63, 64, 149} {
		if one := embed(t, e, texts[i:i+1]); len(v) != len(texts) || len(one) != 1 || Cosine(v[i], one[0]) < 0.999 {
			t.Errorf("text %d has another vector alone", i)
		}
	}
}

// Cosine is how alike two vectors of length 1 are.
func Cosine(a, b []float32) float64 {
	var sum float64
	for i := range min(len(a), len(b)) {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
