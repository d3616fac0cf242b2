package builtin

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/provider"
)

// Model is the built-in model. It is immutable and safe for concurrent use.
type Model struct {
	lex *lexis.Lexicon
}

// New makes the model. It costs a few milliseconds; one serves all agents.
func New() *Model { return &Model{lex: lexis.New()} }

// reply is what the model decided to say and to call, in this order.
type reply struct {
	text string
	call *provider.ToolCall
}

// Complete implements provider.Completer. The reply is decided at once and
// yielded word by word; with a Schema it is one JSON object with the properties
// the conversation states. Errors wrap fault.Cancelled, or fault.Invalid for a
// Schema that is not one of an object.
func (m *Model) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(provider.Delta{}, fmt.Errorf("complete: %w: %w", fault.KindOf(err), err))
			return
		}
		var out reply
		if len(r.Schema) > 0 {
			text, err := m.results(r)
			if err != nil {
				yield(provider.Delta{}, err)
				return
			}
			out = reply{text: text}
		} else {
			out = read(m.lex, r).plan()
		}
		stream(ctx, out, r, yield)
	}
}

// stream yields a reply word by word, then its call, the count of its words and
// the finish.
func stream(ctx context.Context, out reply, r provider.Request, yield func(provider.Delta, error) bool) {
	words, finish := 0, provider.FinishStop
	for piece := range pieces(out.text) {
		if err := ctx.Err(); err != nil {
			yield(provider.Delta{}, fmt.Errorf("complete: %w: %w", fault.KindOf(err), err))
			return
		}
		// A result cut off is no JSON; only speech may be cut.
		if r.MaxTokens > 0 && words >= r.MaxTokens && len(r.Schema) == 0 {
			finish = provider.FinishLimit
			break
		}
		if !yield(provider.Delta{Text: piece}, nil) {
			return
		}
		words++
	}
	if out.call != nil && finish == provider.FinishStop {
		finish = provider.FinishTools
		if !yield(provider.Delta{Call: out.call}, nil) {
			return
		}
	}
	usage := provider.Usage{Input: inputWords(r), Output: words}
	if !yield(provider.Delta{Usage: &usage}, nil) {
		return
	}
	yield(provider.Delta{Finish: finish}, nil)
}

// pieces cuts a text behind each space.
func pieces(text string) iter.Seq[string] { return strings.SplitAfterSeq(text, " ") }

func inputWords(r provider.Request) int {
	n := 0
	for _, p := range r.System {
		n += strings.Count(p.Text, " ") + 1
	}
	for _, m := range r.Messages {
		n += strings.Count(m.Text, " ") + 1
	}
	return n
}
