package index

import (
	"context"
	"hash/fnv"
	"strings"
)

// grams embeds a text by the letters of its words: enough for tests.
type grams struct{ dim int }

func (g grams) Dim() int { return g.dim }

func (g grams) Embed(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = g.EmbedOne(t)
	}
	return out, nil
}

func (g grams) EmbedOne(text string) []float32 {
	v := make([]float32, g.dim)
	put := func(s string, weight float32) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(s))
		n := h.Sum64()
		if n>>63 == 1 {
			weight = -weight
		}
		v[n%uint64(g.dim)] += weight
	}
	for w := range strings.FieldsSeq(strings.ToLower(text)) {
		w = strings.Trim(w, ".,?!#")
		if len(w) < 3 {
			continue
		}
		put(w, 1)
		padded := "^" + w + "$"
		for i := 0; i+3 <= len(padded); i++ {
			put(padded[i:i+3], 0.5)
		}
	}
	return v
}
