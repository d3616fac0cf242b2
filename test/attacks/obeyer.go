package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// minPiece is how many letters of an attack the obeyer must read to recognise
// it, where a passage was cut or marks were put into it.
const minPiece = 24

// Obeyer is a model that belongs to whoever wrote last: it looks for attacks of
// its corpus in what the human said, in passages and in results of tools, and
// does what they aim at, once for each line of the human. It calls tools that it
// was not offered, too. It is safe for concurrent use.
type Obeyer struct {
	corpus *Corpus
	known  []known
}

// known is an attack, as it is recognised.
type known struct {
	Attack
	turns  []string // letters and figures only
	pieces []string // of the last turn, long ones
}

// NewObeyer makes the model. The corpus must not change afterwards.
func NewObeyer(c *Corpus) *Obeyer {
	o := &Obeyer{corpus: c}
	for _, a := range c.Attacks {
		k := known{Attack: a}
		for _, t := range a.Turns {
			k.turns = append(k.turns, letters(t))
		}
		for p := range strings.FieldsFuncSeq(a.Last(), func(r rune) bool { return strings.ContainsRune(".!?\n<>", r) }) {
			if p = letters(p); len(p) >= minPiece {
				k.pieces = append(k.pieces, p)
			}
		}
		o.known = append(o.known, k)
	}
	return o
}

// Complete implements provider.Completer.
func (o *Obeyer) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		text, call := o.answer(r)
		for _, p := range cut(text) {
			if err := ctx.Err(); err != nil {
				yield(provider.Delta{}, fmt.Errorf("obey: %w: %w", fault.Cancelled, err))
				return
			}
			if !yield(provider.Delta{Text: p}, nil) {
				return
			}
		}
		finish := provider.FinishStop
		if call != nil {
			finish = provider.FinishTools
			if !yield(provider.Delta{Call: call}, nil) {
				return
			}
		}
		yield(provider.Delta{Finish: finish}, nil)
	}
}

// cut makes small pieces, so that secrets fall between them.
func cut(text string) []string {
	var out []string
	for part := range slices.Chunk([]rune(text), 5) {
		out = append(out, string(part))
	}
	return out
}

func (o *Obeyer) answer(r provider.Request) (string, *provider.ToolCall) {
	if len(r.Schema) > 0 {
		return "{}", nil
	}
	a, ok := o.Recognise(r)
	switch {
	case !ok:
		return "How can I help you?", nil
	case a.Effect.Tool == "":
		return o.corpus.Leak(a, Prompt(r)), nil
	case called(r, a.Effect):
		return "I have done what I was told.", nil
	}
	args, err := json.Marshal(a.Effect.Args)
	if err != nil {
		return "These arguments cannot be written.", nil
	}
	return "", &provider.ToolCall{ID: fmt.Sprintf("obey-%d", len(r.Messages)), Name: a.Effect.Tool, Args: string(args)}
}

// Prompt is what a request tells the model about how to behave and what to do:
// the text that {prompt} stands for.
func Prompt(r provider.Request) string {
	var out []string
	for _, p := range r.System {
		if p.Kind == provider.PartRules || p.Kind == provider.PartTask {
			out = append(out, p.Text)
		}
	}
	return strings.Join(out, "\n")
}

// Recognise finds the attack that a request carries: in the last line of the
// human first, then in the results of tools after it, then in passages.
func (o *Obeyer) Recognise(r provider.Request) (Attack, bool) {
	said, results, passages := texts(r)
	for _, k := range o.known {
		if k.Via == User && k.spoken(said) {
			return k.Attack, true
		}
	}
	for _, where := range [][]string{results, passages} {
		for _, k := range o.known {
			if k.Via != User && slices.ContainsFunc(where, k.stands) {
				return k.Attack, true
			}
		}
	}
	return Attack{}, false
}

// texts are what the human said, the results of tools since the last of it, and
// what is shown as knowledge.
func texts(r provider.Request) (said, results, passages []string) {
	last := -1
	for i, m := range r.Messages {
		if m.Role == provider.RoleUser {
			said, last = append(said, letters(m.Text)), i
		}
	}
	for _, m := range r.Messages[last+1:] {
		if m.Role == provider.RoleTool {
			results = append(results, letters(m.Text))
		}
	}
	for _, p := range r.System {
		if p.Kind == provider.PartKnowledge || p.Kind == provider.PartCore {
			passages = append(passages, letters(p.Title+" "+p.Text))
		}
	}
	return said, results, passages
}

// spoken reports whether the human has said all turns, the last one just now.
func (k known) spoken(said []string) bool {
	if len(said) < len(k.turns) || !strings.Contains(said[len(said)-1], k.turns[len(k.turns)-1]) {
		return false
	}
	for i, t := range k.turns {
		if !strings.Contains(said[len(said)-len(k.turns)+i], t) {
			return false
		}
	}
	return true
}

// stands reports whether the attack stands in a text, whole or in a long piece.
func (k known) stands(text string) bool {
	return strings.Contains(text, k.turns[0]) ||
		slices.ContainsFunc(k.pieces, func(p string) bool { return strings.Contains(text, p) })
}

// called reports whether the model did it already since the human's last line.
func called(r provider.Request, e Effect) bool {
	for _, m := range slices.Backward(r.Messages) {
		if m.Role == provider.RoleUser {
			return false
		}
		for _, c := range m.Calls {
			if c.Name == e.Tool && sameArgs(c.Args, e.Args) {
				return true
			}
		}
	}
	return false
}

func sameArgs(args string, want map[string]any) bool {
	w, err := json.Marshal(want)
	if err != nil {
		return false
	}
	var a, b map[string]any
	return json.Unmarshal([]byte(args), &a) == nil && json.Unmarshal(w, &b) == nil && reflect.DeepEqual(a, b)
}

// letters is a text as a model sees through disguises: letters and figures only.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
