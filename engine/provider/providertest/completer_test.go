package providertest

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// parrot says what it knows, a word at a time, as a model should.
type parrot struct{}

func (parrot) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		words := []string{"Five ", "thousand ", "dollars."}
		if r.Schema != nil {
			words = []string{`{"topic":`, `"limits"}`}
		}
		for _, w := range words {
			if err := ctx.Err(); err != nil {
				yield(provider.Delta{}, fmt.Errorf("parrot: %w: %w", fault.Cancelled, err))
				return
			}
			if !yield(provider.Delta{Text: w}, nil) {
				return
			}
		}
		yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

func TestAnHonestModelPasses(t *testing.T) { RunCompleter(t, parrot{}) }
