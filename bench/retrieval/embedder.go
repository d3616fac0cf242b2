package retrieval

import (
	"context"

	"flametree/engine/provider/hashed"
)

// builtIn is the embedder that needs no model.
type builtIn struct{ *hashed.Embedder }

func newBuiltIn() (Embedder, error) {
	e, err := hashed.New(hashed.DefaultDim)
	return builtIn{e}, err
}

// EmbedOne makes the vector of a question; nil where there can be none.
func (b builtIn) EmbedOne(text string) []float32 {
	v, err := b.Embed(context.Background(), []string{text})
	if err != nil {
		return nil
	}
	return v[0]
}
