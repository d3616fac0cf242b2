package knowledge

import (
	"slices"

	"flametree/engine/knowledge/lexis"
)

// slipWorth is what a word counts that only looks misspelled beside a passage.
const slipWorth = 0.7

// slips finds, for the words of a question that stand nowhere, words of one
// passage that they may be slips of. Within a hundred words a looser likeness
// is proof than within a vocabulary: rian beside rain, delivverd beside
// delivered. The terms are copied when one changes.
func (x *Index) slips(c *chunk, terms []asked) []asked {
	out := terms
	for i, a := range terms {
		if !a.strange {
			continue
		}
		t, ok := x.slip(c, a.stem)
		if !ok {
			continue
		}
		if &out[0] == &terms[0] {
			out = slices.Clone(terms)
		}
		out[i].any = []option{{t, slipWorth}}
		out[i].weight = x.weigh(lexis.Content, len(x.post[t]))
	}
	return out
}

func (x *Index) slip(c *chunk, stem string) (int32, bool) {
	for _, t := range c.title {
		if lexis.Slip(stem, x.names[t]) {
			return t, true
		}
	}
	for _, s := range c.sentences {
		for _, t := range s.heading {
			if lexis.Slip(stem, x.names[t]) {
				return t, true
			}
		}
		for _, t := range s.own {
			if lexis.Slip(stem, x.names[t]) {
				return t, true
			}
		}
	}
	return 0, false
}
