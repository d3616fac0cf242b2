package openai

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"flametree/engine/fault"
	"flametree/engine/provider/wire"
)

// batch is how many texts go into one request: servers of one's own refuse
// OpenAI's 2,048.
const batch = 64

// EmbedderOptions are those of the server and of its vectors.
type EmbedderOptions struct {
	Options
	Dim     int  // numbers of a vector; must be what the model gives; 0 = as many as it gives first
	Shorten bool // ask for Dim numbers; OpenAI's text-embedding-3 can
}

// Embedder is a provider.Embedder over POST /embeddings.
type Embedder struct {
	client  *wire.Client
	model   string
	dim     atomic.Int64 // 0 = not known yet
	shorten bool
}

// NewEmbedder makes an Embedder. It asks nothing yet; faults of o are fault.Invalid.
func NewEmbedder(o EmbedderOptions) (*Embedder, error) {
	switch {
	case o.Dim < 0:
		return nil, fmt.Errorf("openai: vectors of %d numbers cannot be: %w", o.Dim, fault.Invalid)
	case o.Dim == 0 && o.Shorten:
		return nil, fmt.Errorf("openai: vectors are shortened to a dimension that must be set: %w", fault.Invalid)
	}
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	e := &Embedder{client: c, model: o.Model, shorten: o.Shorten}
	e.dim.Store(int64(o.Dim))
	return e, nil
}

// Dim implements provider.Embedder. Where no dimension was set it is 0 until
// the first answer, and from then on the length of that answer's vectors: other
// lengths are refused.
func (e *Embedder) Dim() int { return int(e.dim.Load()) }

// Embed implements provider.Embedder. An empty text, which the server would
// refuse, counts as a space.
func (e *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for len(texts) > 0 {
		n := min(batch, len(texts))
		part, err := e.ask(ctx, texts[:n])
		if err != nil {
			return nil, err
		}
		out, texts = append(out, part...), texts[n:]
	}
	return out, nil
}

func (e *Embedder) ask(ctx context.Context, texts []string) ([][]float32, error) {
	q := embedding{Model: e.model, Input: make([]string, len(texts)), EncodingFormat: "float"}
	for i, t := range texts {
		if q.Input[i] = t; t == "" {
			q.Input[i] = " "
		}
	}
	if e.shorten {
		q.Dimensions = e.Dim()
	}
	var a embedded
	if err := e.client.Post(ctx, "/embeddings", q, &a); err != nil {
		return nil, err
	}
	out := make([][]float32, len(texts))
	for _, d := range a.Data {
		if d.Index < 0 || d.Index >= len(out) || out[d.Index] != nil {
			return nil, e.client.Unreadable()
		}
		if len(d.Embedding) > 0 {
			e.dim.CompareAndSwap(0, int64(len(d.Embedding)))
		}
		if dim := e.Dim(); len(d.Embedding) != dim {
			return nil, fmt.Errorf("openai: the model gives vectors of %d numbers, not %d: set the dimension: %w", len(d.Embedding), dim, fault.Invalid)
		}
		if !unit(d.Embedding) {
			return nil, e.client.Unreadable()
		}
		out[d.Index] = d.Embedding
	}
	for _, v := range out {
		if v == nil {
			return nil, e.client.Unreadable()
		}
	}
	return out, nil
}

// unit scales v to length 1; a vector without a direction cannot be.
func unit(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsInf(sum, 0) || math.IsNaN(sum) {
		return false
	}
	n := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= n
	}
	return true
}
